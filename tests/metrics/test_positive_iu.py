"""Positive IU: the score of every guided task (thesis §4.4)."""

import numpy as np
import pytest

from pixelwise.metrics.positive_iu import compute_positive_iu

TRUTH = np.array([[1, 1, 0, 0], [1, 255, 255, 0]], np.uint8)
# Two of three objects found, one pixel too many, and one on void, which does not count.
PREDICTION = np.array([[1, 0, 1, 0], [1, 1, 0, 0]], np.uint8)


def test_it_is_the_intersection_over_the_union_of_the_object_without_void():
    assert compute_positive_iu(PREDICTION, TRUTH) == pytest.approx(2 / 4)
    assert compute_positive_iu(PREDICTION, TRUTH, way=0) == pytest.approx(2 / 4)
    assert compute_positive_iu(TRUTH, TRUTH) == 1
    assert compute_positive_iu(1 - PREDICTION, np.where(TRUTH == 255, 255, PREDICTION)) == 0


def test_where_neither_map_has_the_object_it_is_one_and_where_one_has_it_zero():
    nothing = np.zeros((2, 4), np.uint8)
    assert compute_positive_iu(nothing, nothing) == 1
    assert compute_positive_iu(PREDICTION, nothing) == compute_positive_iu(nothing, PREDICTION) == 0
    # What is predicted on void alone is nothing.
    assert compute_positive_iu(np.ones((1, 2), np.uint8), np.full((1, 2), 255, np.uint8)) == 1
