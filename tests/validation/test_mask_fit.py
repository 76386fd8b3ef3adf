"""Masks against the edges of their pictures: right ones are silent, and each kind of fault is named."""

import numpy as np
import pytest
from support.edged_pictures import draw_shapes

from pixelwise.validation.mask_fit import (
    TURNS,
    describe_misfit,
    describe_misfit_of_split,
    find_borders,
    find_scale,
    measure_agreement,
)

FAULTS = {
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "mirrored top to bottom": lambda mask: mask[::-1],
    "turned by 180°": lambda mask: mask[::-1, ::-1],
    "shifted by 9 left": lambda mask: np.roll(mask, 9, 1),
    "shifted by 8 right and 6 up": lambda mask: np.roll(mask, (6, -8), (0, 1)),
}


def judge(image, mask):
    mask = np.ascontiguousarray(mask)
    return describe_misfit(measure_agreement(image, mask), find_scale(mask.shape))


@pytest.mark.parametrize("seed", range(4))
def test_a_right_mask_is_silent(seed):
    assert judge(*draw_shapes(seed)) is None


@pytest.mark.parametrize(("words", "spoil"), FAULTS.items())
def test_a_turned_or_shifted_mask_is_named_with_its_fault(words, spoil):
    image, mask = draw_shapes(3)
    assert judge(image, spoil(mask)) == words


@pytest.mark.parametrize("words", list(TURNS)[1:])
def test_every_turn_of_a_square_mask_is_named(words):
    image, mask = draw_shapes(6, (128, 128))
    # The turn that is named repairs the mask, so the fault is its inverse.
    inverse = {"turned by 90° to the left": "turned by 90° to the right"}
    inverse |= {right: left for left, right in inverse.items()}
    assert judge(image, TURNS[inverse.get(words, words)](mask)) == words


def test_a_shift_is_given_in_pixels_of_the_picture():
    image, mask = draw_shapes(3, (384, 512))
    assert judge(image, np.roll(mask, 24, 1)) == "shifted by 24 left"


def test_a_border_lies_in_the_middle_of_a_band_of_void_and_nowhere_in_a_void_field():
    label = np.zeros((20, 60), np.uint8)
    label[:, 20:], label[:, 18:22], label[:, 40:] = 1, 255, 255
    borders = find_borders(label)
    assert np.flatnonzero(borders.any(axis=0)).tolist() == [19, 20]


def test_a_mask_without_borders_is_not_judged():
    image, mask = draw_shapes(0)
    assert measure_agreement(image, np.zeros_like(mask)) is None
    assert measure_agreement(image, np.full_like(mask, 255)) is None


def test_a_split_is_judged_by_the_mean_of_its_masks():
    pictures = [draw_shapes(seed) for seed in range(12)]

    def judge_all(spoil):
        found = [measure_agreement(image, np.ascontiguousarray(spoil(mask))) for image, mask in pictures]
        return describe_misfit_of_split(found, 1.0)

    assert judge_all(lambda mask: mask) is None
    assert judge_all(lambda mask: mask[:, ::-1]) == "masks fit better mirrored left to right"
    assert judge_all(lambda mask: np.roll(mask, 4, 0)) == "masks fit better shifted by 4 up"


def test_masks_of_other_pictures_follow_no_edges():
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(12)]
    found = [measure_agreement(image, draw_shapes(seed)[1]) for seed, image in enumerate(images)]
    assert describe_misfit_of_split(found, 1.0).startswith("borders of masks follow no edges")
    assert describe_misfit_of_split(found[:9], 1.0) is None
