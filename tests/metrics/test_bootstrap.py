"""The paired bootstrap on made-up scores, whose true difference is known."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.metrics.bootstrap import bootstrap_difference, bootstrap_score, find_interval
from pixelwise.metrics.measurement import Measurement

TRIALS = 1000


def draw_pairs(rng, seeds: int, units: int, gap: float, of_seed: float, of_unit: float, of_both: float):
    """One pair a seed. The difference varies by seed, by unit and by both; units vary by far more than it does."""
    difficulty, shared = rng.normal(50, 20, units), rng.normal(0, of_unit, units)
    ids = tuple(map(str, range(units)))
    pairs = []
    for _ in range(seeds):
        worse = difficulty + rng.normal(0, of_both, units)
        better = worse + gap + rng.normal(0, of_seed) + shared + rng.normal(0, of_both, units)
        pairs.append(tuple(Measurement("score", "picture", ids, values) for values in (better, worse)))
    return pairs


@pytest.mark.parametrize(
    ("seeds", "units", "spreads"),
    [
        (1, 6, (0, 1, 0)),
        (3, 30, (1, 1, 1)),
        pytest.param(1, 30, (0, 1, 1), marks=pytest.mark.slow),
        pytest.param(3, 30, (0.2, 1, 1), marks=pytest.mark.slow),
        pytest.param(5, 6, (0.3, 1, 0), marks=pytest.mark.slow),
    ],
)
def test_of_a_thousand_intervals_about_95_in_100_hold_the_true_difference(seeds, units, spreads):
    rng, held = np.random.default_rng(seeds * units), 0
    for _ in range(TRIALS):
        found = bootstrap_difference(draw_pairs(rng, seeds, units, 0.5, *spreads))
        held += found.low <= 0.5 <= found.high
    assert 0.92 <= held / TRIALS <= 0.98


def test_a_true_difference_is_found_by_pairs_and_lost_without_them():
    (pair,) = draw_pairs(np.random.default_rng(0), 1, 60, 1.0, 0, 0.5, 0)
    found = bootstrap_difference([pair])
    assert 0 < found.low < 1 < found.high
    assert found.gap == pytest.approx(pair[0].score - pair[1].score)
    shuffled = replace(pair[1], values=np.random.default_rng(1).permutation(pair[1].values))
    apart = bootstrap_difference([(pair[0], shuffled)])
    assert apart.low < 0 < apart.high
    assert apart.half_width > 5 * found.half_width


def test_seeds_that_differ_widen_the_interval_however_many_units_there_are():
    rng = np.random.default_rng(0)
    alike, apart = (bootstrap_difference(draw_pairs(rng, 3, 400, 1.0, of_seed, 0.5, 0)) for of_seed in (0, 2))
    assert alike.half_width < 0.2
    assert apart.half_width > 1


def test_more_units_narrow_the_interval_and_one_unit_has_none():
    rng = np.random.default_rng(0)
    few, many = (bootstrap_difference(draw_pairs(rng, 1, units, 0.5, 0, 1, 0)).half_width for units in (80, 320))
    assert many == pytest.approx(few / 2, rel=0.3)
    assert bootstrap_difference(draw_pairs(rng, 1, 1, 0.5, 0, 1, 0)).half_width == 0


def test_an_interval_of_one_score_leaves_as_much_out_below_as_above():
    assert find_interval(np.arange(1001) / 1000, 0.95) == pytest.approx((0.025, 0.975))
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    low, high = bootstrap_score(Measurement("score", "clip", tuple(map(str, range(400))), values))
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.001)
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.1)
