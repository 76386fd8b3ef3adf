"""Pictures and masks that a person gives, upright and checked."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pixelwise.data.decoding import MAX_PIXELS, decode_usable_image
from pixelwise.data.image_codec import convert_to_rgb
from pixelwise.errors import DataError


def read_picture(path: Path) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB, upright as its EXIF orientation says.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> pixelwise.read_picture(Path("disc.png")).shape
    (80, 120, 3)

    Raises DataError where it cannot be used.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from None
    return picture_of(content, str(path))


def picture_of(content: bytes, name: str) -> np.ndarray:
    """The picture in `content`, as `read_picture` gives that of a file; `name` is what errors call it."""
    try:
        return convert_to_rgb(ImageOps.exif_transpose(decode_usable_image(content, MAX_PIXELS)))
    except Exception as error:
        # Damaged EXIF data too makes Pillow raise unrelated types, and one bad file must not end the others.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: {reason}") from None


def read_mask(path: Path) -> np.ndarray:
    """The classes (H, W) uint8 of a PNG with a palette, or of grey values; black and white are classes 0 and 1.

    Raises DataError where it cannot be read or has colours.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("1", "L", "P"):
                raise DataError(f"{path}: found mode {picture.mode}, expected a mask of one channel")
            values = np.asarray(picture).astype(np.uint8)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or 'no picture'}, expected a mask") from None
    # Drawing programs save an object as white on black.
    is_white_on_black = set(np.unique(values).tolist()) == {0, 255}
    return np.asarray(values > 0, np.uint8) if is_white_on_black else values
