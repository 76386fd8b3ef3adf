"""Scores unit by unit survive their packing, and say on what they were measured."""

import numpy as np
import pytest

from pixelwise.studies.records import Run
from pixelwise.studies.units import find_units, measure_column, pack_rounds, pack_tallies, pack_values, unpack

TALLIES = np.random.default_rng(0).integers(0, 10**6, (101, 3, 11))


def test_what_is_packed_is_unpacked_and_small():
    packed = pack_tallies("picture", TALLIES)
    assert np.array_equal(unpack(packed), TALLIES)
    assert len(packed.values) < 4 * 4 * TALLIES.size / 3
    assert unpack(pack_values("task", [0.25, 0.5], [1, 2])).tolist() == [0.25, 0.5]


def test_units_are_known_by_their_labels_whatever_was_predicted():
    other = TALLIES.copy()
    other[:, [0, 2]] += 1
    assert pack_tallies("picture", TALLIES).sha256 == pack_tallies("picture", other).sha256
    other[5, 1, 3] += 1
    assert pack_tallies("picture", TALLIES).sha256 != pack_tallies("picture", other).sha256
    assert pack_rounds([1.0, 2.0]).sha256 == pack_rounds([3.0, 4.0]).sha256 != pack_rounds([3.0]).sha256


def test_a_column_has_its_own_units_before_those_that_it_shares():
    own, shared = pack_values("task", [0.25, 0.75], [1, 2]), pack_tallies("picture", TALLIES)
    run = Run(seed=0, scores={"mean_iu": 0.5, "loss": 2.0}, units={"labels": shared, "mean_iu": own})
    assert find_units(run, "mean_iu") == own
    assert find_units(run, "pixel_accuracy") == shared
    assert measure_column(run, "mean_iu").score == pytest.approx(0.5)
    assert measure_column(run, "mean_iu").extent == "2 tasks"
    assert (measure_column(run, "loss").score, measure_column(run, "loss").extent) == (2.0, "1 run")
