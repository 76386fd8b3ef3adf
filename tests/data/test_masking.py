"""What each masking of table 2.8 leaves of a picture."""

import numpy as np
import pytest

from pixelwise.data.masking import MEAN_COLOUR, mask_image

# Classes 1 and 2 are foreground; class 3, though no class 0, is background.
FOREGROUND = np.array([False, True, True, False])
LABEL = np.array([[0, 1, 255], [3, 2, 0]], np.uint8)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    ("what", "hidden"),
    [
        ("foreground", [[False, True, True], [False, True, False]]),
        ("background", [[True, False, True], [True, False, True]]),
    ],
)
def test_what_is_hidden_and_void_become_the_mean_colour_and_all_else_stays(what, hidden):
    masked = mask_image(IMAGE, LABEL, what, FOREGROUND)
    assert (masked[np.array(hidden)] == MEAN_COLOUR).all()
    assert (masked[~np.array(hidden)] == IMAGE[~np.array(hidden)]).all()
    assert masked.dtype == np.uint8


def test_none_hides_nothing():
    assert (mask_image(IMAGE, LABEL, "none", FOREGROUND) == IMAGE).all()


def test_shape_shows_the_foreground_white_on_black_and_nothing_of_the_picture():
    shape = mask_image(IMAGE, LABEL, "shape", FOREGROUND)
    expected = np.array([[0, 255, 0], [0, 255, 0]], np.uint8)
    assert (shape == expected[..., np.newaxis]).all()
    assert shape.shape == IMAGE.shape
    assert shape.dtype == np.uint8


def test_hidden_foreground_and_hidden_background_share_no_visible_pixel_and_show_all_but_void():
    rng = np.random.default_rng(0)
    label = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (20, 30))
    image = rng.integers(0, 100, (20, 30, 3), dtype=np.uint8)  # never the fill
    background = (mask_image(image, label, "foreground", FOREGROUND, (200, 200, 200)) == image).all(axis=-1)
    foreground = (mask_image(image, label, "background", FOREGROUND, (200, 200, 200)) == image).all(axis=-1)
    assert not (background & foreground).any()
    assert ((background | foreground) == (label != 255)).all()


@pytest.mark.parametrize("what", ["none", "foreground", "background", "shape"])
def test_the_picture_that_was_given_stays_as_it_was(what):
    image = IMAGE.copy()
    mask_image(image, LABEL, what, FOREGROUND)
    assert (image == IMAGE).all()


def test_a_hidden_foreground_looks_alike_whatever_it_was():
    other = np.where((FOREGROUND[LABEL % 4] | (LABEL == 255))[..., np.newaxis], 255 - IMAGE, IMAGE)
    hidden = [mask_image(image, LABEL, "foreground", FOREGROUND) for image in (IMAGE, other)]
    assert (other != IMAGE).any()
    assert (hidden[0] == hidden[1]).all()
