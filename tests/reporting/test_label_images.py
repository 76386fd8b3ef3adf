"""Label maps as pictures."""

from io import BytesIO

import numpy as np
from PIL import Image

from pixelwise.reporting.label_images import (
    VOID_COLOUR,
    WRONG_COLOUR,
    colourise,
    draw_error_map,
    draw_legend,
    encode_label,
    find_boundaries,
    overlay,
)
from pixelwise.reporting.prediction_grid import GridRow, draw_grid

PALETTE = ((0, 0, 0), (10, 200, 30))
LABEL = np.array([[0, 1, 1], [0, 1, 255]], np.uint8)


def test_colours_are_the_palettes_and_void_has_its_own_even_where_a_class_is_black():
    colours = colourise(LABEL, PALETTE)
    assert colours[0].tolist() == [[0, 0, 0], [10, 200, 30], [10, 200, 30]]
    assert tuple(colours[1, 2]) == VOID_COLOUR != (0, 0, 0)


def test_an_encoded_label_map_reads_back_as_class_indices():
    with Image.open(BytesIO(encode_label(LABEL, PALETTE))) as picture:
        assert picture.mode == "P"
        assert (np.array(picture) == LABEL).all()


def test_an_overlay_of_strength_zero_is_the_image_but_for_the_boundaries():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    prediction = np.zeros((6, 8), np.uint8)
    prediction[:, 4:] = 1
    same = (overlay(image, prediction, PALETTE, alpha=0) == image).all(axis=2)
    assert (same | find_boundaries(prediction)).all()
    assert find_boundaries(prediction).sum() == 6


def test_the_error_map_marks_wrong_pixels_and_void_and_nothing_else():
    image = np.full((2, 3, 3), 100, np.uint8)
    picture = draw_error_map(image, LABEL, np.array([[0, 0, 1], [1, 1, 0]], np.uint8))
    wrong = (picture == WRONG_COLOUR).all(axis=2)
    assert wrong.tolist() == [[False, True, False], [True, False, False]]
    assert tuple(picture[1, 2]) == VOID_COLOUR


def test_a_legend_takes_as_many_lines_as_its_width_needs():
    entries = [(f"class {index}", (index, 0, 0)) for index in range(12)]
    wide, narrow = draw_legend(entries, 2000), draw_legend(entries, 160)
    assert wide.shape[1] == 2000
    assert narrow.shape[1] == 160
    assert narrow.shape[0] > 4 * wide.shape[0]


def test_the_grid_has_the_same_width_whatever_the_images_sizes():
    rng = np.random.default_rng(0)
    rows = [
        GridRow(
            caption=str(size),
            image=rng.integers(0, 256, (*size, 3)).astype(np.uint8),
            label=np.zeros(size, np.uint8),
            prediction=np.zeros(size, np.uint8),
        )
        for size in ((30, 40), (300, 50), (1, 900), (33, 31))
    ]
    widths = {draw_grid([row], ("ground", "thing"), PALETTE).width for row in rows}
    assert len(widths) == 1
    assert draw_grid(rows, ("ground", "thing"), PALETTE).width in widths
