"""Encoded pictures to arrays and back, with Pillow."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

# Only these decoders face a data set's files: Pillow has many more, old and seldom tested.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def open_image(content: bytes, formats: tuple[str, ...] = FORMATS) -> ImageFile:
    """The picture in `content` with its header read and its pixels not. Raises what Pillow raises."""
    return Image.open(BytesIO(content), formats=formats)


def decode_image(content: bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB, as stored: an EXIF rotation is not applied, because a label map has none."""
    return convert_to_rgb(open_image(content))


def decode_map(content: bytes) -> np.ndarray:
    """A map's values: (H, W) uint8, or uint16 where the file has 16 bits; (H, W, 3) uint8 of three channels."""
    return np.array(open_image(content))


def convert_to_rgb(picture: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 of an open picture."""
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def encode_picture(picture: np.ndarray | Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    """`picture`, of Pillow or (H, W) uint8 or uint16 or (H, W, 3) uint8, as a file of `kind`. settings: Pillow's."""
    file = BytesIO()
    whole = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    whole.save(file, kind, **settings)
    return file.getvalue()
