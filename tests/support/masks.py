"""Masks of three classes in the ways that tools store them."""

from io import BytesIO

import numpy as np
from PIL import Image

from support.image_sets import mask

LABEL = np.array(mask(0, 3))
COLOURS = np.array([[128, 64, 128], [70, 130, 180], [220, 20, 60]], np.uint8)


def with_palette(values: np.ndarray, colours: np.ndarray) -> Image.Image:
    """A picture of indices (H, W) and the colours (K, 3) of its palette."""
    picture = Image.fromarray(values)
    picture.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    return picture


def jpeg(picture: Image.Image) -> bytes:
    """`picture` as JPEG bytes."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
