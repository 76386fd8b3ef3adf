"""Verdicts on what a study expects, from made-up runs with known answers."""

import numpy as np
import pytest

from pixelwise.studies.records import Run
from pixelwise.studies.study import Expectation
from pixelwise.studies.trends import judge
from pixelwise.studies.units import measure_column, pack_rounds, pack_tallies, pack_values, unpack

SEEDS = (0, 1, 2)


def runs(gap: float, noise: float, units: int = 40, seeds=SEEDS, column: str = "positive_iu", of_seed: float = 0.0):
    """Runs of two rows. The first is ahead by `gap`, with `noise` by unit; units differ by far more."""
    better, worse = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        easy = rng.uniform(0.2, 0.8, units)
        ahead = easy + gap + rng.normal(0, of_seed) + rng.normal(0, noise, units)
        for found, values in ((better, ahead), (worse, easy)):
            packed = pack_values("task", values, np.arange(units) + 1000 * seed)
            found.append(Run(seed=seed, scores={column: values.mean()}, units={column: packed}))
    return better, worse


def verdict(better, worse, is_seeded=True, is_quiet=False, **wish):
    wish = {"column": "positive_iu", **wish}
    return judge(Expectation(better="a", worse="b", **wish), better, worse, is_seeded, is_quiet)


def reverse(units):
    """The same values on the same units, but of other ones."""
    return units.model_copy(update={"values": pack_values("task", unpack(units)[::-1], []).values})


def whole(values, column="mean_iu"):
    """Runs of which the figure alone was recorded."""
    return [Run(seed=seed, scores={column: value / 100}) for seed, value in enumerate(values)]


def test_a_true_difference_holds_its_reverse_does_not_and_a_small_one_is_undecided():
    better, worse = runs(0.05, 0.05)
    assert verdict(better, worse).verdict == "holds"
    assert verdict(worse, better).verdict == "does not hold"
    assert verdict(*runs(0.0, 0.05)).verdict == "undecided"
    assert verdict(*runs(0.0, 0.05), within=5.0).verdict == "holds"


def test_the_same_means_are_undecided_where_the_units_are_not_the_same():
    better, worse = runs(0.05, 0.05)
    rng = np.random.default_rng(0)
    other = [
        run.model_copy(update={"units": {"positive_iu": pack_values("task", rng.permutation(40), rng.permutation(40))}})
        for run in worse
    ]
    assert verdict(better, other).short == "undecided: no common units recorded"


def test_pairs_decide_what_unpaired_units_do_not():
    better, worse = runs(0.02, 0.01, seeds=(0,))
    shuffled = [run.model_copy(update={"units": {"positive_iu": reverse(run.units["positive_iu"])}}) for run in worse]
    assert verdict(better, worse, is_seeded=False).verdict == "holds"
    assert verdict(better, shuffled, is_seeded=False).verdict == "undecided"


def test_seeds_are_a_second_level():
    assert verdict(*runs(0.05, 0.01, of_seed=0.1)).verdict == "undecided"
    assert verdict(*runs(0.05, 0.01, of_seed=0.001)).verdict == "holds"
    assert verdict(*runs(0.05, 0.01, seeds=(0,))).short == "undecided: one seed"
    assert verdict(*runs(0.05, 0.01, seeds=(0,)), is_seeded=False).verdict == "holds"
    assert verdict(*runs(0.05, 0.01, units=1, seeds=(0,)), is_seeded=False).short == "undecided: one task"


def test_seeds_are_compared_with_themselves_and_none_in_common_is_not_measured():
    better, worse = runs(0.05, 0.05)
    assert verdict(better, worse[::-1]) == verdict(better, worse)
    assert verdict(better[:1], worse[1:]).verdict == "not measured"
    assert verdict([], worse).verdict == "not measured"


def test_figures_without_units_are_undecided_whatever_their_gap():
    found = verdict(whole([63.0, 64.0, 65.0]), whole([33.0, 34.0, 35.1]), column="mean_iu")
    assert found.short == "undecided: no common units recorded"
    assert found.low < 30 < found.high
    assert verdict(whole([63.0]), whole([33.0]), column="mean_iu").measured == "+30.0"


def test_what_is_the_same_in_every_run_is_judged_as_it_is():
    sizes = [Run(seed=0, scores={"max_stride": stride}) for stride in (8.0, 32.0)]
    assert verdict(sizes[:1], sizes[1:], column="max_stride").verdict == "holds"
    assert verdict(sizes[1:], sizes[:1], column="max_stride").verdict == "does not hold"
    assert verdict(sizes[:1], sizes[:1], column="max_stride").verdict == "does not hold"
    assert verdict(sizes[:1], sizes[:1], column="max_stride", within=0.0).verdict == "holds"


def test_times_are_judged_by_rounds_in_turns_on_a_quiet_machine_alone():
    fast, slow = (
        [Run(seed=0, scores={"milliseconds": 10.0 * n}, units={"milliseconds": pack_rounds([10.0 * n, 10.1 * n])})]
        for n in (1, 2)
    )
    assert verdict(fast, slow, column="milliseconds", is_quiet=True).verdict == "holds"
    assert verdict(fast, slow, column="milliseconds").short == "undecided: other work ran on the machine"
    bare = [Run(seed=0, scores={"milliseconds": 10.0})]
    assert verdict(bare, slow, column="milliseconds", is_quiet=True).short == "undecided: no paired rounds recorded"


def test_bounds_are_met_by_the_whole_interval_or_by_no_part_of_it():
    better, worse = runs(0.05, 0.02)
    for bound, expected in ((2.0, "holds"), (5.0, "undecided"), (8.0, "does not hold")):
        assert verdict(better, worse, by=bound).verdict == expected
    for bound, expected in ((8.0, "holds"), (5.0, "undecided"), (2.0, "does not hold")):
        assert verdict(better, worse, within=bound).verdict == expected
        assert verdict(worse, better, within=bound).verdict == expected
        assert verdict(worse, better, at_most=bound).verdict == expected
    assert verdict(better, worse, at_most=1.0).verdict == "holds"


def test_an_undecided_expectation_says_how_many_seeds_and_units_would_decide():
    found = verdict(*runs(0.01, 0.08))
    times = ((found.high - found.low) / 2 / found.gap) ** 2
    assert found.needed == f"about {int(3 * times) + 1} seeds of {int(40 * times) + 1} tasks would decide"
    assert found.full == f"undecided: {found.needed}"
    alone = verdict(*runs(0.01, 0.08, seeds=(0,)), is_seeded=False)
    assert "seeds" not in alone.needed


def test_one_column_is_judged_against_another_of_the_same_row():
    better, worse = runs(0.05, 0.02)
    both = [
        Run(
            seed=ours.seed,
            scores={"positive_iu": ours.scores["positive_iu"], "foreground_background": theirs.scores["positive_iu"]},
            units={"positive_iu": ours.units["positive_iu"], "foreground_background": theirs.units["positive_iu"]},
        )
        for ours, theirs in zip(better, worse, strict=True)
    ]
    wish = Expectation(better="a", worse="a", column="positive_iu", worse_column="foreground_background")
    found = judge(wish, both, both)
    assert found.verdict == "holds"
    assert str(found) == "positive IU of a beats foreground–background of a"


def test_pixel_counts_serve_every_score_that_is_computed_from_them():
    counts = np.random.default_rng(0).integers(1, 100, (30, 3, 4))
    run = Run(seed=0, scores={}, units={"labels": pack_tallies("picture", counts)})
    correct, truth, predicted = counts.sum(axis=0)
    assert measure_column(run, "pixel_accuracy").score == pytest.approx(correct.sum() / truth.sum())
    assert measure_column(run, "mean_iu").score == pytest.approx(np.mean(correct / (truth + predicted - correct)))


def test_an_expectation_reads_as_words_with_what_was_measured():
    plain = judge(Expectation(better="8s", worse="32s", by=2.0), whole([65.0, 66.0]), whole([63.0, 63.9]))
    assert str(plain) == "8s beats 32s in mean IU by at least 2 points"
    assert plain.measured.startswith("+2.1 (+")
    alike = judge(Expectation(better="8s", worse="32s", within=2.0), whole([65.0]), [])
    assert str(alike) == "8s and 32s are alike in mean IU, within 2 points"
    assert alike.measured == "–"
    bound = judge(Expectation(better="8s", worse="32s", at_most=2.0), whole([65.0]), whole([66.0]))
    assert str(bound) == "8s is at most 2 points worse than 32s in mean IU"
    loss = judge(Expectation(better="8s", worse="32s", column="loss", within=0.1), [], [])
    assert str(loss) == "8s and 32s are alike in last training loss, within 0.1"
