"""Clicks (a pixel and its class) as maps on a grid of cells."""

from collections.abc import Sequence

import numpy as np

from pixelwise.families.guided.runtime.annotations import Grid

# Distance from a click, in cells, at which nearness falls to e^-0.5.
REACH = 4.0


def make_hint(points: Sequence[Sequence[tuple[int, int]]], grid: Grid) -> np.ndarray:
    """Return the hint (K, 2, h, w) of clicks on a picture: no previous mask (zeros), and the nearness of clicks.

    points: clicks (x, y) of each class.
    """
    near = np.stack([compute_nearness(of_class, grid) for of_class in points])
    return np.stack([np.zeros_like(near), near], axis=1)


def compute_nearness(points: Sequence[tuple[int, int]], grid: Grid) -> np.ndarray:
    """Return the nearness (h, w) float32 in 0–1 of each cell to the nearest of `points` (x, y), in pixels."""
    if not len(points):
        return np.zeros((grid.height, grid.width), np.float32)
    x, y = grid.cells(np.asarray(points)).T
    # Squares by row and by column first: only the sum and the minimum then take h · w · points operations.
    rows = (np.arange(grid.height, dtype=np.float32)[:, None] - y) ** 2
    columns = (np.arange(grid.width, dtype=np.float32)[:, None] - x) ** 2
    distance = (rows[:, None] + columns[None]).min(axis=2)
    return np.exp(-distance / (2 * REACH**2)).astype(np.float32)
