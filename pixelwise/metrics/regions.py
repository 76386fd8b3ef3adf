"""Connected regions of a map: neighbours of equal value, with the size and the box of each."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.items import VOID

# Smaller regions are not described: they are edges of objects, drawn a few pixels off.
LEAST_PIXELS = 25


class Region(NamedTuple):
    """A connected region of a picture whose pixels have one `label` and one other `prediction`.

    place: index of the picture in its split. left, top, width, height: its box in pixels of the picture. confidence:
    mean probability of the prediction, 0 to 1. overlap: IoU of the two connected areas that it is the common part of,
    that of its label and that of its prediction; 1 where both have one outline.
    """

    place: int
    left: int
    top: int
    width: int
    height: int
    pixels: int
    label: int
    prediction: int
    confidence: float
    overlap: float


@dataclass(frozen=True)
class Regions:
    """R regions of a map. numbers: (H, W) int32, the number of each pixel's region from 1; 0 is in none.

    values, pixels: (R,) the value and the number of pixels of each. inside: (R,) the flat index of a pixel of each.
    """

    numbers: NDArray[np.int32]
    values: NDArray[np.int64]
    pixels: NDArray[np.int64]
    inside: NDArray[np.int64]

    def sum(self, weights: np.ndarray) -> NDArray[np.float64]:
        """(R,) the sum over each region of `weights` (H, W)."""
        return np.bincount(self.numbers.ravel(), weights.ravel(), len(self.pixels) + 1)[1:].astype(np.float64)

    def find_boxes(self) -> NDArray[np.int64]:
        """(R, 4) the box of each region: left, top, width and height."""
        places = np.nonzero(self.numbers)
        order = np.argsort(self.numbers[places], kind="stable")
        starts = np.cumsum(self.pixels) - self.pixels
        top, left = (np.minimum.reduceat(axis[order], starts) for axis in places)
        bottom, right = (np.maximum.reduceat(axis[order], starts) for axis in places)
        return np.stack([left, top, right - left + 1, bottom - top + 1], axis=1)


def find_regions(values: np.ndarray, inside: np.ndarray) -> Regions:
    """Find the regions of `values` (H, W) integers among the pixels `inside` (H, W) bool, connected by their sides."""
    import cv2

    # One pass for all values: every second node of the grid is a pixel, and the node between two neighbours is set
    # where both have one value.
    height, width = values.shape
    grid = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    grid[::2, ::2] = inside
    grid[::2, 1::2] = inside[:, 1:] & inside[:, :-1] & (values[:, 1:] == values[:, :-1])
    grid[1::2, ::2] = inside[1:] & inside[:-1] & (values[1:] == values[:-1])
    count, nodes = cv2.connectedComponents(grid, connectivity=4)
    numbers = np.ascontiguousarray(nodes[::2, ::2], np.int32)
    flat = numbers.ravel()
    place = np.zeros(count, np.int64)
    place[flat] = np.arange(flat.size)
    return Regions(
        numbers=numbers,
        values=values.ravel()[place[1:]].astype(np.int64),
        pixels=np.bincount(flat, minlength=count)[1:],
        inside=place[1:],
    )


def find_objects(label: np.ndarray) -> Regions:
    """Find the objects of `label` (H, W) uint8: the connected areas of its classes, void left out."""
    return find_regions(label, label != VOID)


def describe_regions(
    place: int,
    label: np.ndarray,
    prediction: np.ndarray,
    inside: np.ndarray,
    confidence: np.ndarray | None,
    objects: Regions,
) -> list[Region]:
    """Describe the regions of one label and one prediction `inside` (H, W) bool that have LEAST_PIXELS pixels or more.

    place: index of the picture. label, prediction: (H, W) uint8. confidence: (H, W), None for 1. objects: of `label`.
    """
    found = find_regions(label.astype(np.uint16) << 8 | prediction, inside)
    sure = found.pixels if confidence is None else found.sum(confidence)
    seen = find_regions(prediction, np.ones(prediction.shape, bool))
    areas = [each.pixels[each.numbers.ravel()[found.inside] - 1] for each in (objects, seen)]
    union = sum(areas) - found.pixels
    boxes = found.find_boxes()
    return [
        Region(
            place=place,
            **dict(zip(("left", "top", "width", "height"), boxes[index].tolist(), strict=True)),
            pixels=int(found.pixels[index]),
            label=int(found.values[index]) >> 8,
            prediction=int(found.values[index]) & 255,
            confidence=float(sure[index] / found.pixels[index]),
            overlap=float(found.pixels[index] / union[index]),
        )
        for index in np.flatnonzero(found.pixels >= LEAST_PIXELS)
    ]
