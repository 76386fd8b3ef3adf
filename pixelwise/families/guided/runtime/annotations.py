"""Annotations on the grid of features: `families.guided.annotations.spread` without torch (thesis §4.3.1)."""

from collections.abc import Iterable

import numpy as np

# Pixels between neighbouring cells of features and annotations.
STRIDE = 8


def spread(annotation: np.ndarray, stride: int) -> np.ndarray:
    """Resample annotation maps (K, H, W) to the grid of features at `stride`, (K, ceil(H/s), ceil(W/s)) float32.

    Each pixel's value is divided among the cells around it by bilinear weights. They sum to one, also at borders.
    """
    rows, columns = (interpolation(side, stride) for side in annotation.shape[1:])
    return np.asarray(rows.T @ annotation.astype(np.float32) @ columns)


def spread_points(points: Iterable[tuple[int, int, int]], ways: int, size: tuple[int, int], stride: int) -> np.ndarray:
    """Return what `spread` gives for maps of `ways` classes and `size` (H, W): one at `points` (x, y, way), else zero.

    A point changes at most four cells, so a click needs no pass over the picture.
    """
    height, width = (-(-side // stride) for side in size)
    cells = np.zeros((ways, height, width), np.float32)
    for x, y, way in points:
        (top, below), (left, right) = share(y, height, stride), share(x, width, stride)
        cells[way, top : top + 2, left : left + 2] += np.outer((1 - below, below), (1 - right, right))[
            : height - top, : width - left
        ]
    return cells


def share(place: int, cells: int, stride: int) -> tuple[int, float]:
    """Return the cell at or before a pixel, and the share of the pixel that goes to the next cell."""
    at = min(place / stride, cells - 1)
    return int(at), at % 1


def interpolation(side: int, stride: int) -> np.ndarray:
    """Return the weight of each pixel of a line in each cell, (side, ceil(side / stride)) float32; rows sum to one."""
    cells = -(-side // stride)
    place = np.minimum(np.arange(side, dtype=np.float32) / stride, cells - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(cells, dtype=np.float32)), 0)
