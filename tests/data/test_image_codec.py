"""The picture formats that Pillow opens in this installation."""

import io

import numpy as np
import pytest
from PIL import Image
from support.image_sets import noise

from pixelwise.data.decoding import decode_usable_image
from pixelwise.data.image_codec import SUFFIXES_OF
from pixelwise.data.walk import walk

# Fills Image.SAVE. Of HEIF, pi-heif has no encoder.
Image.init()
SMOOTH = Image.fromarray(np.asarray(noise(0, (6, 8))).repeat(8, axis=0).repeat(8, axis=1))


@pytest.mark.parametrize("kind", [kind for kind in SUFFIXES_OF if kind in Image.SAVE])
def test_a_picture_of_every_format_is_found_and_decoded(kind, tmp_path):
    file = tmp_path / f"a{SUFFIXES_OF[kind][0]}"
    buffer = io.BytesIO()
    SMOOTH.save(buffer, kind, quality=95)
    file.write_bytes(buffer.getvalue())
    assert walk(tmp_path).files == (file,)
    found = decode_usable_image(file.read_bytes(), 10**6).convert("RGB")
    assert np.abs(np.asarray(found, int) - np.asarray(SMOOTH, int)).mean() < 12
