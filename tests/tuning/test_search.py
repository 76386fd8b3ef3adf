"""A search hands every trial to one process, and a killed search draws what an uninterrupted one draws."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from pixelwise.errors import DataError
from pixelwise.families import find_params
from pixelwise.params import make_defaults, merge
from pixelwise.tuning.ranges import Choices, Range, nest
from pixelwise.tuning.search import Search, draw_values, find_best, hold_trial, open_study

RANGES = {
    "learning_rate": Range(low=0.0003, high=0.006, log=True),
    "network.width": Range(low=0, high=64),
    "network.strides": Choices([[32, 16, 8], [32, 16]]),
}
CONDITIONS = {"data": "a", "code": "b"}


def describe(folder, trials=14, **values):
    defaults = merge(make_defaults(find_params("fcn").TrainParams), nest(values))
    return Search("fcn", "fcn", defaults, RANGES, Path("data"), None, folder, "none", trials)


def score(values):
    """A score that the sampler can climb."""
    return values["learning_rate"] * 100 + values["network.width"] / 100


def work(search, most=99):
    """Run trials of a search as one process does; returns what each drew."""
    study, drawn = open_study(search, CONDITIONS), []
    while len(drawn) < most:
        with hold_trial(study, search) as trial:
            if trial is None:
                break
            drawn.append(draw_values(trial, search))
            study.tell(trial, score(drawn[-1]))
    return drawn


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What the trials of a search drew that nothing stopped."""
    return work(describe(tmp_path_factory.mktemp("search")))


def test_the_first_trial_has_the_present_values_and_the_others_stay_in_their_ranges(uninterrupted):
    assert uninterrupted[0] == {"learning_rate": 0.0015, "network.width": 0, "network.strides": [32, 16, 8]}
    for values in uninterrupted:
        assert RANGES["learning_rate"].contains(values["learning_rate"])
        assert values["learning_rate"] == float(f"{values['learning_rate']:.3g}")
        assert isinstance(values["network.width"], int)
        assert values["network.strides"] in RANGES["network.strides"]
    assert len({values["learning_rate"] for values in uninterrupted}) == len(uninterrupted) == 14


def test_present_values_outside_the_ranges_are_not_tried(tmp_path):
    (drawn,) = work(describe(tmp_path, trials=1, learning_rate=0.1))
    assert RANGES["learning_rate"].contains(drawn["learning_rate"])


def test_a_search_that_was_killed_draws_what_an_uninterrupted_one_draws(tmp_path, uninterrupted):
    search = describe(tmp_path)
    drawn = work(search, most=5)
    study = open_study(search, CONDITIONS)
    # The lock of this trial is freed without a result, as by a kill after its values were drawn.
    with hold_trial(study, search) as trial:
        draw_values(trial, search)
    assert drawn + work(search) == uninterrupted
    assert find_best(open_study(search, CONDITIONS)).value == max(map(score, uninterrupted))


def test_a_second_process_takes_no_trial_that_the_first_holds(tmp_path):
    search = describe(tmp_path, trials=2)
    studies = [open_study(search, CONDITIONS) for _ in range(3)]
    with ExitStack() as held:
        trials = [held.enter_context(hold_trial(study, search)) for study in studies]
    assert [trial and trial.number for trial in trials] == [0, 1, None]


def test_a_search_over_other_data_is_refused(tmp_path):
    search = describe(tmp_path)
    open_study(search, CONDITIONS)
    with pytest.raises(DataError, match="search fcn: found other data than at its first trial"):
        open_study(search, {"data": "c", "code": "b"})
