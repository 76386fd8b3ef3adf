"""Decode and encode pictures with Pillow."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features
from PIL.ImageFile import ImageFile

from pixelwise.data.orientation import turn_upright


def register_heif() -> bool:
    """Let Pillow open HEIF, a phone's .heic, if pi-heif or pillow-heif is installed; whether one is.

    They are no dependency: what they bundle is under the LGPL, and pillow-heif's encoder under the GPL.
    """
    try:
        from pi_heif import register_heif_opener
    except ImportError:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            return False
    register_heif_opener()
    return True


# Only these decoders read a data set's files. Pillow has many more, which are old and rarely tested.
SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    **({"AVIF": (".avif",)} if features.check("avif") else {}),
    **({"HEIF": (".heic", ".heif")} if register_heif() else {}),
}
FORMATS = tuple(SUFFIXES_OF)
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)

# Callers check the size before they decode; Pillow's own limit would refuse a scan of 180 megapixels.
Image.MAX_IMAGE_PIXELS = None


def open_image(content: bytes, formats: tuple[str, ...] = FORMATS) -> ImageFile:
    """Open the picture in `content`: read its header, not its pixels. Raises Pillow's errors."""
    return Image.open(BytesIO(content), formats=formats)


def decode_image(content: bytes) -> np.ndarray:
    """Decode to (H, W, 3) uint8 RGB, upright by the EXIF orientation."""
    picture = open_image(content)
    turn_upright(picture)
    return convert_to_rgb(picture)


def decode_map(content: bytes) -> np.ndarray:
    """Decode a map: (H, W) uint8, or uint16 for a 16-bit file; (H, W, 3) uint8 for three channels."""
    return np.array(open_image(content))


def convert_to_rgb(picture: Image.Image) -> np.ndarray:
    """Convert an open picture to (H, W, 3) uint8 RGB."""
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def encode_picture(picture: np.ndarray | Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    """Encode `picture` as a file of format `kind`.

    picture: a Pillow picture, (H, W) uint8 or uint16, or (H, W, 3) uint8. settings: options of Pillow's `save`.
    """
    file = BytesIO()
    whole = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    whole.save(file, kind, **settings)
    return file.getvalue()
