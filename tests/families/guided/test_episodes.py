"""Episodes: masks, balance, sparse points, and classes that training never sees."""

import numpy as np

from pixelwise.data.items import VOID, Classes
from pixelwise.data.prepared import Sample
from pixelwise.families.guided.episode_task import draw_episode
from pixelwise.families.guided.episodes import (
    Balanced,
    Masks,
    Objects,
    annotate_points,
    draw_partner,
    draw_points,
    make_target,
)
from pixelwise.families.guided.params import TrainParams


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
    masks, params = Masks(world()), TrainParams()
    first, again, other = (
        draw_episode(masks, masks[3], params, 0.0, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_a_balanced_set_has_every_class_as_often():
    values = [mask.value for mask in Balanced(Masks(world()), seed=0)]
    assert np.ptp(np.bincount(values)[1:]) <= 1


class Clip(Split):
    """Frames of two objects of one class, the second of which moves, and one of another."""

    rows = property(lambda self: [{**row, "clip": "walk"} for row in super().rows])

    def label(self, index: int) -> np.ndarray:
        return self[index].label

    def layer(self, index: int, name: str) -> np.ndarray:
        return self[index].layers[name]


def clip() -> Clip:
    found = Clip()
    for index in range(3):
        label, numbers = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint16)
        for value, number, left in ((1, 1, 2), (1, 700, 20 + 3 * index), (2, 9, 60)):
            label[5:25, left : left + 15], numbers[5:25, left : left + 15] = value, number
        numbers[40:, :] = 3
        found.append(Sample(str(index), np.zeros((60, 80, 3), np.uint8), label, {"instance": numbers}))
    return found


def test_every_object_is_a_task_whose_fellows_are_background_and_whose_partner_is_itself():
    objects = Objects(clip())
    assert [(mask.value, mask.object) for mask in objects if mask.picture == 0] == [(1, 1), (1, 700), (2, 9)]
    second = objects[1]
    _, label = objects.read(second)
    assert (label == 1).sum() == 300
    assert label[10, 25] == 1
    assert label[10, 5] == 0
    assert (label == 2).sum() == 300
    other = draw_partner(objects, second, "clip", np.random.default_rng(0))
    assert (other.picture != 0, other.object) == (True, 700)
    assert {mask.object for mask in Objects(clip(), held_out=["a"])} == {9}


def test_points_lie_on_their_class_as_many_as_asked_and_none_where_there_are_too_few():
    truth = make_target(world()[0].label, 1)
    points = draw_points(truth, 7, np.random.default_rng(0))
    annotation = annotate_points(points, *truth.shape)
    assert annotation.sum(axis=(1, 2)).tolist() == [7, 7]
    assert all((annotation[value] * (truth != value)).sum() == 0 for value in (0, 1))
    assert draw_points(np.zeros((3, 3), np.uint8), 2, np.random.default_rng(0))[1] == []
