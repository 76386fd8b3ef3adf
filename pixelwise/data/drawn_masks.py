"""Read masks that a person drew on pictures: 0 is background, 1, 2, … are classes, 255 is unknown."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from pixelwise.data.decoding import MAX_PIXELS, decode
from pixelwise.data.given import read_content
from pixelwise.data.image_codec import open_image
from pixelwise.data.items import VOID, MaskRule
from pixelwise.data.mask_file import read_mask
from pixelwise.data.mask_survey import (
    THRESHOLD,
    Tones,
    find_tones,
    have_one_order,
    read_palettes,
    require_equal_palettes,
)
from pixelwise.data.notes import Notes
from pixelwise.data.orientation import Upright, read_orientation
from pixelwise.errors import DataError

# A mask with more is a picture, or has soft edges.
MOST_CLASSES = 32
EXPECTED = "expected 0 for background, 1, 2, … for classes and 255 for unknown, or one object white on black"

Key = TypeVar("Key")


class Drawn(NamedTuple):
    """A mask: its name in messages, its content, and the content of the picture that it was drawn on."""

    name: str
    content: bytes
    picture: bytes


def read_masks(files: Mapping[Path, Path], notes: Notes) -> dict[Path, np.ndarray]:
    """Read the masks of pictures as `decode_masks` does. files: picture -> mask. Raises DataError."""
    drawn = {picture: Drawn(str(mask), read_content(mask), read_content(picture)) for picture, mask in files.items()}
    return decode_masks(drawn, notes)


def decode_masks(drawn: Mapping[Key, Drawn], notes: Notes) -> dict[Key, np.ndarray]:
    """Decode masks by picture as classes (H, W) uint8, upright; note what white or 255 was taken for.

    All masks are read by one rule: where they are black and white, white is class 1. Raises DataError naming the mask
    that cannot be read or has values between the classes.
    """
    masks = [(mask.name, mask.content) for mask in drawn.values()]
    if not have_one_order(read_palettes(masks)):
        require_equal_palettes(masks, "expected one palette")
    tones = find_tones(masks)
    found = {picture: decode_one(mask, tones) for picture, mask in drawn.items()}
    if tones:
        cut = f", cut at {THRESHOLD} because of soft edges" if tones.is_soft else ""
        notes.add(f"masks are black and white{cut}: {tones.white} is the object")
    elif any((values == VOID).any() for values in found.values()):
        notes.add("value 255 in masks is unknown")
    require_classes({drawn[picture].name: values for picture, values in found.items()})
    return {
        picture: find_upright(drawn[picture].picture).turn_map(values.astype(np.uint8))
        for picture, values in found.items()
    }


def decode_one(mask: Drawn, tones: Tones | None) -> np.ndarray:
    """Decode the values of one mask; white is 1 where there are `tones`. Raises DataError naming the mask."""
    rule = MaskRule(threshold=THRESHOLD if tones and tones.is_soft else None)
    try:
        values = read_mask(mask.content, decode(mask.content, MAX_PIXELS), rule)
    except DataError as error:
        raise DataError(f"{mask.name}: {error}") from None
    return (values > 0).astype(np.uint8) if tones else values


def require_classes(found: Mapping[str, np.ndarray]) -> None:
    """Raise DataError if the classes of all masks together leave out a number: their values are no classes then."""
    values = {name: set(np.unique(mask).tolist()) for name, mask in found.items()}
    classes = set().union(*values.values()) - {VOID}
    for name in found:
        wrong = [value for value in values[name] - {VOID} if value > MOST_CLASSES or not {*range(1, value)} <= classes]
        if wrong:
            raise DataError(f"{name}: found {min(wrong)} among {len(values[name])} values, {EXPECTED}")


def find_upright(picture: bytes) -> Upright:
    """How maps drawn on a picture are turned upright."""
    return Upright(decode(picture, MAX_PIXELS).size, read_orientation(open_image(picture)))
