"""Guidance by what is sure of a picture itself, and guidance of fewer cells."""

import numpy as np

from pixelwise.families.guided.runtime.guidance import Guidance, Shot
from pixelwise.families.guided.runtime.refine import settle


def guidance(cells: int) -> Guidance:
    rng = np.random.default_rng(0)
    values = np.zeros((2, cells), np.float32)
    values[0, cells // 4 :], values[1, : cells // 4] = 1, 0.5
    return Guidance(rng.random((2, 4)), np.array([1, 1]), rng.random((cells, 4)), values, rng.random((cells, 2)))


def test_thinned_guidance_keeps_what_each_class_weighs():
    whole = guidance(400)
    fewer = whole.thinned(100)
    assert fewer.keys.shape == (100, 4)
    np.testing.assert_allclose(fewer.values.sum(axis=1), whole.values.sum(axis=1), rtol=1e-5)
    # An even share, though there are three times as many negatives.
    assert (fewer.values > 0).sum(axis=1).tolist() == [50, 50]


def test_a_class_of_few_cells_keeps_them_all_and_leaves_the_rest_to_the_others():
    fewer = guidance(400).thinned(300)
    assert (fewer.values > 0).sum(axis=1).tolist() == [200, 100]
    assert set(fewer.values[1].tolist()) == {0, 0.5}


def test_guidance_of_few_cells_is_left_as_it_is():
    whole = guidance(40)
    assert whole.thinned(40) is whole


class Told:
    """A model whose first mask is given, and that notes what it is guided by; it has no encoder."""

    def __init__(self, positive: np.ndarray) -> None:
        self.logits = np.stack([np.zeros_like(positive), positive])

    def segment(self, features, guidance):
        return self.logits

    def guide(self, features, annotation):
        self.said = annotation
        keys, values, places = np.ones((3, 4)), np.ones((2, 3), np.float32), np.zeros((3, 2), np.float32)
        return Shot(np.ones((2, 4)), annotation.any(axis=(1, 2)), keys, values, places)


def test_settling_adds_a_shot_of_what_is_sure_and_leaves_the_rest_unknown():
    model = Told(np.array([[-9.0, -1.0, 1.0, 9.0]]))
    settled = settle(model, None, guidance(8))
    assert model.said.tolist() == [[[1, 0, 0, 0]], [[0, 0, 1, 1]]]
    assert (settled.counts.tolist(), len(settled.keys)) == ([2, 2], 8 + 3)


def test_where_some_class_is_sure_nowhere_guidance_stays_as_it_is():
    whole = guidance(8)
    assert settle(Told(np.full((1, 4), -9.0)), None, whole) is whole
