"""Clicks on one object as the click net sees them: disks on two planes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Radius of a click in pixels of the net's input.
RADIUS = 5


class ObjectClick(NamedTuple):
    """A click on pixel (x, y): on the object, or on what is not."""

    x: int
    y: int
    is_object: bool


def draw_disks(clicks: Sequence[ObjectClick], height: int, width: int) -> np.ndarray:
    """Return two planes (2, height, width) uint8, 1 in the disks around clicks: on other things, and on the object."""
    planes = np.zeros((2, height, width), np.uint8)
    for click in clicks:
        fill_disk(planes[int(click.is_object)], click.x, click.y, RADIUS, 1)
    return planes


def fill_disk(plane: np.ndarray, x: int, y: int, radius: int, value: float) -> None:
    """Set the pixels of `plane` (H, W) within `radius` of (x, y), which may lie outside, to `value`."""
    top, left = max(y - radius, 0), max(x - radius, 0)
    part = plane[top : max(y + radius + 1, 0), left : max(x + radius + 1, 0)]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    part[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = value
