"""Read pictures that a user provides, upright and checked."""

from pathlib import Path

import numpy as np

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
    return picture_of(read_content(path), str(path))


def read_content(path: Path) -> bytes:
    """Read the bytes of a file. Raises DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from None


def picture_of(content: bytes, name: str) -> np.ndarray:
    """Decode the picture in `content` as `read_picture` does for a file. name: the picture's name in errors."""
    try:
        return convert_to_rgb(decode_usable_image(content, LARGEST))
    except Exception as error:
        # Pillow raises unrelated types also on damaged EXIF data, and one bad file must not stop the others.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: {reason}") from None
