"""A data set before ingest: its classes, and items whose files are still encoded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

VOID = 255
# The manifest's numbers have 64 bits.
LAST_FRAME = 2**63 - 1


@dataclass(frozen=True)
class Classes:
    """What the values of a label mean: value i is `names[i]`, drawn as `palette[i]` (RGB, 0–255); 255 is void."""

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

    `field` names the array of a MATLAB file, "" of a picture. `convert` turns stored values (H, W) into those that the
    map has here; it raises DataError, saying what was found and expected. `is_lossy` allows a JPEG, of a data set that
    publishes no better and whose `convert` sets things right.
    """

    path: Path
    field: str = ""
    convert: Callable[[np.ndarray], np.ndarray] | None = None
    is_lossy: bool = False


@dataclass(frozen=True)
class ImagePart:
    """An image that is a part of its file, as a crop or a frame of a video: `read` gives it as a picture's bytes.

    It raises DataError, saying what was found and expected, or OSError where the file is missing or unreadable.
    """

    path: Path
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Unlabelled:
    """The label of a frame without annotation, which is in the data only as a part of its clip; read as all void.

    A label that should exist but is missing is None instead.
    """


UNLABELLED = Unlabelled()


Map = Path | bytes | MapFile


@dataclass(frozen=True)
class MapRows:
    """A map in no file of its own: a list of numbers for each of its rows, as a table holds it."""

    rows: list[Any]


@dataclass(frozen=True)
class Item:
    """One labelled picture, encoded as its data set holds it: a path, or the bytes where it is generated.

    `id` is unique in the data set. `clip` is "" for a still; `frame` orders a clip's items. `label` holds raw values,
    which `RawData.label_values` turns into classes. `layers` are further maps, the same in all items of a data set:
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
    """Items that are counted before they are read or generated, so that ingest can show its progress."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


@dataclass(frozen=True)
class RawData:
    """A data set as a reader finds it. `label_values`: raw label value -> class or 255; any other value is an error."""

    name: str
    classes: Classes
    items: Items
    label_values: Mapping[int, int]


def frame_number(digits: str) -> int:
    """The frame that the `digits` of a file name stand for; 0 where they are too many to be a number of one."""
    return frame if (frame := int(digits)) <= LAST_FRAME else 0


def bit_palette(classes: int) -> tuple[tuple[int, int, int], ...]:
    """PASCAL VOC's colours: the bits of the class index, three at a time, from the high bits of red, green and blue."""

    def channel(index: int, first: int) -> int:
        return sum((index >> (3 * bit + first) & 1) << (7 - bit) for bit in range(8))

    return tuple((channel(index, 0), channel(index, 1), channel(index, 2)) for index in range(classes))
