"""Decide once for all masks of a data set how they are read: by colour, by value, or as one object white on black."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.class_file import ClassFile, map_colours, map_label_values
from pixelwise.data.decoding import MAX_PIXELS, decode, shorten_path
from pixelwise.data.image_codec import open_image
from pixelwise.data.item_inspection import describe_legal_values
from pixelwise.data.items import VOID, Classes, Item, MaskRule, make_bit_palette
from pixelwise.data.mask_file import read_tones, take_channel
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

BACKGROUND = "background"
WHITE = 255
# A mask of one object with soft edges or JPEG noise: nearly all values are this near to black or white.
NEAR, NEAR_SHARE = 32, 0.9
THRESHOLD = 128
# Masks whose values are looked at.
SAMPLE = 200

Masks = Iterable[tuple[str, bytes]]


@dataclass(frozen=True)
class MaskFiles:
    """The masks of a data set as names and contents, which can be iterated again. Unreadable files are left out."""

    files: Sequence[Path]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for file in self.files:
            with suppress(OSError):
                yield shorten_path(file), file.read_bytes()


@dataclass(frozen=True)
class ItemMasks:
    """The masks of items that are files or bytes, as `MaskFiles` are."""

    items: Iterable[Item]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for item in self.items:
            if isinstance(item.label, bytes):
                yield item.id, item.label
            elif isinstance(item.label, Path):
                yield from MaskFiles([item.label])


@dataclass(frozen=True)
class MaskPlan:
    """How the masks of a data set are read, and the classes that follow."""

    classes: Classes
    label_values: dict[int, int]
    rule: MaskRule = field(default_factory=MaskRule)


def plan_masks(masks: Masks, described: ClassFile, file: Path, notes: Notes) -> MaskPlan:
    """Plan how `masks` are read, from the classes that `file` describes and the headers of all masks; note the result.

    Where colours are given and a mask is in colour, the colours decide. Otherwise values do; if there are one or two
    classes without values and all masks are black and white, white is the last class.
    Raises DataError if palettes of masks read by value differ, or values count from 1.
    """
    label_values = map_label_values(described, file)
    names = tuple(described.names)
    classes = Classes(names, tuple(described.colours) if described.colours else make_bit_palette(len(names)))
    palettes = read_palettes(masks)
    if described.colours and is_in_colour(palettes, has_values=described.values is not None):
        notes.add(f"masks are read by the colours in {file.name}")
        return MaskPlan(classes, list_identity_values(len(names)), MaskRule(map_colours(described, file)))
    if not have_one_order(palettes):
        require_equal_palettes(masks, f"expected one palette, or the colours of the classes in {file.name}")
    tones = find_tones(masks) if described.values is None and len(names) <= 2 else None
    if tones and (tones.white > 1 or len(names) == 1):
        return plan_object(classes, tones, notes)
    if described.values is None:
        require_from_zero(masks, len(names), file)
    notes.add(f"masks are read by value: {describe_legal_values(label_values)}")
    return MaskPlan(classes, label_values)


def list_identity_values(count: int) -> dict[int, int]:
    """The label values of `count` classes that are stored by number."""
    return {index: index for index in range(count)} | {VOID: VOID}


def read_palettes(masks: Masks) -> set[bytes | str]:
    """Read the palettes (RGB bytes) of all masks from their headers, and the modes of masks without one.

    Greys in order are no palette. A damaged file is left to be quarantined.
    """
    found: set[bytes | str] = set()
    for _, content in masks:
        # Pillow raises unrelated types on damaged files.
        with suppress(Exception):
            picture = open_image(content)
            found.add(read_palette(picture) or picture.mode)
    return found


def read_palette(picture: Image.Image) -> bytes:
    """Read the palette of a picture, three bytes a colour; empty where it has none, or greys in order."""
    if picture.mode not in ("P", "PA"):
        return b""
    colours = bytes(picture.getpalette("RGB") or [])
    greys = np.arange(len(colours) // 3, dtype=np.uint8).repeat(3).tobytes()
    return b"" if colours == greys else colours


def is_in_colour(palettes: Iterable[bytes | str], has_values: bool) -> bool:
    """Whether a mask is in colour. Where values are given, they are the indices of palettes."""
    return any(found in ("RGB", "RGBA") or (isinstance(found, bytes) and not has_values) for found in palettes)


def have_one_order(palettes: Iterable[bytes | str]) -> bool:
    """Whether all palettes begin alike. Some programs store no more colours than a mask has."""
    stored = [found for found in palettes if isinstance(found, bytes)]
    longest = max(stored, key=len, default=b"")
    return all(map(longest.startswith, stored))


def require_equal_palettes(masks: Masks, expected: str) -> None:
    """Raise DataError, with what was `expected`, if an index that masks use has two colours in two of them."""
    known: dict[int, tuple[list[int], str]] = {}
    for mask, index, colour in list_used_colours(masks):
        first, other = known.setdefault(index, (colour, mask))
        if first != colour:
            raise DataError(
                f"masks {other} and {mask}: index {index} is the colour {first} in one and {colour} in the other, "
                f"{expected}"
            )


def list_used_colours(masks: Masks) -> Iterator[tuple[str, int, list[int]]]:
    """List the indices that each mask with a palette uses, and their colours. Damaged masks are left out."""
    for mask, content in masks:
        with suppress(DataError):
            picture = decode(content, MAX_PIXELS)
            if palette := read_palette(picture):
                for index in np.unique(take_channel(content, picture)).tolist():
                    yield mask, index, list(palette[3 * index : 3 * index + 3])


def require_from_zero(masks: Masks, count: int, file: Path) -> None:
    """Raise DataError if the first masks have the value `count` and never 0: the classes are numbered from 1 then.

    Without this check, masks without the last class would be read as masks of other classes.
    """
    found: set[int] = set()
    for _, content in islice(masks, SAMPLE):
        with suppress(DataError):
            found |= set(np.unique(take_channel(content, decode(content, MAX_PIXELS))).tolist())
    if count in found and not found & {0, *range(count + 1, VOID)}:
        raise DataError(
            f"masks have the values 1 to {count} and never 0, expected 0 to {count - 1}, or `values` in {file.name}"
        )


@dataclass(frozen=True)
class Tones:
    """Masks of one object on black: the value that is white, and whether edges are soft."""

    white: int
    is_soft: bool


def find_tones(masks: Masks) -> Tones | None:
    """Find the tones of masks that are all black and white; None if a mask has other values, or none has white.

    White is 255, 65535 of 16 bits or 1. Masks whose values lie near to 0 and 255 are black and white with soft edges.
    """
    whites: set[int] = set()
    is_soft = False
    for _, content in masks:
        with suppress(DataError):
            tones = read_tones(content, decode(content, MAX_PIXELS))
            found = set(np.unique(tones).tolist())
            if len(found - {0}) > 1 or found & set(range(2, WHITE)):
                if not is_near_black_and_white(tones):
                    return None
                is_soft, found = True, {WHITE}
            whites |= found - {0}
    return Tones(whites.pop(), is_soft) if len(whites) == 1 else None


def is_near_black_and_white(tones: np.ndarray) -> bool:
    """Whether nearly all values are near to 0 or 255, and some between them, without which low ones are classes."""
    is_near = (tones < NEAR) | ((tones > WHITE - NEAR) & (tones <= WHITE))
    is_between = (tones >= NEAR) & (tones < WHITE)
    return bool(tones.max() > WHITE - NEAR and is_near.mean() >= NEAR_SHARE and is_between.any())


def plan_object(classes: Classes, tones: Tones, notes: Notes) -> MaskPlan:
    """Plan the masks of one object white on black; a single class gets a background beside it."""
    if len(classes) == 1:
        classes = Classes((BACKGROUND, *classes.names), make_bit_palette(2))
    black, white = classes.names
    softness = f", cut at {THRESHOLD} because of soft edges" if tones.is_soft else ""
    notes.add(f"masks are black and white{softness}: 0 is {black}, {tones.white} is {white}, not unlabelled")
    return MaskPlan(classes, {0: 0, tones.white: 1}, MaskRule(threshold=THRESHOLD if tones.is_soft else None))
