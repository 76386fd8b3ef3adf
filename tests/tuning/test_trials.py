"""The trainings of a search: what ends one early, and what remains of it."""

import time

import optuna
import pytest
from support.tiny_nets import TINY_BACKBONE

from pixelwise.families import find_params
from pixelwise.params import parse
from pixelwise.tracking.runs import Recorder
from pixelwise.tuning import trials
from pixelwise.tuning.ranges import Choices, Range
from pixelwise.tuning.search import UNPRUNED_TRIALS, Search, find_best, open_study

VALUES = {
    "epochs": 2, "batch_size": 2, "warmup_steps": 0, "validate_every": 1, "device": "cpu",
    "augment": {"crop_width": 64, "crop_height": 64},
    "network": {"backbone": TINY_BACKBONE, "weights": "none"},
}  # fmt: skip
RATE = {"learning_rate": Range(low=0.0001, high=0.01, log=True)}


@pytest.fixture
def describe(tiny_town, tmp_path):
    """A function that describes a search on the tiny town."""

    def make(ranges=RATE, count=1, **values):
        params = parse(find_params("fcn").TrainParams, VALUES | values, "small")
        values = params.model_dump(mode="json")
        return Search("fcn", "fcn", values, ranges, tiny_town, None, tmp_path / "search", "none", count)

    return make


def run(search, seconds=600.0):
    """Run the trials of a search; returns its study."""
    study = open_study(search, trials.compute_conditions(search))
    trials.run_trials(study, search, time.monotonic() + seconds, Recorder())
    return study


def add_scores(study, search, score):
    """Give a study trials that scored `score` from the first epoch on."""
    distribution = optuna.distributions.FloatDistribution(0.0001, 0.01, log=True)
    for _ in range(UNPRUNED_TRIALS):
        study.add_trial(
            optuna.trial.create_trial(
                value=score,
                intermediate_values={1: score, 2: score},
                params={"learning_rate": 0.001},
                distributions={"learning_rate": distribution},
            )
        )


def test_a_trial_that_falls_behind_is_pruned_after_its_first_validation_and_leaves_no_files(describe, capsys):
    search = describe(count=UNPRUNED_TRIALS + 1)
    add_scores(open_study(search, trials.compute_conditions(search)), search, score=0.99)
    trial = run(search).trials[0]
    assert (trial.state.name, list(trial.intermediate_values)) == ("PRUNED", [1])
    assert "trial 0 pruned, mean IU 0." in capsys.readouterr().out
    assert not (search.folder / "trial-0").exists()


def test_a_trial_that_is_out_of_time_goes_on_in_the_next_process_and_scores_the_same(describe, tmp_path):
    whole = describe()
    expected = find_best(run(whole)).value
    search = Search(**vars(whole) | {"folder": tmp_path / "again"})
    (trial,) = run(search, seconds=0.01).trials
    assert (trial.state.name, list(trial.intermediate_values)) == ("RUNNING", [1])
    assert find_best(run(search)).value == expected


def test_a_search_whose_time_is_over_starts_no_trial(describe):
    assert [trial.state.name for trial in run(describe(), seconds=-1).trials] == ["WAITING"]


def test_values_that_do_not_fit_together_fail_their_trial_alone(describe, capsys):
    scales = {"augment.scale_max": Choices([0.5, 1.6]), "augment.scale_min": Choices([0.8, 2.0])}
    study = run(describe(scales, count=1, epochs=1, augment=VALUES["augment"] | {"scale_min": 0.4, "scale_max": 0.5}))
    (trial,) = study.trials
    assert trial.state.name == "FAIL"
    assert "augment.scale_min: found" in trial.user_attrs["error"]
    assert "trial 0 fail: " in capsys.readouterr().out


def test_another_parameter_or_range_is_another_condition(describe):
    usual = trials.compute_conditions(describe())
    other = (
        trials.compute_conditions(describe(seed=1)),
        trials.compute_conditions(describe({"epochs": Range(low=1, high=2)})),
    )
    assert [[name for name in usual if usual[name] != each[name]] for each in other] == [["parameters"], ["ranges"]]
