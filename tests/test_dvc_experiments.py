"""DVC's experiments as a user types them, in a small checkout with real trainings: none loses its MLflow run."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.dvc_repository import PROJECT, copy_code

from pixelwise.tracking.store import connect

pytestmark = pytest.mark.slow

SMALL = """\
ingest:
  town: {train_clips: 2, val_clips: 1, test_clips: 1, frames: 2, width: 96, height: 64}
validate: {min_images: {train: 2, val: 2}, min_class_share: 0.0, max_split_psi: 50.0, max_drift_psi: 50.0}
fcn:
  train:
    epochs: 1
    batch_size: 2
    warmup_steps: 1
    validate_every: 1
    network: {weights: none}
    augment: {crop_width: 64, crop_height: 64}
"""
PACKAGES = str(Path(sys.executable).parent)
# What an active environment of another checkout sets.
OTHERS = {"PYTHONPATH": str(PROJECT), "PATH": os.pathsep.join((PACKAGES, os.environ["PATH"]))}
MARK = 'raise SystemExit("the code of the experiment ran")\n'


class Checkout:
    """A git and DVC repository of this project on a small town; commands run in it as in a terminal."""

    def __init__(self, folder):
        self.folder = folder
        copy_code(folder)
        for name in ("dvc.yaml", "params.yaml", ".gitignore", "data/accepted.json"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
        shutil.copytree(
            PROJECT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local")
        )
        (folder / "small.yaml").write_text(SMALL)
        self("pixelwise", "use", "small.yaml")
        self("git", "init", "--quiet")
        self("git", "config", "user.email", "somebody@example.org")
        self("git", "config", "user.name", "somebody")
        self.commit()

    def __call__(self, *command, status=0, **environment):
        """Run a command; return what it printed."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=variables | OTHERS | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def commit(self):
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--allow-empty", "--message", "state")

    def experiments(self):
        """The experiments of all commits, by name."""
        return set(self("dvc", "exp", "list", "--all-commits", "--name-only").split())

    def runs(self):
        """The finished runs in the checkout's own store, each with its experiment's name; nothing else is there."""
        client = connect(f"sqlite:///{self.folder}/mlflow.db")
        found = client.search_runs([one.experiment_id for one in client.search_experiments()])
        assert {run.info.status for run in found} <= {"FINISHED"}
        return {run.info.run_id: run.data.tags.get("dvc_experiment") for run in found}

    def apply(self, experiment):
        """Apply an experiment; return the id of its run."""
        said = self("pixelwise", "apply", experiment)
        assert len(said.splitlines()) == 1
        return self.run_id()

    def run_id(self):
        return json.loads((self.folder / "models/fcn/checkpoint/run.json").read_text())["run_id"]

    def learning_rate(self):
        return json.loads((self.folder / "models/fcn/checkpoint/run.json").read_text())["parts"]["parameters"][
            "learning_rate"
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout in which one experiment ran in a copy, as its first training."""
    checkout = Checkout(tmp_path_factory.mktemp("experiments") / "checkout")
    checkout("dvc", "exp", "run", "--temp", "-S", "fcn.train.learning_rate=0.003", "train@fcn")
    return checkout


@pytest.fixture
def checkout(made):
    """That checkout, as its last commit left it."""
    yield made
    made("git", "reset", "--quiet", "--hard")


def test_the_run_of_an_experiment_in_a_copy_is_in_the_checkouts_store_and_its_result_can_be_applied(checkout):
    (experiment,), ((run, named),) = checkout.experiments(), checkout.runs().items()
    assert named == experiment
    (shown,) = [line for line in checkout("dvc", "exp", "show", "--csv").splitlines() if experiment in line]
    assert "0.003" in shown
    assert checkout.apply(experiment) == run
    assert checkout.learning_rate() == 0.003
    assert "learning_rate: 0.003" in checkout("git", "diff", "params.yaml")


def test_two_queued_experiments_at_once_leave_one_run_each(checkout):
    earlier, runs = checkout.experiments(), checkout.runs()
    for rate in ("0.004", "0.005"):
        checkout("dvc", "exp", "run", "--queue", "-S", f"fcn.train.learning_rate={rate}", "train@fcn")
    # Into a file: the workers keep the output open, and a pipe would end with them.
    checkout("sh", "-c", "dvc queue start --jobs 2 > queue.log 2>&1")
    wait_for_queue(checkout)
    new = {
        checkout.apply(experiment): (experiment, checkout.learning_rate())
        for experiment in checkout.experiments() - earlier
    }
    assert sorted(rate for _, rate in new.values()) == [0.004, 0.005]
    assert checkout.runs() == runs | {run: experiment for run, (experiment, _) in new.items()}


def wait_for_queue(checkout, seconds=1800):
    """Wait until the queue has no work, and stop its workers, which would wait for more."""
    end = time.monotonic() + seconds
    while any(word in checkout("dvc", "queue", "status") for word in ("Queued", "Running")):
        assert time.monotonic() < end, checkout("dvc", "queue", "status")
        time.sleep(2)
    checkout("dvc", "queue", "stop")


def test_an_experiment_in_place_leaves_one_run(checkout):
    earlier, runs = checkout.experiments(), checkout.runs()
    checkout("dvc", "exp", "run", "-S", "fcn.train.learning_rate=0.006", "train@fcn")
    (experiment,) = checkout.experiments() - earlier
    assert checkout.runs() == runs | {checkout.run_id(): experiment}
    assert checkout.run_id() not in runs


def test_the_run_of_an_experiment_waits_in_the_checkout_while_the_server_is_down(checkout):
    options = ("--temp", "-S", "fcn.train.learning_rate=0.007", "train@fcn")
    earlier, runs = checkout.experiments(), checkout.runs()
    checkout("dvc", "exp", "run", *options, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert checkout.runs() == runs
    (unsent,) = (checkout.folder / ".state/tracking").glob("offline-*")
    (experiment,) = checkout.experiments() - earlier
    assert checkout.apply(experiment) == unsent.name


def test_an_experiment_runs_the_code_of_its_copy_and_not_that_of_the_active_environment(checkout):
    file = checkout.folder / "components/train.py"
    file.write_text(MARK + file.read_text())
    assert "the code of the experiment ran" in checkout("dvc", "exp", "run", "--temp", "train@fcn", status=255)


def test_pull_of_one_stage_says_nothing_about_the_others(checkout, tmp_path):
    (experiment, *_) = checkout.experiments()
    checkout.apply(experiment)
    checkout.commit()
    checkout("dvc", "remote", "add", "--force", "--quiet", "--default", "shared", str(tmp_path / "remote"))
    checkout("dvc", "push", "--quiet", "--with-deps", "train@fcn")
    checkout("git", "clone", "--quiet", str(checkout.folder), str(tmp_path / "clone"))
    shutil.copy(checkout.folder / ".dvc/config", tmp_path / "clone/.dvc/config")
    said = checkout("dvc", "--cd", str(tmp_path / "clone"), "pull", "--with-deps", "train@fcn")
    assert "WARNING" not in said
    assert (tmp_path / "clone/models/fcn/checkpoint/run.json").is_file()
