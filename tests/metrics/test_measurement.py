"""Measurements: what they score, and that they come back from a file as they were."""

from dataclasses import replace

import numpy as np
import pytest
from support.pickled import Touch

from pixelwise.errors import DataError
from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.measurement import Measurement, read_measurements, write_measurements

COUNTS = np.random.default_rng(0).integers(1, 50, (6, 3, 3))
IDS = tuple("abcdef")
MEAN_IU = Measurement("mean IU", "clip", IDS, COUNTS, "mean IU", ("sky", "road", "car"))
LOST = Measurement("mean IU lost", "clip", IDS, np.stack([COUNTS, COUNTS[::-1]], axis=1), "mean IU lost")
SPEED = Measurement("speed-up", "round", ("1", "2"), np.array([2.0, 4.0]))
POSITIVE = Measurement("positive IU", "task", ("x",), np.array([0.5]), labelled=np.array([7]))


def test_each_statistic_makes_its_score_of_all_units():
    assert MEAN_IU.score == pytest.approx(compute_scores(COUNTS.sum(axis=0)).mean_iu)
    # The same units in another order: nothing is lost in the sum, but it is in a resample of one unit.
    assert LOST.score == pytest.approx(0)
    first = np.eye(6, dtype=np.int64)[:1]
    assert LOST.score_draws(first)[0] == pytest.approx(
        compute_scores(COUNTS[0]).mean_iu - compute_scores(COUNTS[-1]).mean_iu
    )
    assert (SPEED.score, SPEED.extent, POSITIVE.extent) == (3.0, "2 rounds", "1 task")


def test_a_resample_draws_as_many_units_as_there_are_and_can_be_repeated():
    draws = MEAN_IU.resample(resamples=50, seed=3)
    assert draws.shape == (50, 6)
    assert (draws.sum(axis=1) == 6).all()
    assert len({tuple(row) for row in draws}) > 40
    assert np.array_equal(draws, MEAN_IU.resample(50, 3))


def test_a_file_gives_back_every_measurement_in_order(tmp_path):
    write_measurements(tmp_path / "made.npz", [MEAN_IU, LOST, SPEED, POSITIVE])
    for found, written in zip(read_measurements(tmp_path / "made.npz"), (MEAN_IU, LOST, SPEED, POSITIVE), strict=True):
        assert (found.name, found.unit, found.ids, found.statistic) == (
            written.name,
            written.unit,
            written.ids,
            written.statistic,
        )
        assert np.array_equal(found.values, written.values)
        assert found.has_units_of(written)


@pytest.mark.parametrize("change", [{"statistic": "median"}, {"ids": ("a",)}])
def test_a_measurement_that_cannot_be_scored_is_refused(tmp_path, change):
    write_measurements(tmp_path / "made.npz", [replace(SPEED, **change)])
    with pytest.raises(DataError, match=r"made\.npz: speed-up: .* evaluate the model again"):
        read_measurements(tmp_path / "made.npz")


def test_another_label_class_or_id_is_another_unit():
    others = ({"classes": ("sky", "road", "bus")}, {"ids": tuple("abcdeg")}, {"values": COUNTS + 1}, {"name": "J"})
    assert [MEAN_IU.has_units_of(replace(MEAN_IU, **other)) for other in others] == [False] * 4
    # Other predictions for the same labels are what is compared.
    assert MEAN_IU.has_units_of(replace(MEAN_IU, values=COUNTS[..., [1, 0, 2]]))


def test_a_file_with_a_pickle_is_refused_and_not_run(tmp_path):
    write_measurements(tmp_path / "made.npz", [SPEED])
    with np.load(tmp_path / "made.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "made.npz", **arrays | {"0.values": np.array([Touch(tmp_path / "run")], dtype=object)})
    with pytest.raises(DataError, match=r"made\.npz: .*allow_pickle"):
        read_measurements(tmp_path / "made.npz")
    assert not (tmp_path / "run").exists()


def test_a_class_of_a_single_pixel_counts_in_the_mean():
    counts = np.array([[[0, 1], [0, 5]]])
    assert replace(MEAN_IU, ids=("a",), values=counts, classes=("sky", "road")).score == pytest.approx(5 / 12)
