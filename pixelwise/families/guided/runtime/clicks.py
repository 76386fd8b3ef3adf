"""Clicks: a pixel and its class; what they say of the cells of a grid."""

from collections.abc import Sequence

import numpy as np

# Cells at which a click's nearness has fallen to e^-0.5.
REACH = 4.0


def hint_of(points: Sequence[Sequence[tuple[int, int]]], cells: tuple[int, int], stride: int) -> np.ndarray:
    """What clicks on a picture say of its `cells` (h, w) by their place: (K, 2, h, w), the mask before being unknown.

    points: those (x, y) of each class.
    """
    near = np.stack([nearness(of_class, *cells, stride) for of_class in points])
    return np.stack([np.zeros_like(near), near], axis=1)


def nearness(points: Sequence[tuple[int, int]], height: int, width: int, stride: int) -> np.ndarray:
    """How near each cell of a (height, width) grid lies to the nearest of `points` (x, y) in pixels, float32 0–1."""
    if not len(points):
        return np.zeros((height, width), np.float32)
    x, y = np.asarray(points, np.float32).T / stride
    # The square falls apart into rows and columns, so that a hundred clicks cost no (points, H, W) of distances.
    rows = (np.arange(height, dtype=np.float32)[:, None] - y) ** 2
    columns = (np.arange(width, dtype=np.float32)[:, None] - x) ** 2
    distance = (rows[:, None] + columns[None]).min(axis=2)
    return np.exp(-distance / (2 * REACH**2)).astype(np.float32)
