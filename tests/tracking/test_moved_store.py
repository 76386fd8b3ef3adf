"""A checkout that is moved, copied, or mounted elsewhere, with its store and the artifacts beside it."""

import shutil
from pathlib import Path

import pytest

from pixelwise.tracking import moved_store
from pixelwise.tracking.runs import start_run
from pixelwise.tracking.store import connect


@pytest.fixture
def before(tmp_path, mlflow_template):
    """A folder with a store that has one run of one artifact; its name is awkward in an address."""
    folder = tmp_path / "before 50%20#"
    folder.mkdir()
    shutil.copy(mlflow_template, folder)
    record(folder, "first")
    return folder


def record(folder, word):
    """Record a run with an artifact; its id."""
    (folder / "notes").mkdir(exist_ok=True)
    (folder / "notes" / f"{word}.txt").write_text(word)
    with start_run("fcn", word, {}, {}, f"sqlite:///{folder}/mlflow.db") as recorder:
        recorder.log_artifacts(folder / "notes" / f"{word}.txt")
    return recorder.run_id


def artifacts(folder):
    """The names of the artifacts that lie in the folder."""
    return {path.name for path in (folder / moved_store.ARTIFACTS).rglob("*.txt")}


def read(folder, run_id, word):
    """The text of an artifact, read through MLflow."""
    client = connect(f"sqlite:///{folder}/mlflow.db")
    return Path(client.download_artifacts(run_id, f"notes/{word}.txt", str(folder))).read_text()


def test_a_moved_store_reads_and_writes_where_it_is(before, tmp_path):
    (run,) = connect(f"sqlite:///{before}/mlflow.db").search_runs(["1"])
    after = before.rename(tmp_path / "after")
    second = record(after, "second")
    assert artifacts(after) == {"first.txt", "second.txt"}
    assert read(after, run.info.run_id, "first") == "first"
    assert read(after, second, "second") == "second"
    assert not before.exists()


def test_a_copy_leaves_the_original_alone(before, tmp_path):
    (run,) = connect(f"sqlite:///{before}/mlflow.db").search_runs(["1"])
    copy = shutil.copytree(before, tmp_path / "copy")
    record(copy, "second")
    next((copy / moved_store.ARTIFACTS).rglob("first.txt")).write_text("of the copy")
    assert (artifacts(before), artifacts(copy)) == ({"first.txt"}, {"first.txt", "second.txt"})
    assert (read(before, run.info.run_id, "first"), read(copy, run.info.run_id, "first")) == ("first", "of the copy")


def test_places_that_somebody_else_chose_stay(before, tmp_path):
    uri = f"sqlite:///{before}/mlflow.db"
    chosen = (tmp_path / "disk").as_uri()
    connect(uri).create_experiment("chosen", artifact_location=chosen)
    after = before.rename(tmp_path / "after")
    client = connect(f"sqlite:///{after}/mlflow.db")
    assert client.get_experiment_by_name("chosen").artifact_location == chosen
    assert client.get_experiment_by_name("fcn").artifact_location == (after / "mlartifacts/fcn").as_uri()
