"""Read pictures that a user provides, upright and checked."""

from pathlib import Path

import numpy as np

from pixelwise.data.decoding import decode_usable_image
from pixelwise.data.deep_pictures import REDUCED
from pixelwise.data.image_codec import convert_to_rgb
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

# Pixels of the largest picture that is predicted: above a phone's 200 megapixels. It takes about 10 bytes of memory a
# pixel, decoded and with its results.
LARGEST = 250_000_000


def read_picture(path: Path, notes: Notes | None = None) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, rotated upright by its EXIF orientation.

    notes: gets what was done to a picture of 16 bits a channel or of more than three channels.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> pixelwise.read_picture(Path("disc.png")).shape
    (80, 120, 3)

    Raises DataError if the picture cannot be used.
    """
    return decode_picture(read_content(path), str(path), notes)


def read_content(path: Path) -> bytes:
    """Read the bytes of a file. Raises DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from None


def decode_picture(content: bytes, name: str, notes: Notes | None = None) -> np.ndarray:
    """Decode the picture in `content` as `read_picture` does for a file. name: the picture's name in errors."""
    try:
        picture = decode_usable_image(content, LARGEST)
        if notes is not None and REDUCED in picture.info:
            notes.add(picture.info[REDUCED], name)
        return convert_to_rgb(picture)
    except Exception as error:
        # Pillow raises unrelated types also on damaged EXIF data, and one bad file must not stop the others.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: {reason}") from None
