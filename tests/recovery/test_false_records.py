"""What is recorded is what ran, in a small checkout with real trainings: edits meanwhile, and steps that run alone."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support.dvc_repository import replace
from support.small_project import make_project, pixelwise

from pixelwise.tracking.store import connect

pytestmark = pytest.mark.slow
COMMANDS = Path(sys.executable).parent
EPOCHS = 40
MOST_SECONDS = 1800
LOOP = "pixelwise/training/loop.py"


class Checkout:
    """A checkout in which a user edits files and types `dvc repro`."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, stage):
        """`dvc repro` of a stage; what it prints goes to log.txt."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        path = os.pathsep.join((str(COMMANDS), os.environ["PATH"]))
        with (self.folder / "log.txt").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dvc", "repro", stage],
                cwd=self.folder, env=kept | {"PATH": path}, stdout=log, stderr=log,
            )  # fmt: skip

    def repro(self, stage):
        """Bring a stage up to date; what that prints."""
        assert self.start(stage).wait(MOST_SECONDS) == 0, self.log()
        return self.log()

    def log(self):
        return (self.folder / "log.txt").read_text(errors="replace")

    def edit(self, **values):
        """Set parameters of the training."""
        file = self.folder / "params.yaml"
        content = yaml.safe_load(file.read_text())
        content["fcn"]["train"] |= values
        file.write_text(yaml.safe_dump(content))

    def locked(self):
        """What dvc.lock says of the training."""
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]["train@fcn"]

    def run_json(self):
        return json.loads((self.folder / "models/fcn/checkpoint/run.json").read_text())

    def runs(self):
        """The rate of learning of every run, by its id."""
        client = connect(f"sqlite:///{self.folder}/mlflow.db")
        found = client.search_runs([one.experiment_id for one in client.search_experiments()])
        return {run.info.run_id: float(run.data.params["learning_rate"]) for run in found}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, mlflow_template, tiny_town):
    """A checkout that has trained and exported an FCN."""
    folder = make_project(tmp_path_factory.mktemp("records") / "checkout", {"fcn": {"train": {"epochs": 2}}})
    shorten(folder / "dvc.yaml")
    shutil.copytree(tiny_town, folder / "data/prepared")
    shutil.copy(mlflow_template, folder)
    made = Checkout(folder)
    made.repro("export@fcn")
    return made


def shorten(file):
    """Leave the stages of this project that make a model of prepared data."""
    content = yaml.safe_load(file.read_text())
    content["stages"] = {name: content["stages"][name] for name in ("code", "train", "export")}
    content["stages"]["train"]["do"]["deps"].remove("reports/validate/statistics.json")
    file.write_text(yaml.safe_dump(content))


def edit_while_it_trains(checkout, edit):
    """Train, and edit something once an epoch is kept; the error of the stage."""
    run, end = checkout.start("train@fcn"), time.monotonic() + MOST_SECONDS
    while not list(checkout.folder.glob(".state/train-fcn/*/state.safetensors")):
        assert run.poll() is None, checkout.log()
        assert time.monotonic() < end
        time.sleep(0.05)
    edit()
    assert run.wait(MOST_SECONDS) != 0
    (error,) = (line for line in checkout.log().splitlines() if line.startswith("error: "))
    return error


def test_a_training_that_is_edited_meanwhile_is_not_recorded_and_goes_on_when_it_is_set_back(checkout):
    def edit(rate, batches):
        checkout.edit(learning_rate=rate)
        replace(checkout.folder / LOOP, f"PREFETCH_BATCHES = {5 - batches}\n", f"PREFETCH_BATCHES = {batches}\n")

    locked, runs = checkout.locked(), checkout.runs()
    checkout.edit(epochs=EPOCHS, learning_rate=0.002)
    error = edit_while_it_trains(checkout, lambda: edit(0.01, 3))
    named = "train@fcn: fcn.train.learning_rate was changed from 0.002 to 0.01 while the stage ran"
    assert error.startswith(f"error: {named}")
    assert checkout.locked() == locked
    assert not (checkout.folder / "models/fcn/checkpoint").exists()

    edit(0.002, 2)
    assert f"epoch 1/{EPOCHS}" not in checkout.repro("train@fcn")
    (added,) = set(checkout.runs()) - set(runs)
    record = checkout.run_json()
    assert (record["run_id"], checkout.runs()[added]) == (added, 0.002)
    assert record["parts"]["parameters"]["learning_rate"] == 0.002
    assert checkout.locked()["params"]["params.yaml"]["fcn.train"]["learning_rate"] == 0.002


def test_a_new_training_beside_the_graph_of_the_old_one_is_not_registered(checkout):
    checkout.edit(epochs=1, learning_rate=0.0018)
    checkout.repro("train@fcn")
    command = "register --name fcn --model models/fcn --evaluation reports/fcn/evaluate"
    status, told = pixelwise(checkout.folder, *command.split())
    assert (status, told.count("\n")) == (1, 1), told
    assert told.startswith("error: models/fcn/checkpoint/run.json: found fingerprint ")
    assert told.endswith("they are of different trainings; export the model again\n")
