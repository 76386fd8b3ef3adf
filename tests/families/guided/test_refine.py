"""Guidance by what is sure of a picture itself, and guidance of fewer cells."""

import io
import zipfile

import numpy as np
import pytest
from support.pickled import Touch

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guidance import Guidance, Shot, find_places, suppose_background
from pixelwise.families.guided.runtime.refine import settle, softmax


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


def test_cells_are_kept_from_the_first_to_the_last_of_a_class():
    whole = guidance(400)
    kept = {tuple(key) for key in whole.thinned(100).keys}
    assert {tuple(whole.keys[cell]) for cell in (0, 99, 100, 399)} <= kept


def test_of_three_classes_each_keeps_its_own_cells():
    values = np.eye(3, dtype=np.float32).repeat((10, 20, 60), axis=1)
    keys = np.arange(90, dtype=np.float32)[:, None]
    whole = Guidance(np.zeros((3, 1), np.float32), np.ones(3), keys, values, np.zeros((90, 2), np.float32))
    fewer = whole.thinned(30)
    assert (fewer.values > 0).sum(axis=1).tolist() == [10, 10, 10]
    assert np.array_equal(fewer.values > 0, values[:, fewer.keys[:, 0].astype(int)] > 0)


def test_further_classes_have_no_mean_no_shot_and_no_cell():
    wider = guidance(8).widened(4)
    assert (wider.mean.shape, wider.counts.shape, wider.values.shape) == ((4, 4), (4,), (4, 8))
    assert wider.present.tolist() == [True, True, False, False]
    assert not wider.mean[2:].any()
    assert not wider.values[2:].any()


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


def test_large_scores_are_probabilities_too():
    odds = softmax(np.array([[[1000.0, -1000.0]], [[999.0, -1000.0]]]))
    np.testing.assert_allclose(odds[0, 0], [1 / (1 + np.exp(-1)), 0.5])
    np.testing.assert_allclose(odds.sum(axis=0), 1)


def test_where_some_class_is_sure_nowhere_guidance_stays_as_it_is():
    whole = guidance(8)
    assert settle(Told(np.full((1, 4), -9.0)), None, whole) is whole


def test_cells_keep_their_places_when_guidance_is_thinned_widened_merged_and_stored(tmp_path):
    whole = guidance(400)
    fewer = whole.thinned(100)
    where = {tuple(key): tuple(place) for key, place in zip(whole.keys, whole.places, strict=True)}
    assert [where[tuple(key)] for key in fewer.keys] == list(map(tuple, fewer.places))
    assert whole.widened(3).places is whole.places
    shot = Shot(np.ones((2, 4)), np.ones(2, bool), np.ones((3, 4)), np.ones((2, 3)), np.full((3, 2), 0.5))
    assert whole.add(shot).places[-3:].tolist() == [[0.5, 0.5]] * 3
    fewer.save(tmp_path / "task.npz", "a" * 64, ("background", "disc"))
    stored, _ = Guidance.load(tmp_path / "task.npz", "a" * 64)
    np.testing.assert_allclose(stored.places, fewer.places, rtol=1e-6)


def test_background_is_supposed_where_a_picture_is_least_like_what_is_annotated():
    embedding = np.zeros((1, 8, 10, 2), np.float32)
    embedding[..., 0] = 1
    # A fifth of the picture, in its two last columns, looks otherwise.
    embedding[:, :, 8:] = (0, 1)
    keys, values = np.array([[1, 0]], np.float32), np.array([[0], [1]], np.float32)
    told = Guidance(np.eye(2, dtype=np.float32)[::-1], np.array([0, 1]), keys, values, np.full((1, 2), 0.5, np.float32))
    found = suppose_background(told, embedding)
    assert found.counts.tolist() == [1, 1]
    # A quarter of 80 cells, of which 16 are unlike the object.
    np.testing.assert_allclose(found.mean[0], [4 / 20, 16 / 20], rtol=1e-5)
    np.testing.assert_array_equal(found.mean[1], told.mean[1])
    unlike = found.places[1:][found.keys[1:, 1] == 1]
    assert len(unlike) == 16
    assert set((unlike[:, 1] * 10 - 0.5).round().tolist()) == {8, 9}
    assert (found.values[0, 1:] == 1).all()
    assert not found.values[1, 1:].any()


def test_places_are_the_middles_of_cells_as_shares_of_the_grid():
    np.testing.assert_allclose(find_places(np.array([[0, 0], [3, 1]]), (4, 2)), [[0.125, 0.25], [0.875, 0.75]])


def test_of_a_picture_of_few_cells_one_is_supposed():
    keys, values = np.array([[1, 0]], np.float32), np.array([[0], [1]], np.float32)
    told = Guidance(np.zeros((2, 2), np.float32), np.array([0, 1]), keys, values, np.zeros((1, 2), np.float32))
    found = suppose_background(told, np.array([[[[1, 0], [0, 1], [1, 0]]]], np.float32))
    assert found.keys[1:].tolist() == [[0, 1]]


def test_an_archive_that_says_it_is_huge_is_refused_before_it_is_unpacked():
    content = bytearray(guidance(8).encode("a" * 64, ("background", "disc")))
    assert Guidance.decode(bytes(content), "task", "a" * 64)[1] == ("background", "disc")
    assert '"version": 2' in str(np.load(io.BytesIO(content))["facts"])
    # The size of the first entry as the archive's directory names it.
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = (2**28 + 1).to_bytes(4, "little")
    with pytest.raises(DataError, match=r"^task: no guidance file"):
        Guidance.decode(bytes(content), "task", "a" * 64)


def repack(content: bytes, **parts: bytes | None) -> bytes:
    """The archive with some parts replaced, or left out where None."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        for name, part in (found | {f"{name}.npy": part for name, part in parts.items()}).items():
            if part is not None:
                archive.writestr(name, part)
    return changed.getvalue()


def test_an_archive_of_the_first_version_has_its_cells_nowhere():
    content = repack(guidance(8).encode("a" * 64, ("background", "disc")), places=None)
    assert Guidance.decode(content, "task", "a" * 64)[0].places.tolist() == [[0, 0]] * 8


def test_an_archive_with_a_pickle_is_refused_and_not_run(tmp_path):
    pickled = io.BytesIO()
    np.save(pickled, np.array([Touch(tmp_path / "made")], dtype=object), allow_pickle=True)
    content = repack(guidance(8).encode("a" * 64, ("background", "disc")), counts=pickled.getvalue())
    with pytest.raises(DataError, match=r"^task: no guidance file"):
        Guidance.decode(content, "task", "a" * 64)
    assert not (tmp_path / "made").exists()
