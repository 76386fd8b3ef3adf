"""The smallest town that every family can be trained on."""

from pathlib import Path

from components import ingest
from pixelwise.data.town import TownParams

TINY_TOWN = TownParams(train_clips=2, val_clips=1, test_clips=1, frames=2, width=96, height=80)


def prepare_tiny_town(out: Path) -> Path:
    """Prepared data of the tiny town: 4 pictures to train on, 2 to validate and 2 to test."""
    ingest.run(ingest.IngestParams(dataset="town", town=TINY_TOWN), out)
    return out
