"""A power cut between the end of a training and the moment when DVC writes dvc.lock: the training is not run again."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml
from support import killed_training
from support.forks import FORKS, train_fcn
from support.killed_training import MOST_SECONDS, make_repository, start, survivors, wait_until_alone

from pixelwise.identity import sha256_file
from pixelwise.tracking.store import connect

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills process groups")
STORE = "sqlite:///mlflow.db"
# While the file `hold` is there, the stage's command goes on after the training, and DVC has not written dvc.lock.
HOLD = "{train} && if [ -e hold ]; then touch ended && sleep 600; fi"


@pytest.fixture
def repository(tmp_path, mlflow_template):
    folder = make_repository(tmp_path / "repository", epochs=2)
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    stages["stages"]["train-fcn"]["cmd"] = HOLD.format(train=stages["stages"]["train-fcn"]["cmd"])
    (folder / "dvc.yaml").write_text(yaml.safe_dump(stages))
    shutil.copy(mlflow_template, folder)
    return folder


def train_until_cut(folder: Path) -> None:
    """A run that is killed, with all that it started, after its training has ended and before DVC writes dvc.lock."""
    (folder / "hold").touch()
    run, end = start(folder, STORE), time.monotonic() + MOST_SECONDS
    while not (folder / "ended").exists():
        assert run.poll() is None, (folder / "log.txt").read_text()[-2000:]
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGSTOP)
    for process in survivors(folder):
        process.kill()
    run.wait(20)
    wait_until_alone(folder)
    for file in ("hold", "ended"):
        (folder / file).unlink()


def read_runs(folder: Path) -> dict[str, str]:
    """The status of each MLflow run, by its id."""
    client = connect(f"sqlite:///{folder}/mlflow.db")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return {run.info.run_id: run.info.status for run in runs}


def read_result(checkpoint: Path) -> dict[str, str]:
    """The hash of each file that the training wrote, by its name."""
    return {path.name: sha256_file(path) for path in checkpoint.iterdir()}


@pytest.mark.slow
def test_a_training_that_ended_before_a_power_cut_is_recorded_with_its_run_by_the_next_run(repository):
    train_until_cut(repository)
    assert not (repository / "dvc.lock").exists()
    runs, result = read_runs(repository), read_result(repository / "model/checkpoint")
    assert list(runs.values()) == ["FINISHED"]

    killed_training.train(repository, STORE)
    assert (repository / "dvc.lock").exists()
    assert read_runs(repository) == runs
    assert read_result(repository / "model/checkpoint") == result
    log = (repository / "log.txt").read_text()
    assert "tracking: .state/train/result: " in log

    # A training that DVC has recorded is trained again where the user asks for it.
    killed_training.train(repository, STORE)
    assert sorted(read_runs(repository).values()) == ["FINISHED", "FINISHED"]
    assert read_runs(repository).keys() > runs.keys()
    assert (repository / "log.txt").read_text().count("tracking: .state/train/result: ") == 1


def train_as_stage(data: Path, folder: Path, write: str = "", count: int = 0) -> int:
    """The exit status of a training of one epoch as DVC runs it: what it wrote before is deleted."""
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    arguments = (data, folder, 1, write, count, f"sqlite:///{folder}/mlflow.db", "train@fcn")
    process = FORKS.Process(target=train_fcn, args=arguments)
    process.start()
    process.join()
    return process.exitcode


# The id of the run is written twice, as it is drawn and as the store has it; then the best weights and the state. After
# the end of the run come weights, model, history and run, and then their copies, of which run is the last again.
@pytest.mark.parametrize("count", [pytest.param(5, marks=pytest.mark.slow), 12])
def test_a_training_killed_after_the_end_of_its_run_goes_on_in_that_run(tiny_town, mlflow_store, tmp_path, count):
    assert train_as_stage(tiny_town, tmp_path, "replace", count) == 9
    runs = read_runs(tmp_path)
    assert list(runs.values()) == ["FINISHED"]
    assert train_as_stage(tiny_town, tmp_path) == 0
    assert read_runs(tmp_path) == runs
    assert read_result(tmp_path / "checkpoint").keys() == {
        "history.json",
        "model.json",
        "run.json",
        "weights.safetensors",
    }
    assert json.loads((tmp_path / "checkpoint/run.json").read_text())["run_id"] in runs


def test_a_training_killed_when_its_result_is_kept_leaves_the_same_files_in_a_further_run(
    tiny_town, mlflow_store, tmp_path
):
    assert train_as_stage(tiny_town, tmp_path, "replace", -12) == 9
    runs, result = read_runs(tmp_path), read_result(tmp_path / "checkpoint")
    assert train_as_stage(tiny_town, tmp_path) == 0
    assert read_runs(tmp_path) == runs
    assert read_result(tmp_path / "checkpoint") == result
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["result"]
