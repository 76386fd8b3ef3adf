"""Each promotion stores a model card and a data card, which `pixelwise release show --card` prints."""

from pathlib import Path

import pytest

from pixelwise.errors import RegistryError
from pixelwise.registry.registration import CARDS, download_files
from pixelwise.tools import release
from pixelwise.tracking.store import connect


def test_a_promotion_stores_the_cards_that_show_prints(released, tmp_path):
    said = str(release.show(["fcn"], None, released.ledger, released.store, card=True))
    model, data = said.index("# Model card: fcn version 2"), said.index("# Data card: town, of fcn version 2")
    assert model < said.index("- replaces: version 1") < said.index("- fingerprint: mark-2") < data
    folder = download_files(connect(released.store), "fcn", "2", CARDS, tmp_path)
    stored = sorted(file.name for file in Path(folder).iterdir())
    assert stored == ["data-card.html", "data-card.md", "model-card.html", "model-card.md"]


def test_a_rollback_shows_the_cards_of_the_version_that_is_champion_again(released):
    released.rollback()
    said = str(release.show(["fcn"], None, released.ledger, released.store, card=True))
    assert "# Model card: fcn version 1" in said
    assert "- replaces: nothing, it is the first" in said


def test_a_version_without_cards_is_named(released):
    released.register(0.95, threshold=3)
    with pytest.raises(RegistryError, match="fcn version 3: found no cards stored with it"):
        download_files(connect(released.store), "fcn", "3", CARDS, released.folder / "work")
