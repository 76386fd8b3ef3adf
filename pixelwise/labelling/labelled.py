"""What is labelled already: the looks of its pictures, and their hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import DataError
from pixelwise.identity import sha256_pixels
from pixelwise.labelling.looks import Looks, measure_looks
from pixelwise.progress import progress

# The most labelled pictures that are compared with; more, evenly spread, would hardly be nearer to any picture.
MOST = 2000


@dataclass(frozen=True)
class Labelled:
    """looks: of the pictures to train on. hashes: of the pixels of every labelled picture, as ingest computes them."""

    looks: Sequence[Looks] = ()
    hashes: frozenset[str] = frozenset()

    def holds(self, image: np.ndarray) -> bool:
        """Whether the picture `image` (H, W, 3) uint8 is labelled."""
        return sha256_pixels(image) in self.hashes


def read_labelled(data: Path, names: Sequence[str]) -> Labelled:
    """Look at the pictures to train on of the prepared `data`. names: the classes of the model.

    Raises DataError where the data has other classes, no split train, or is damaged.
    """
    prepared = PreparedData(data)
    if prepared.classes.names != tuple(names):
        found, expected = ", ".join(prepared.classes.names), ", ".join(names)
        raise DataError(f"data {data}: classes {found}, expected those of the model: {expected}")
    hashes = frozenset(prepared.manifest["image_sha256"].to_pylist())
    return Labelled(look_at(prepared.split("train")), hashes)


def look_at(split: PreparedSplit) -> list[Looks]:
    """Measure the looks of at most MOST pictures of a split by their true labels."""
    samples = (split[place] for place in progress(sample_evenly(len(split), MOST), "look at labelled pictures"))
    return [measure_looks(sample.image, sample.label, len(split.classes)) for sample in samples]
