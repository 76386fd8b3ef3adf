"""The four scores and what they refuse."""

import math

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.metrics.confusion import ConfusionMatrix, compute_scores, count_pixels

# Three classes; rows are truth. Class 0: 6 right of 8; class 1: 3 of 4; class 2: 4 of 8.
COUNTS = np.array([[6, 2, 0], [0, 3, 1], [4, 0, 4]])


@pytest.fixture
def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, (3, 40, 31)).astype(np.uint8)
    prediction = np.where(rng.random(label.shape) < 0.6, label, rng.integers(0, 5, label.shape)).astype(np.uint8)
    label[rng.random(label.shape) < 0.1] = 255
    return label, prediction


def test_the_four_scores_of_a_hand_made_matrix():
    scores = compute_scores(COUNTS)
    assert scores.pixel_accuracy == pytest.approx(13 / 20)
    assert scores.mean_accuracy == pytest.approx((6 / 8 + 3 / 4 + 4 / 8) / 3)
    assert scores.per_class == pytest.approx((6 / 12, 3 / 6, 4 / 9))
    assert scores.mean_iu == pytest.approx((6 / 12 + 3 / 6 + 4 / 9) / 3)
    assert scores.frequency_weighted_iu == pytest.approx((8 * 6 / 12 + 4 * 3 / 6 + 8 * 4 / 9) / 20)


def test_a_perfect_prediction_scores_one(noisy):
    label, _ = noisy
    matrix = ConfusionMatrix(classes=5)
    matrix.add(label=label, prediction=np.where(label == 255, 0, label))
    scores = matrix.scores()
    four = (scores.mean_iu, scores.pixel_accuracy, scores.mean_accuracy, scores.frequency_weighted_iu)
    assert four == (1, 1, 1, 1)


def test_counts_are_those_of_counting_pixel_by_pixel(noisy):
    label, prediction = noisy
    expected = np.zeros((5, 5), int)
    for truth, found in zip(label.ravel(), prediction.ravel(), strict=True):
        if truth != 255:
            expected[truth, found] += 1
    assert (count_pixels(label, prediction, 5) == expected).all()


def test_renaming_the_classes_permutes_the_class_scores_and_leaves_the_four(noisy):
    label, prediction = noisy
    order = np.array([3, 0, 4, 1, 2], np.uint8)
    rename = np.arange(256, dtype=np.uint8)
    rename[:5] = order
    before = compute_scores(count_pixels(label, prediction, 5))
    after = compute_scores(count_pixels(rename[label], rename[prediction], 5))
    assert [after.per_class[new] for new in order] == pytest.approx(before.per_class)
    assert after.mean_iu == pytest.approx(before.mean_iu)
    assert after.mean_accuracy == pytest.approx(before.mean_accuracy)
    assert after.frequency_weighted_iu == pytest.approx(before.frequency_weighted_iu)
    assert after.pixel_accuracy == before.pixel_accuracy


def test_adding_images_one_by_one_equals_adding_the_batch(noisy):
    label, prediction = noisy
    one_by_one = ConfusionMatrix(classes=5)
    for truth, found in zip(label, prediction, strict=True):
        one_by_one.add(label=truth, prediction=found)
    assert (one_by_one.counts == count_pixels(label, prediction, 5)).all()


def test_void_pixels_count_nowhere_whatever_was_predicted_there():
    label = np.array([[0, 1, 255, 255]], np.uint8)
    assert count_pixels(label, np.array([[0, 1, 1, 255]], np.uint8), 2).tolist() == [[1, 0], [0, 1]]


def test_a_class_absent_from_truth_and_prediction_is_left_out_under_both_policies():
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    for absent in ("exclude", "zero_if_predicted"):
        scores = compute_scores(counts, absent)
        assert scores.mean_iu == pytest.approx((3 / 4 + 4 / 5) / 2)
        assert math.isnan(scores.per_class[2])


def test_a_class_absent_from_truth_but_predicted_is_excluded_or_counts_zero_as_the_policy_says():
    counts = np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]])
    excluded, zero = compute_scores(counts, "exclude"), compute_scores(counts, "zero_if_predicted")
    assert math.isnan(excluded.per_class[2])
    assert excluded.mean_iu == pytest.approx((3 / 4 + 1) / 2)
    assert zero.per_class[2] == 0
    assert zero.mean_iu == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert zero.mean_accuracy == excluded.mean_accuracy == pytest.approx((3 / 4 + 1) / 2)
    assert zero.frequency_weighted_iu == excluded.frequency_weighted_iu


def test_the_means_of_chosen_classes_leave_out_the_others_and_still_count_what_was_taken_for_them():
    everything, chosen = compute_scores(COUNTS), compute_scores(COUNTS, classes=np.array([False, True, True]))
    assert chosen.mean_iu == pytest.approx((3 / 6 + 4 / 9) / 2)
    assert chosen.mean_accuracy == pytest.approx((3 / 4 + 4 / 8) / 2)
    assert chosen.frequency_weighted_iu == pytest.approx((4 * 3 / 6 + 8 * 4 / 9) / 12)
    assert chosen.pixel_accuracy == everything.pixel_accuracy
    assert chosen.per_class == everything.per_class


def test_choosing_every_class_changes_nothing(noisy):
    matrix = ConfusionMatrix(classes=5)
    matrix.add(*noisy)
    assert matrix.scores(classes=np.ones(5, bool)) == matrix.scores()


def test_a_chosen_class_that_is_absent_follows_the_policy():
    counts, chosen = np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]]), np.array([False, True, True])
    assert compute_scores(counts, "exclude", chosen).mean_iu == 1
    assert compute_scores(counts, "zero_if_predicted", chosen).mean_iu == pytest.approx((1 + 0) / 2)


def test_chosen_classes_without_a_pixel_have_no_means_and_say_so():
    with pytest.raises(DataError, match="no pixel of the classes"):
        compute_scores(np.array([[3, 1], [0, 0]]), classes=np.array([False, True]))


def test_a_class_never_predicted_counts_zero_under_both_policies():
    counts = np.array([[3, 0], [2, 0]])
    for absent in ("exclude", "zero_if_predicted"):
        scores = compute_scores(counts, absent)
        assert scores.per_class[1] == 0
        assert scores.mean_iu == pytest.approx((3 / 5 + 0) / 2)


def test_only_void_has_no_scores_and_says_so():
    matrix = ConfusionMatrix(classes=2)
    matrix.add(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match="only void"):
        matrix.scores()


@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        (
            np.zeros((2, 3), np.uint8),
            np.zeros((3, 2), np.uint8),
            r"shape \(3, 2\), expected the label's shape \(2, 3\)",
        ),
        (np.zeros((1, 2), np.uint8), np.array([[0, 7]], np.uint8), "prediction: value 7, expected classes 0 to 1"),
        (np.zeros((1, 1), np.uint8), np.array([[255]], np.uint8), "prediction: value 255, expected classes 0 to 1"),
        (np.array([[2]], np.uint8), np.zeros((1, 1), np.uint8), "label: value 2, expected classes 0 to 1 or void 255"),
        (np.zeros((1, 1), np.uint8), np.array([[-1]]), "prediction: values -1 to -1, expected 0 to 255"),
        (np.zeros((1, 1), np.uint8), np.zeros((1, 1)), "prediction: values of type float64, expected whole numbers"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(label, prediction, message):
    with pytest.raises(DataError, match=message):
        count_pixels(label, prediction, classes=2)


def test_int64_predictions_count_like_bytes(noisy):
    label, prediction = noisy
    assert (count_pixels(label, prediction.astype(np.int64), 5) == count_pixels(label, prediction, 5)).all()


def test_a_class_of_a_single_pixel_is_present():
    scores = compute_scores(np.array([[0, 1], [0, 5]]))
    assert scores.per_class == pytest.approx((0, 5 / 6))
    assert scores.mean_iu == pytest.approx(5 / 12)
