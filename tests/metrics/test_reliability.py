"""The calibration error of predictions whose right share is known."""

import numpy as np
import pytest

from pixelwise.metrics.reliability import BINS, compute_calibration_error, count_reliability


def test_the_error_is_the_mean_distance_of_confidence_from_the_share_that_is_right():
    # 100 pixels sure by 0.9, of which 70 are right; 300 sure by 0.5, of which 150 are.
    label = np.zeros(400, np.uint8)
    prediction = np.concatenate([np.arange(100) >= 70, np.arange(300) >= 150]).astype(np.uint8)
    confidence = np.repeat(np.float32([0.9, 0.5]), [100, 300])
    reliability = count_reliability(label, prediction, confidence)
    assert reliability.shape == (15, 3)
    assert compute_calibration_error(reliability) == pytest.approx((100 * 0.2 + 300 * 0.0) / 400)
    parts = [
        count_reliability(label[half], prediction[half], confidence[half]) for half in (slice(150), slice(150, 400))
    ]
    assert np.allclose(sum(parts), reliability)


def test_pixels_that_are_right_as_often_as_they_say_have_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(1_000_000, np.float32)
    prediction = (rng.random(1_000_000) > confidence).astype(np.uint8)
    assert compute_calibration_error(count_reliability(np.zeros_like(prediction), prediction, confidence)) < 0.005


def test_void_is_left_out_and_certainty_is_in_the_last_bin():
    label, prediction = np.uint8([[0, 255, 255]]), np.uint8([[0, 0, 1]])
    reliability = count_reliability(label, prediction, np.float32([[1.0, 0.2, 0.3]]))
    assert reliability.shape == (BINS, 3)
    assert reliability[-1].tolist() == [1, 1, 1]
    assert reliability[: BINS - 1].sum() == 0
    assert compute_calibration_error(np.zeros((BINS, 3))) == 0
    wrong = count_reliability(np.uint8([[0]]), np.uint8([[1]]), np.float32([[0.9]]))
    assert compute_calibration_error(wrong) == pytest.approx(0.9)
