"""Annotations on the grid of features, without torch: what `networks.annotations.spread` does (thesis §4.3.1)."""

from collections.abc import Iterable

import numpy as np

# Pixels between the cells on which features and annotations lie.
STRIDE = 8


def spread(annotation: np.ndarray, stride: int) -> np.ndarray:
    """Bring annotation maps (K, H, W) to the grid of features at `stride`, (K, ceil(H/s), ceil(W/s)) float32.

    Each pixel gives its value to the cells around it by bilinear weights that sum to one, at borders and corners too.
    """
    rows, columns = (interpolation(side, stride) for side in annotation.shape[1:])
    return np.asarray(rows.T @ annotation.astype(np.float32) @ columns)


def spread_points(points: Iterable[tuple[int, int, int]], ways: int, size: tuple[int, int], stride: int) -> np.ndarray:
    """`spread` of maps of `ways` classes and `size` (H, W) that are one at each of `points` (x, y, way), else zero.

    A point touches four cells, so that a click costs no pass over the picture.
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
    """The cell at or before a pixel, and what the next one gets of it."""
    at = min(place / stride, cells - 1)
    return int(at), at % 1


def interpolation(side: int, stride: int) -> np.ndarray:
    """What each pixel of a line gives to its cells, (side, ceil(side / stride)) float32: rows sum to one."""
    cells = -(-side // stride)
    place = np.minimum(np.arange(side, dtype=np.float32) / stride, cells - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(cells, dtype=np.float32)), 0)
