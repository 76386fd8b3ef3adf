"""A search on a tiny town, from `pixelwise tune` to a recipe whose training scores the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support.dvc_repository import PROJECT
from support.small_project import SMALL

from components import train
from pixelwise.errors import DataError, ParamsError
from pixelwise.families import find_params
from pixelwise.params import PARAMS_FILE, merge, parse, read_section
from pixelwise.tools import tune, use
from pixelwise.tracking.store import connect
from pixelwise.training.checkpoints import load_tensors
from pixelwise.training.history import find_best_row

RANGES = {"learning_rate": {"low": 0.0003, "high": 0.006, "log": True}, "objective.lovasz": [0.0, 0.5]}
SECONDS = 1800


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the parameters of a small project and ranges, in which we stand."""
    monkeypatch.chdir(tmp_path)
    write_params(epochs=2)
    (tmp_path / "ranges.yaml").write_text(yaml.safe_dump(RANGES))
    return tmp_path


def write_params(**values):
    usual = yaml.safe_load((PROJECT / PARAMS_FILE).read_text())
    small = merge(usual, SMALL, {"recipes": [], "fcn": {"train": values}})
    PARAMS_FILE.write_text(yaml.safe_dump(small))


def search(data, **options):
    return tune.run(data=data, ranges=Path("ranges.yaml"), **{"tracking": "none", "trials": 2} | options)


def train_with_recipe(recipe, data):
    """Apply a recipe, train the FCN as the pipeline does; returns the score of its weights."""
    use.run([recipe])
    params = parse(find_params("fcn").TrainParams, read_section(PARAMS_FILE, "fcn.train"), "fcn.train")
    trained = train.run(params, "fcn", data, Path("model"), Path("state"), tracking="none")
    return find_best_row(trained.history)["val/mean_iu"]


def runs_of(store):
    """The runs of a store by name, which are all of one experiment."""
    client = connect(store)
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    found = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def test_the_best_trial_becomes_a_recipe_that_scores_the_same_and_each_trial_a_run_below_one(
    folder, tiny_town, mlflow_store, capsys
):
    report = search(tiny_town, tracking=mlflow_store)
    parent, *children = [run for _, run in sorted(runs_of(mlflow_store).items())]
    assert [run.info.run_name for run in children] == ["trial 0", "trial 1"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert parent.data.metrics["val/mean_iu"] == report.best.value
    assert "trial 1 complete, mean IU 0." in capsys.readouterr().out
    assert str(report).endswith("next: pixelwise use recipes/tuned-fcn.yaml, then pixelwise run fcn")
    assert report.failure is None
    before = yaml.safe_load(PARAMS_FILE.read_text())
    assert train_with_recipe(report.recipe, tiny_town) == report.best.value
    # The recipe changes what the search drew, and nothing else that the user had set.
    drawn = {"learning_rate": report.best.user_attrs["values"]["learning_rate"]}
    after = merge(before, {"recipes": [str(report.recipe)], "fcn": {"train": drawn}})
    lovasz = report.best.user_attrs["values"]["objective.lovasz"]
    assert yaml.safe_load(PARAMS_FILE.read_text()) == merge(
        after, {"fcn": {"train": {"objective": {"lovasz": lovasz}}}}
    )


@pytest.mark.parametrize(
    ("options", "values", "error", "said"),
    [
        ({"name": "a/b"}, {}, ParamsError, "--name: found 'a/b'"),
        ({"trials": 0}, {}, ParamsError, "--trials: found 0"),
        ({"family": "clockwork"}, {}, ParamsError, "ranges.yaml: objective.lovasz: unknown key"),
        ({}, {"val_split": "val+test"}, ParamsError, "params.yaml: fcn.train: found the split test"),
        ({}, {"devices": 2}, ParamsError, "params.yaml: fcn.train.devices: found 2, expected 1"),
        ({}, {"val_split": "lost"}, DataError, "lost"),
    ],
)
def test_a_search_that_cannot_be_is_refused(folder, tiny_town, options, values, error, said):
    write_params(**values)
    with pytest.raises(error) as caught:
        search(tiny_town, **options)
    assert said in str(caught.value)


def test_a_search_without_a_complete_trial_has_no_recipe_and_says_why(folder, tiny_town):
    (folder / "ranges.yaml").write_text("network.stream_scales: [[1.0], [2.0]]\n")
    report = search(tiny_town, trials=1)
    assert report.failure.startswith("search fcn: no trial is complete: network.stream_scales: found 1, expected 3")
    assert not report.recipe.exists()


@pytest.mark.slow
def test_a_search_that_is_killed_ends_as_an_uninterrupted_one(folder, tiny_town, mlflow_store):
    write_params(epochs=4)
    command = [sys.executable, "-m", "pixelwise.cli", "tune", "--data", str(tiny_town), "--ranges", "ranges.yaml"]
    killed = [*command, "--trials", "3", "--tracking", mlflow_store]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(killed, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for_epoch(folder / ".state/tune/fcn/trial-1", process)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(killed, env=environment, capture_output=True, text=True, check=True)
    assert "trial 1 complete" in done.stdout
    assert "trial 0 complete" not in done.stdout
    whole = search(tiny_town, name="whole", trials=3)
    resumed = search(tiny_town, trials=3)
    assert [(trial.value, trial.params) for trial in resumed.study.trials] == [
        (trial.value, trial.params) for trial in whole.study.trials
    ]
    assert set(runs_of(mlflow_store)) == {"search fcn", "trial 0", "trial 1", "trial 2"}
    assert train_with_recipe(resumed.recipe, tiny_town) == resumed.best.value


def wait_for_epoch(trial, process):
    """Wait until the training of a trial has saved an epoch that is not its last."""
    end = time.monotonic() + SECONDS
    while not (found := list(trial.glob("state/*/state.safetensors"))):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    assert load_tensors(found[0])[1]["epoch"] < 4
