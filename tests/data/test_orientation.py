"""The one rule that turns pictures and their masks upright."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.orientation import TAG, Upright, read_orientation, turn, turn_upright

UPRIGHT = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
# Orientation -> the stored pixels of the picture UPRIGHT, by the words of the EXIF standard.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


def encode(pixels, orientation, kind="PNG"):
    exif = Image.Exif()
    exif[TAG] = orientation
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_pictures_and_arrays_are_turned_alike_and_upright(orientation, kind):
    with Image.open(BytesIO(encode(STORED[orientation], orientation, kind))) as picture:
        assert read_orientation(picture) == orientation
        turn_upright(picture)
        assert (np.asarray(picture) == UPRIGHT).all()
    assert (turn(STORED[orientation], orientation) == UPRIGHT).all()


@pytest.mark.parametrize("unknown", [0, 9, 65535])
def test_an_unknown_orientation_is_upright(unknown):
    with Image.open(BytesIO(encode(UPRIGHT, unknown))) as picture:
        assert read_orientation(picture) == 1


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("drawn", ["upright", "stored"])
def test_the_shape_of_a_mask_decides_where_it_can(orientation, drawn):
    stored = STORED[orientation][..., 0]
    assert (Upright((3, 2), orientation, drawn).turn_map(stored) == UPRIGHT[..., 0]).all()
    assert (Upright((3, 2), orientation, drawn).turn_map(UPRIGHT[..., 0]) == UPRIGHT[..., 0]).all()


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_the_key_decides_where_the_shape_cannot(orientation):
    mask = STORED[orientation][..., 0]
    assert (Upright((3, 2), orientation, "stored").turn_map(mask) == UPRIGHT[..., 0]).all()
    assert (Upright((3, 2), orientation, "upright").turn_map(mask) == mask).all()


def test_the_key_decides_for_a_square():
    mask = np.arange(4).reshape(2, 2)
    assert (Upright((2, 2), 6, "stored").turn_map(mask) == np.rot90(mask, -1)).all()
    assert (Upright((2, 2), 6, "upright").turn_map(mask) == mask).all()


def test_a_mask_of_another_shape_is_left_to_the_check_of_sizes():
    assert Upright((3, 2), 6, "stored").turn_map(np.zeros((5, 7))).shape == (5, 7)
