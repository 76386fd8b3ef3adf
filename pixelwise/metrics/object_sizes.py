"""How well objects of each size are found: the connected areas of one class in the truth, by COCO's limits of size."""

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.regions import Regions

# Upper limits of the area in pixels; a larger object is large (Lin et al. 2014, Microsoft COCO).
LIMITS = (32**2, 96**2)
SIZES = ("small", "medium", "large")
# An object is found if at least this share of its pixels has its class.
FOUND = 0.5
# (K, 3, 4): by class and size, the objects, how many are found, their pixels, and how many of these are right.
SizeCounts = NDArray[np.int64]


def make_size_counts(classes: int) -> SizeCounts:
    """Make the counts of no picture."""
    return np.zeros((classes, len(SIZES), 4), np.int64)


def count_objects(objects: Regions, right: np.ndarray, classes: int) -> SizeCounts:
    """Count the `objects` of one picture. right: (H, W) bool, the pixels that have the class of the truth."""
    counts = make_size_counts(classes)
    right_pixels = objects.sum(right).astype(np.int64)
    found = right_pixels >= FOUND * objects.pixels
    rows = np.stack([np.ones_like(found, np.int64), found, objects.pixels, right_pixels], axis=1)
    np.add.at(counts, (objects.values, np.searchsorted(LIMITS, objects.pixels, side="right")), rows)
    return counts
