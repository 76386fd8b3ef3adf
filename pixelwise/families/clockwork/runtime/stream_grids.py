"""Where the cells of a net's maps lie in its picture: what moves with the picture has to know."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pixelwise.errors import ModelError

# In an exported clockwork's metadata: the grid of every stream and of the fused scores, by name.
GRIDS = "grids"
SCORES = "scores"


class Grid(NamedTuple):
    """Cell i of a map looks at pixel start + i·step of the picture, each way.

    trimmed: cells that a map has less than the next finer one makes, since layers without padding took them off.
    """

    step: float
    start: float
    trimmed: int = 0

    def pixels(self, cells: np.ndarray) -> np.ndarray:
        """The places in the picture, in pixels, of places in the map, in cells."""
        return self.start + self.step * cells

    def cells(self, pixels: np.ndarray) -> np.ndarray:
        """The places in the map, in cells, of places in the picture, in pixels."""
        return (pixels - self.start) / self.step

    def below(self, finer: "Grid", side: int) -> int:
        """Cells each way of this map, where the next finer one has `side`."""
        return -(-side // round(self.step / finer.step)) - self.trimmed


def read_grids(metadata: Mapping[str, str], source: str) -> dict[str, Grid]:
    """The grids that a graph's metadata names. Raises ModelError naming `source` where they are missing."""
    if GRIDS not in metadata:
        raise ModelError(f"{source}: says no {GRIDS} of its maps, expected a clockwork exported by this version")
    return {name: Grid(*values) for name, values in json.loads(metadata[GRIDS]).items()}
