"""Annotations on the grid of features: `families.guided.annotations.spread` without torch (thesis §4.3.1)."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Pixels between neighbouring cells of features and annotations.
STRIDE = 8
# Key in the metadata of `encode`: the pixel on which cell 0 of the features is centred.
OFFSET = "offset"


class Grid(NamedTuple):
    """The grid of a picture's features: its size in cells. Cell i is centred on pixel STRIDE·i + offset."""

    height: int
    width: int
    offset: float = 0.0

    def cells(self, pixels: np.ndarray | int) -> np.ndarray:
        """Convert positions along a side from pixels to cells, float32."""
        return (np.asarray(pixels, np.float32) - np.float32(self.offset)) / STRIDE


def spread(annotation: np.ndarray, grid: Grid) -> np.ndarray:
    """Resample annotation maps (K, H, W) to a grid of features, (K, h, w) float32.

    Each pixel's value is divided among the cells around it by bilinear weights. They sum to one, also at borders.
    """
    rows, columns = (
        compute_interpolation(grid.cells(np.arange(side)), count)
        for side, count in zip(annotation.shape[1:], (grid.height, grid.width), strict=True)
    )
    return np.asarray(rows.T @ annotation.astype(np.float32) @ columns)


def spread_points(points: Iterable[tuple[int, int, int]], ways: int, grid: Grid) -> np.ndarray:
    """Return what `spread` gives for maps of `ways` classes: one at `points` (x, y, way), else zero.

    A point changes at most four cells, so a click needs no pass over the picture.
    """
    height, width = grid.height, grid.width
    cells = np.zeros((ways, height, width), np.float32)
    for x, y, way in points:
        (top, below), (left, right) = locate_in_cells(grid.cells(y), height), locate_in_cells(grid.cells(x), width)
        cells[way, top : top + 2, left : left + 2] += np.outer((1 - below, below), (1 - right, right))[
            : height - top, : width - left
        ]
    return cells


def locate_in_cells(place: np.ndarray, cells: int) -> tuple[int, float]:
    """Return the cell at or before a place, and the share of the place that goes to the next cell."""
    at = min(max(float(place), 0.0), cells - 1)
    return int(at), at % 1


def compute_interpolation(places: np.ndarray, cells: int) -> np.ndarray:
    """Return the weight of each of `places` (P,) in each of so many cells of a line, (P, cells); rows sum to one."""
    inside = np.clip(places, 0, cells - 1)
    return np.maximum(1 - np.abs(inside[:, None] - np.arange(cells, dtype=np.float32)), 0)
