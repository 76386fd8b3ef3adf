"""Episodes: masks, balance, sparse points, and classes that training never sees."""

import numpy as np

from components.datasets.episodes import Balanced, Masks, annotate_points, draw_points, target
from components.datasets.items import VOID, Classes
from components.datasets.prepared import Sample
from components.learning.episodes import EpisodeParams, draw_episode


class Split(list):
    """Pictures with the attributes of a prepared split."""

    name, classes = "train", Classes(("background", "a", "b", "c"), ((0, 0, 0),) * 4)

    @property
    def rows(self):
        return [{"pixels": np.bincount(each.label.ravel(), minlength=4)[:4].tolist(), "clip": ""} for each in self]


def world() -> Split:
    rng, split = np.random.default_rng(0), Split()
    for index in range(12):
        label = np.zeros((60, 80), np.uint8)
        label[5:30, 5:40], label[35:55, 45:75] = 1 + index % 3, 1 + (index + 1) % 3
        split.append(Sample(str(index), rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), label))
    return split


def test_a_class_held_out_is_no_task_and_void_in_every_picture():
    masks = Masks(world(), held_out=["c"])
    assert {mask.value for mask in masks.masks} == {1, 2}
    for mask in masks.masks:
        _, label = masks.read(mask)
        assert 3 not in label
        assert (label == VOID).any() == (masks.split[mask.picture].label == 3).any()


def test_episodes_are_equal_for_equal_seeds_and_differ_for_others():
    masks, params = Masks(world()), EpisodeParams()
    first, again, other = (draw_episode(masks, masks[3], params, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_a_balanced_set_has_every_class_as_often():
    values = [mask.value for mask in Balanced(Masks(world()), seed=0)]
    assert np.ptp(np.bincount(values)[1:]) <= 1


def test_points_lie_on_their_class_as_many_as_asked_and_none_where_there_are_too_few():
    truth = target(world()[0].label, 1)
    points = draw_points(truth, 7, np.random.default_rng(0))
    annotation = annotate_points(points, *truth.shape)
    assert annotation.sum(axis=(1, 2)).tolist() == [7, 7]
    assert all((annotation[value] * (truth != value)).sum() == 0 for value in (0, 1))
    assert draw_points(np.zeros((3, 3), np.uint8), 2, np.random.default_rng(0))[1] == []
