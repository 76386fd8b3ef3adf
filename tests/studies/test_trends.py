"""Verdicts on what a study expects."""

import pytest

from pixelwise.studies.study import Expectation
from pixelwise.studies.trends import judge


def verdict(better, worse, **wish):
    return judge(Expectation(better="a", worse="b", **wish), better, worse).verdict


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        ([63.0, 64.0, 65.0], [60.0, 60.5, 61.0], "holds"),
        ([60.0, 64.0, 65.0], [60.0, 62.5, 64.0], "holds within the spread"),
        ([60.0, 64.0, 65.0], [61.0, 64.5, 66.0], "does not hold"),
        ([63.0], [62.0], "holds"),
        ([62.0], [62.0], "does not hold"),
        ([62.0], [63.0], "does not hold"),
        ([], [63.0], "not measured"),
        ([62.0], [], "not measured"),
    ],
)
def test_a_gap_is_judged_by_its_spread_over_seeds(better, worse, expected):
    assert verdict(better, worse) == expected


def test_a_least_gap_must_be_reached():
    assert verdict([65.0, 65.2], [62.0, 62.2], by=2.0) == "holds"
    assert verdict([65.0, 65.2], [62.0, 62.2], by=4.0) == "does not hold"
    assert verdict([65.0], [62.0], by=3.0) == "holds"


def test_alike_rows_may_differ_either_way_up_to_the_bound():
    assert verdict([62.0, 62.1], [63.0, 63.1], within=2.0) == "holds"
    assert verdict([64.0, 64.1], [63.0, 63.1], within=2.0) == "holds"
    assert verdict([66.0, 66.1], [63.0, 63.1], within=2.0) == "does not hold"
    assert verdict([60.0, 63.0], [62.0, 63.5], within=2.0) == "holds within the spread"


def test_a_row_that_must_not_be_much_worse_may_be_as_much_better_as_it_likes():
    assert verdict([90.0, 90.1], [63.0, 63.1], at_most=2.0) == "holds"
    assert verdict([62.0, 62.1], [63.0, 63.1], at_most=2.0) == "holds"
    assert verdict([60.0, 60.1], [63.0, 63.1], at_most=2.0) == "does not hold"
    assert verdict([60.0, 63.0], [62.0, 63.5], at_most=2.0) == "holds within the spread"
    assert verdict([61.0], [63.0], at_most=2.0) == "holds"
    assert verdict([11.0], [10.0], at_most=2.0, column="seconds") == "holds"
    assert verdict([13.0], [10.0], at_most=2.0, column="seconds") == "does not hold"


def test_of_times_and_losses_the_lower_is_ahead():
    faster = judge(Expectation(better="a", worse="b", column="seconds"), [10.0], [30.0])
    assert (faster.gap, faster.verdict) == (20.0, "holds")
    assert verdict([30.0], [10.0], column="seconds") == "does not hold"


def test_an_expectation_reads_as_words_with_what_was_measured():
    plain = judge(Expectation(better="8s", worse="32s", by=2.0), [65.0, 66.0], [63.0, 64.0])
    assert str(plain) == "8s beats 32s in mean IU by at least 2 points"
    assert plain.measured == "+2.0 ± 1.0"
    alike = judge(Expectation(better="8s", worse="32s", within=2.0), [65.0], [])
    assert str(alike) == "8s and 32s are alike in mean IU, within 2 points"
    assert alike.measured == "–"
    bound = judge(Expectation(better="8s", worse="32s", at_most=2.0), [65.0], [66.0])
    assert str(bound) == "8s is at most 2 points worse than 32s in mean IU"
    loss = judge(Expectation(better="8s", worse="32s", column="loss", within=0.1), [], [])
    assert str(loss) == "8s and 32s are alike in last training loss, within 0.1"
