"""Pictures that a model does not know come first, and the first ones are not one scene."""

import numpy as np
import pytest

from pixelwise.labelling.doubt import Doubt, average_by_class, measure_disagreement, measure_doubt
from pixelwise.labelling.looks import measure_looks, place
from pixelwise.labelling.ranking import measure_shares, place_in_order, rank, rank_pictures

CLASSES = 3


def look(brightness, seed=0, classes=(0, 1)):
    """The looks of a noisy picture of this brightness, of which the upper and the lower half have one class each."""
    rng = np.random.default_rng(seed)
    image = np.clip(brightness + rng.normal(0, 6, (48, 64, 3)), 0, 255).astype(np.uint8)
    label = np.repeat(np.array(classes, np.uint8), 24)[:, None].repeat(64, axis=1)
    return measure_looks(image, label, CLASSES)


def doubt(uncertainty):
    return Doubt(uncertainty, uncertainty)


def order(doubts, looks, known=()):
    return [each.place for each in rank_pictures(doubts, looks, known)]


def test_a_brightness_that_was_never_labelled_comes_before_all_that_were():
    looks = [look(120, seed) for seed in range(12)]
    looks.insert(7, look(20, 50))
    known = [look(120, seed) for seed in range(100, 110)]
    assert order([doubt(0.3)] * 13, looks, known)[0] == 7


def test_a_class_that_was_never_labelled_comes_before_all_that_were():
    looks = [look(120, seed) for seed in range(12)]
    looks.insert(4, look(120, 50, classes=(0, 2)))
    known = [look(120, seed) for seed in range(100, 110)]
    assert order([doubt(0.3)] * 13, looks, known)[0] == 4


def test_copies_of_one_scene_are_spread_however_much_the_model_doubts_them():
    scenes = [*[90] * 20, 30, 150, 210]
    looks = [look(brightness, seed) for seed, brightness in enumerate(scenes)]
    doubts = [doubt(0.9)] * 20 + [doubt(0.5)] * 3
    first = order(doubts, looks)[:4]
    assert {scenes[index] for index in first} == {30, 90, 150, 210}


def test_of_equally_new_pictures_the_more_doubtful_comes_first():
    looks = [look(level) for level in (40, 40, 40, 40)]
    assert order([doubt(value) for value in (0.1, 0.4, 0.2, 0.3)], looks) == [1, 3, 2, 0]


def test_every_picture_is_ranked_once_with_and_without_labelled_ones():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 5))
    for known in (points[:0], rng.normal(size=(4, 5))):
        ranked = rank(rng.random(30), points, known)
        assert sorted(each.place for each in ranked) == list(range(30))
        assert all(np.isinf(each.novelty) == (not len(known)) for each in ranked)


def test_the_next_picture_has_the_largest_product_of_doubt_and_distance():
    points, known = np.array([[1.0], [2.0], [10.0], [11.0]]), np.array([[0.0]])
    ranked = rank([1.0, 0.5, 0.9, 1.0], points, known)
    assert [each.place for each in ranked] == [3, 0, 2, 1]
    assert [each.distance for each in ranked] == [11, 1, 1, 1]


def test_places_of_equal_values_are_equal_and_no_scale_matters():
    assert place_in_order(np.array([3.0, 1.0, 3.0, 9.0])).tolist() == [0.625, 0.25, 0.625, 1.0]
    doubts = [Doubt(0.1, 1e-6), Doubt(0.2, 2e-6), Doubt(0.3, 3e-6)]
    assert measure_shares(doubts) == pytest.approx([1 / 3, 2 / 3, 1])
    assert measure_shares([Doubt(None, 0.4), Doubt(None, 0.1)]) == [1.0, 0.5]


def test_colours_and_classes_count_equally_and_what_is_equal_in_all_pictures_counts_nothing():
    points = place([look(level, classes=classes) for level, classes in ((50, (0, 1)), (150, (0, 1)), (50, (2, 2)))])
    assert np.linalg.norm(points[0] - points[1]) > 1
    assert np.linalg.norm(points[0] - points[2]) > 1
    assert not place([look(50)] * 3).any()


def test_a_small_class_counts_as_much_as_a_large_one():
    label = np.zeros((10, 10), np.uint8)
    label[0, :2] = 2
    values = np.where(label == 2, 0.8, 0.2)
    assert average_by_class(values, label) == pytest.approx(0.5)
    other = label.copy()
    other[0, 0] = 0
    assert measure_disagreement(label, other, 3) == pytest.approx(1 - (98 / 99 + 1 / 2) / 2)
    assert measure_disagreement(label, label, 3) == 0


class Lefty:
    """Labels the left half 1 whatever it shows, so that it contradicts itself on the mirrored picture."""

    names = ("right", "left")
    share = 2

    def predict(self, images):
        label = np.zeros(images.shape[:3], np.uint8)
        label[:, :, : images.shape[2] // self.share] = 1
        return label


def test_a_label_that_a_mirrored_picture_does_not_get_is_doubted():
    image = np.zeros((16, 24, 3), np.uint8)
    label, found = measure_doubt(Lefty(), image)
    assert label.sum() == 16 * 12
    # Both scales agree, and the mirrored picture in no pixel.
    assert found == Doubt(None, pytest.approx(1 / 3))
