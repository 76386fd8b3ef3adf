"""A data set before ingest: its classes, and items whose files are still encoded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pixelwise.data.notes import Notes
from pixelwise.data.orientation import Drawn

VOID = 255
# Stands for void among more classes than 8 bits hold, until `ingest.classes` merges them.
DEEP_VOID = 65535
Colour = tuple[int, int, int]
# The manifest stores integers with 64 bits.
LAST_FRAME = 2**63 - 1


@dataclass(frozen=True)
class Classes:
    """The classes of a label: value i has the name `names[i]` and the colour `palette[i]` (RGB, 0–255); 255 is void."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.palette):
            raise ValueError(f"{len(self.names)} class names but {len(self.palette)} colours")

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class MapFile:
    """A map whose file needs more than decoding a picture.

    field: the array's name in a MATLAB file, "" for a picture. convert: maps stored values (H, W) to the map's values;
    it raises DataError with what was found and expected. is_lossy: allows JPEG, for a data set that publishes only
    JPEG masks and whose `convert` corrects them.
    """

    path: Path
    field: str = ""
    convert: Callable[[np.ndarray], np.ndarray] | None = None
    is_lossy: bool = False


@dataclass(frozen=True)
class ImagePart:
    """An image that is a part of its file, for example a crop or a video frame. `read` returns an encoded picture.

    `read` raises DataError with what was found and expected, or OSError if the file is missing or unreadable.
    """

    path: Path
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Unlabelled:
    """The label of a frame that has no annotation and belongs to a clip; it is read as all void.

    A label that should exist but is missing is None instead.
    """


UNLABELLED = Unlabelled()


@dataclass(frozen=True)
class PaintedMap:
    """A map that is painted from annotations. path: their file.

    `paint` returns the map (H, W) for a picture of a width and height, which are those of the picture upright, or that
    of the size that its file gives. It raises DataError with what was found and expected.
    """

    path: Path
    paint: Callable[[tuple[int, int]], np.ndarray]


Map = Path | bytes | MapFile | PaintedMap


@dataclass(frozen=True)
class MapRows:
    """A map without a file: a list of numbers for each row, as a column of a table holds it."""

    rows: list[Any]


@dataclass(frozen=True)
class Item:
    """One labelled picture, still encoded: a path, or bytes if it is generated.

    `id` is unique in the data set. `clip` is "" for a still; `frame` orders a clip's items. `label` holds raw values,
    which `RawData.label_values` maps to classes. `layers` are additional maps, the same in all items of a data set:
    "instance" (uint16), "depth" (uint16, centimetres, 0 where unknown), "geometry" (uint8: sky, horizontal, vertical,
    255), "hha" (uint8, three channels).
    """

    id: str
    split: str
    image: Path | bytes | ImagePart
    label: Map | MapRows | Unlabelled | None
    clip: str = ""
    frame: int = 0
    layers: Mapping[str, Map] = field(default_factory=dict)


class Items(Protocol):
    """Items whose number is known before they are read or generated, so that ingest can show its progress."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


@dataclass(frozen=True)
class MaskRule:
    """How the masks of a data set are read: decided once for all of its files, never file by file.

    colours: colour (R, G, B) -> class or 255; empty where the values of one channel are the classes. Pixels of other
    colours become 255 up to a share `max_off_share` of a mask, and the mask is added to `notes`; above it the mask is
    unusable. threshold: the value from which a soft-edged mask of one object is 255, and below which it is 0; None
    where values count as they are.
    """

    colours: Mapping[Colour, int] = field(default_factory=dict)
    max_off_share: float = 0.01
    notes: Notes = field(default_factory=Notes)
    threshold: int | None = None


@dataclass(frozen=True)
class RawData:
    """A data set as a reader returns it.

    label_values: raw label value -> class or 255; other values are errors. notes: what the reader decided by itself,
    complete once all items are read. masks: how mask files become label values. drawn: whether maps were drawn on the
    upright or on the stored picture, where their shape cannot tell.
    """

    name: str
    classes: Classes
    items: Items
    label_values: Mapping[int, int]
    notes: Notes = field(default_factory=Notes)
    masks: MaskRule = field(default_factory=MaskRule)
    drawn: Drawn = "upright"


def choose_void_value(classes: int) -> int:
    """The value of void in label values of so many classes."""
    return VOID if classes <= VOID else DEEP_VOID


def parse_frame_number(digits: str) -> int:
    """Parse the frame number in the `digits` of a file name; 0 if it does not fit in the manifest's 64 bits."""
    return frame if (frame := int(digits)) <= LAST_FRAME else 0


def make_bit_palette(classes: int) -> tuple[tuple[int, int, int], ...]:
    """PASCAL VOC's palette: three index bits at a time, low to high, set a bit of red, green and blue, high to low."""

    def channel(index: int, first: int) -> int:
        return sum((index >> (3 * bit + first) & 1) << (7 - bit) for bit in range(8))

    return tuple((channel(index, 0), channel(index, 1), channel(index, 2)) for index in range(classes))
