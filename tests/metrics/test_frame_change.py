"""How much changes from frame to frame (thesis table 3.1)."""

import numpy as np
import pytest

from pixelwise.metrics.frame_change import measure_label_change, measure_pixel_change, score_change


def test_label_change_is_the_share_of_places_that_differ_each_counted_once():
    now, then = np.array([[0, 1], [2, 2]]), np.array([[0, 1], [2, 0]])
    assert measure_label_change(now, then) == 0.25
    assert measure_label_change(now, now) == 0


def test_score_change_looks_at_the_best_class_alone():
    now = np.random.default_rng(0).normal(size=(5, 6, 7))
    assert score_change(2 * now + 3, now) == 0
    assert score_change(-now, now) == pytest.approx(1)


def test_pixel_change_is_relative_to_the_mean_of_both():
    dark, light = np.full((4, 5, 3), 100, np.uint8), np.full((4, 5, 3), 200, np.uint8)
    assert measure_pixel_change(light, dark) == measure_pixel_change(dark, light) == pytest.approx(100 / 150)
    assert measure_pixel_change(dark, dark) == 0
    assert measure_pixel_change(np.zeros_like(dark), np.zeros_like(dark)) == 0
    assert measure_pixel_change(np.zeros_like(dark), dark) == 2
    assert measure_pixel_change(np.uint8([[[0, 0, 1]]]), np.uint8([[[0, 0, 0]]])) == 2
