"""Annotations as labelling tools write them: one small model, into which every format of such tools is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.items import ImagePart


@dataclass(frozen=True, slots=True)
class Polygons:
    """An area between outlines: inside one of `rings` and inside none of `holes`.

    A ring is [x0, y0, x1, y1, …] or [[x0, y0], …], in pixels, or in fractions of width and height if `is_relative`.
    Without a ring the shape has no area, as a point or a line.
    """

    rings: Sequence[Any]
    holes: Sequence[Any] = ()
    is_relative: bool = False


@dataclass(frozen=True, slots=True)
class RunLengths:
    """COCO's run lengths of a whole picture, column by column. size: (height, width). counts: a list, or packed."""

    size: Any
    counts: Any


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A mask whose top left pixel is the picture's pixel (left, top).

    `read` decodes the mask (h, w) bool. It raises DataError with what was found and expected.
    """

    read: Callable[[], np.ndarray]
    left: int = 0
    top: int = 0


@dataclass(frozen=True, slots=True)
class Unusable:
    """A shape that cannot be painted, such as a box without a mask. reason: what was found and expected."""

    reason: str


Shape = Polygons | RunLengths | Bitmap | Unusable
NO_AREA = Polygons(())


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated object.

    id: its name in its file, for messages. name: its class. is_crowd: several objects that are not told apart, which
    become void. layer: objects of a higher layer cover those of a lower one. area: the area in pixels that its file
    gives, 0 where it gives none; it only serves to notice a shape that was lost.
    """

    id: str
    name: str
    shape: Shape
    is_crowd: bool = False
    layer: int = 0
    area: float = 0


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """One picture and its annotations.

    path: its relative path, unique in its data set: the picture's identity. split: "" where the format gives none.
    image: its file, or the part of a file; that of a faulty picture is not read. size: width and height on which the
    annotations were drawn, if their file gives it. source: the file of the annotations. fault: the reason why the
    picture cannot be used, "" if it can.
    """

    path: str
    split: str
    image: Path | ImagePart
    annotations: Sequence[Annotation]
    source: Path
    size: tuple[int, int] | None = None
    fault: str = ""


def read_size(width: Any, height: Any) -> tuple[int, int] | None:
    """The size that a file gives as numbers or texts; None where it gives none that a picture can have."""
    try:
        size = int(width), int(height)
    except (TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def make_box(left: float, top: float, width: float, height: float) -> Polygons:
    """Make the rectangle of a box."""
    right, bottom = left + width, top + height
    return Polygons([[left, top, right, top, right, bottom, left, bottom]])


def make_ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> Polygons:
    """Make the outline of an ellipse around (x, y), turned clockwise by `degrees`, with 64 corners."""
    turns, turned = np.linspace(0, 2 * np.pi, 64, endpoint=False), np.radians(degrees)
    along, across = radius_x * np.cos(turns), radius_y * np.sin(turns)
    xs = x + along * np.cos(turned) - across * np.sin(turned)
    ys = y + along * np.sin(turned) + across * np.cos(turned)
    return Polygons([np.stack([xs, ys], axis=1)])
