"""Read pictures and masks that a user provides, upright and checked."""

from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.decoding import decode_usable_image
from pixelwise.data.image_codec import convert_to_rgb
from pixelwise.errors import DataError

# Pixels of the largest picture that is predicted: above a phone's 200 megapixels. It takes about 10 bytes of memory a
# pixel, decoded and with its results.
LARGEST = 250_000_000


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, rotated upright by its EXIF orientation.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> pixelwise.read_picture(Path("disc.png")).shape
    (80, 120, 3)

    Raises DataError if the picture cannot be used.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from None
    return picture_of(content, str(path))


def picture_of(content: bytes, name: str) -> np.ndarray:
    """Decode the picture in `content` as `read_picture` does for a file. name: the picture's name in errors."""
    try:
        return convert_to_rgb(decode_usable_image(content, LARGEST))
    except Exception as error:
        # Pillow raises unrelated types also on damaged EXIF data, and one bad file must not stop the others.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: {reason}") from None


def read_mask(path: Path) -> np.ndarray:
    """Read a palette or grey picture as classes (H, W) uint8; a mask of only black and white has classes 0 and 1.

    Raises DataError if the file cannot be read or has more than one channel.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("1", "L", "P"):
                raise DataError(f"{path}: found mode {picture.mode}, expected a mask of one channel")
            values = np.asarray(picture).astype(np.uint8)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or 'no picture'}, expected a mask") from None
    # Drawing programs save an object's mask as white (255) on black.
    is_white_on_black = set(np.unique(values).tolist()) == {0, 255}
    return np.asarray(values > 0, np.uint8) if is_white_on_black else values
