"""Grids: the places of a map's cells in the picture, for moving maps along the optical flow."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pixelwise.errors import ModelError

# Keys in an exported clockwork's metadata: GRIDS holds the grid of each stream, and of the fused scores as SCORES.
GRIDS = "grids"
SCORES = "scores"


class Grid(NamedTuple):
    """Cell i of a map is centred on pixel start + i·step of the picture, in rows and columns.

    trimmed: the number of cells that layers without padding removed, compared with the size by the next finer map.
    """

    step: float
    start: float
    trimmed: int = 0

    def pixels(self, cells: np.ndarray) -> np.ndarray:
        """Convert positions in the map, in cells, to positions in the picture, in pixels."""
        return self.start + self.step * cells

    def cells(self, pixels: np.ndarray) -> np.ndarray:
        """Convert positions in the picture, in pixels, to positions in the map, in cells."""
        return (pixels - self.start) / self.step

    def below(self, finer: "Grid", side: int) -> int:
        """Return the cells along a side of this map if the next finer map has `side` cells."""
        return -(-side // round(self.step / finer.step)) - self.trimmed


def read_grids(metadata: Mapping[str, str], source: str) -> dict[str, Grid]:
    """Return the grids in a graph's metadata. Raises ModelError naming `source` if they are missing."""
    if GRIDS not in metadata:
        raise ModelError(f"{source}: says no {GRIDS} of its maps, expected a clockwork exported by this version")
    return {name: Grid(*values) for name, values in json.loads(metadata[GRIDS]).items()}
