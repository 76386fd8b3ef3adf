"""How a picture looks, as numbers whose distance tells how different two pictures are. No net is needed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.validation.class_looks import measure_texture

# Cells along each side of a picture whose mean colour and texture are kept, and pixels along each side of a cell.
CELLS, CELL_SIDE = 4, 16


class Looks(NamedTuple):
    """colours: (4 · CELLS²,) brightness, two colour differences and texture of each cell. classes: (K,) shares."""

    colours: np.ndarray
    classes: np.ndarray


def measure_looks(image: np.ndarray, label: np.ndarray, classes: int) -> Looks:
    """Measure a picture (H, W, 3) uint8 with its label (H, W) uint8, of `classes` classes; other values are void."""
    side = CELLS * CELL_SIDE
    small = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX), np.float64)
    red, green, blue = np.moveaxis(small, 2, 0)
    grey = small.mean(axis=2)
    maps = np.stack([grey, red - green, green - blue, 32 * measure_texture(grey)])
    cells = maps.reshape(len(maps), CELLS, CELL_SIDE, CELLS, CELL_SIDE).mean(axis=(2, 4))
    counts = np.bincount(label.ravel(), minlength=classes)[:classes]
    # Square roots, so that a rare class that appears counts more than a common one that grows as much.
    return Looks(cells.ravel(), np.sqrt(counts / max(1, counts.sum())))


def place(looks: Sequence[Looks]) -> np.ndarray:
    """Place pictures in one space, (N, D) float64: on average, colours and classes separate two of them equally far."""
    groups = [np.stack(values) for values in zip(*looks, strict=True)]
    return np.concatenate([normalise(group) for group in groups], axis=1)


def normalise(values: np.ndarray) -> np.ndarray:
    """Scale vectors (N, D) so that the sum of their variances is 1; vectors that are all equal become 0."""
    centred = values - values.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=1).mean())
    return centred / spread if spread > 1e-9 else np.zeros_like(centred)
