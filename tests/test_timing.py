"""Times of calls in turns, and how they are written."""

import pytest

from pixelwise.timing import Spread, describe_machine, measure_ratio, measure_spread, take_turns


def test_a_spread_is_the_median_with_the_tenth_and_ninetieth_percentile():
    found = measure_spread(range(101))
    assert found == Spread(50, 10, 90)
    assert f"{found:.1f} ms" == "50.0 (10.0–90.0) ms"
    assert found.as_json() == {"median": 50, "p10": 10, "p90": 90}


def test_a_ratio_is_taken_turn_by_turn_so_that_drift_cancels():
    assert measure_ratio([2, 20, 200], [1, 10, 100]) == Spread(2, 2, 2)
    with pytest.raises(ValueError, match="could not be broadcast"):
        measure_ratio([1, 2, 3], [1, 2])


def test_calls_take_turns_and_warming_up_does_not_count():
    order = []
    times = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=3, warmup=2)
    assert order == ["a", "b"] * 5
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}
    assert min(times["a"]) > 0


def test_the_machine_is_named_with_the_cores_that_this_process_may_use():
    assert describe_machine().split()[0].isdigit()
    assert " cores of " in describe_machine()
