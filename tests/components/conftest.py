"""A small FCN, trained and exported once for the tests of the steps."""

from pathlib import Path

import pytest
from support.shared import Shared

from pixelwise.data.prepared import PreparedData


@pytest.fixture(scope="session")
def data(tiny_town: Path) -> Path:
    """The prepared data that the FCN learns from."""
    return tiny_town


@pytest.fixture(scope="session")
def val(data: Path):
    """Its validation split."""
    return PreparedData(data).split("val")


@pytest.fixture(scope="session")
def checkpoint(shared: Shared, data: Path) -> Path:
    """The trained FCN, not to be written to."""
    from support.fcn_model import train_fcn

    return shared.folder("small_fcn", lambda folder: train_fcn(data, folder / "checkpoint")) / "checkpoint"


@pytest.fixture(scope="session")
def model(shared: Shared, checkpoint: Path) -> Path:
    """The exported FCN, with its checkpoint, not to be written to."""
    from support.fcn_model import export_fcn

    return shared.folder("small_fcn_model", lambda folder: export_fcn(folder, checkpoint))
