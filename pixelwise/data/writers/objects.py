"""The objects of a label map: the connected areas of each class."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixelwise.data.class_tables import BACKGROUND


class Area(NamedTuple):
    """A connected area of one class: `mask` (h, w) bool, whose top left pixel is the map's pixel (left, top)."""

    value: int
    left: int
    top: int
    mask: np.ndarray


def find_areas(label: np.ndarray, names: Sequence[str]) -> Iterator[Area]:
    """Find the areas of the label (H, W) uint8, class by class; pixels are connected by their sides.

    names: of all classes. Areas of classes that `list_objects` leaves out, and of values without a name, are left out.
    """
    counts = np.bincount(label.ravel(), minlength=len(names))
    for value in list_objects(names):
        if counts[value]:
            for left, top, mask in find_components(label == value):
                yield Area(value, left, top, mask)


def list_objects(names: Sequence[str]) -> dict[int, str]:
    """List the classes whose areas are objects, value -> name: all but a first class called background."""
    return {value: name for value, name in enumerate(names) if value or name != BACKGROUND}


def find_components(mask: np.ndarray, by_corners: bool = False) -> Iterator[tuple[int, int, np.ndarray]]:
    """Find the areas of `mask` (H, W) that are connected by the sides of pixels, or also `by_corners`.

    Each is its left, top and own mask (h, w); they come in the order of their first pixels.
    """
    import cv2

    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8 if by_corners else 4
    )
    for number in range(1, count):
        left, top, width, height = boxes[number, :4].tolist()
        yield left, top, numbers[top : top + height, left : left + width] == number


def name_picture(name: Path, source: Path) -> str:
    """The path by which a file of annotations names the picture `source`: that of its results, `name`, and a suffix."""
    # Results of pictures that differ in suffix alone keep it.
    return name.as_posix() if name.suffix == source.suffix else f"{name.as_posix()}{source.suffix}"
