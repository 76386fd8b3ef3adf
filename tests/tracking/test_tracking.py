import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from pixelwise.errors import DataError, RegistryError, TrainingStoppedError
from pixelwise.registry.ledger import append_once, read_ledger
from pixelwise.tracking import runs, sender, store
from pixelwise.tracking.runs import record, record_measures, start_run
from pixelwise.tracking.store import connect, read_git_commit


def run_file(folder, run_id):
    path = folder / "run.json"
    path.write_text(json.dumps({"run_id": run_id, "fingerprint": "f", "experiment": "fcn", "parts": {}}))
    return path


def test_a_run_holds_parameters_curves_tags_and_ends_as_finished(mlflow_store, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train-fcn")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-lion")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "flow-1")
    params = {"epochs": 2, "network": {"stride": 8}}
    with start_run("fcn", "train-fcn", params, {"fingerprint": "abc"}, mlflow_store) as recorder:
        for step in (1, 2):
            recorder.log_metrics({"train/loss": 1 / step, "val/mean_iu": 0.3 * step}, step)
    client = connect(mlflow_store)
    run = client.get_run(recorder.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"epochs": "2", "network.stride": "8"}
    assert [(m.step, m.value) for m in client.get_metric_history(recorder.run_id, "train/loss")] == [(1, 1.0), (2, 0.5)]
    context = {"dvc_stage": "train-fcn", "dvc_experiment": "bold-lion", "prefect_flow_run": "flow-1"}
    assert run.data.tags.items() >= {"fingerprint": "abc", **context}.items()


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (TrainingStoppedError, "KILLED")]
)
def test_a_training_that_ends_badly_says_so_in_its_run_and_keeps_its_curves(mlflow_store, error, status):
    def train():
        with start_run("fcn", "train-fcn", {}, {}, mlflow_store) as recorder:
            ids.append(recorder.run_id)
            recorder.log_metrics({"train/loss": 1.0}, 1)
            raise error

    ids = []
    with pytest.raises(error):
        train()
    run = connect(mlflow_store).get_run(ids[0])
    assert (run.info.status, run.data.metrics["train/loss"]) == (status, 1.0)


def test_a_resumed_training_goes_on_in_its_run_and_one_unknown_here_starts_anew(mlflow_store):
    with start_run("fcn", "train-fcn", {"epochs": 2}, {}, mlflow_store) as first:
        first.log_metrics({"train/loss": 2.0}, 1)
    with start_run("fcn", "train-fcn", {"epochs": 2}, {}, mlflow_store, resume=first.run_id) as second:
        # A training repeats what it recorded before the kill: the run may have it or not.
        for step in (1, 2):
            second.log_metrics({"train/loss": 2.0 / step, "val/mean_iu": step / 10}, step)
    assert second.run_id == first.run_id
    for key, expected in {"train/loss": [(1, 2.0), (2, 1.0)], "val/mean_iu": [(1, 0.1), (2, 0.2)]}.items():
        assert [(m.step, m.value) for m in connect(mlflow_store).get_metric_history(first.run_id, key)] == expected
    with start_run("fcn", "train-fcn", {}, {}, mlflow_store, resume="0" * 32) as third:
        pass
    assert third.run_id != first.run_id


@pytest.mark.parametrize("cut", [(sender, "send_params"), (runs, "find_last_steps")])
def test_a_training_that_is_killed_as_its_run_is_made_goes_on_in_that_run(mlflow_store, cut, monkeypatch):
    class KilledError(Exception):
        """Stands for a kill."""

    def die(*_):
        raise KilledError

    def train():
        with start_run("fcn", "train-fcn", {"epochs": 2}, {}, mlflow_store, resume="offline-1") as recorder:
            return recorder.run_id

    with monkeypatch.context() as patch:
        patch.setattr(*cut, die)
        with pytest.raises(KilledError):
            train()
    resumed = train()
    (run,) = connect(mlflow_store).search_runs(["1"])
    assert (run.info.run_id, run.info.status, run.data.params) == (resumed, "FINISHED", {"epochs": "2"})


def test_metrics_travel_in_batches_and_wait_for_a_store_that_fails(mlflow_store, tmp_path, monkeypatch, capsys):
    from mlflow.exceptions import MlflowException

    monkeypatch.chdir(tmp_path)
    with start_run("fcn", "train-fcn", {}, {}, mlflow_store) as recorder:
        send, sent = recorder.client.log_batch, []
        monkeypatch.setattr(recorder.client, "log_batch", lambda _, metrics: sent.append(len(metrics)))
        for step in range(runs.BATCH - 1):
            recorder.log_metrics({"train/loss": 1.0}, step)
        assert sent == []
        recorder.log_metrics({"train/loss": 1.0}, runs.BATCH)
        assert sent == [runs.BATCH]

        def refuse(*_, **__):
            raise MlflowException("database is locked")

        monkeypatch.setattr(recorder.client, "log_batch", refuse)
        recorder.log_metrics({"val/mean_iu": 0.5}, 1)
        recorder.flush()
        told = capsys.readouterr().err
        assert f"1 metrics kept in .state/tracking/{recorder.run_id}" in told
        assert "database is locked" in told
        monkeypatch.setattr(recorder.client, "log_batch", send)
    assert connect(mlflow_store).get_run(recorder.run_id).data.metrics["val/mean_iu"] == 0.5


def test_a_run_shows_the_load_on_the_machine(mlflow_store, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    monkeypatch.setattr("pixelwise.tracking.runs.FLUSH_SECONDS", 0.2)
    client, end = connect(mlflow_store), time.monotonic() + 20
    with start_run("fcn", "train-fcn", {}, {}, mlflow_store) as recorder:
        while time.monotonic() < end and not client.get_run(recorder.run_id).data.metrics:
            time.sleep(0.2)
    names = client.get_run(recorder.run_id).data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= set(names)


def test_training_without_mlflow_runs_untracked_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.chdir(tmp_path)
    with start_run("fcn", "train-fcn", {}, {}) as recorder:
        recorder.log_metrics({"train/loss": 1.0}, 1)
        recorder.log_artifacts(tmp_path)
    assert recorder.run_id is None
    assert "mlflow is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_tracking_none_records_nothing_in_silence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with start_run("fcn", "train-fcn", {}, {}, "none") as recorder:
        pass
    record(run_file(tmp_path, "abc"), {"val/mean_iu": 1.0}, tracking="none")
    assert recorder.run_id is None
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "mlflow.db").exists()


def test_importing_the_tracker_does_not_import_mlflow():
    code = "import sys, pixelwise.tracking, components.register, components.promote; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_later_step_adds_metrics_and_artifacts_to_the_run_of_the_training(mlflow_store, tmp_path):
    with start_run("fcn", "train-fcn", {}, {}, mlflow_store) as recorder:
        recorder.log_metrics({"val/mean_iu": 0.4}, 7)
    page = tmp_path / "evaluate" / "report.html"
    page.parent.mkdir()
    page.write_text("<p>")
    record(run_file(tmp_path, recorder.run_id), {"val/mean_iu": 0.5, "benchmark/ratio": 2.0}, [page], mlflow_store)
    client = connect(mlflow_store)
    found = client.get_run(recorder.run_id).data.metrics
    assert (found["val/mean_iu"], found["benchmark/ratio"]) == (0.5, 2.0)
    assert [a.path for a in client.list_artifacts(recorder.run_id, "evaluate")] == ["evaluate/report.html"]


def test_the_measures_of_an_evaluation_are_added_under_its_split(mlflow_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    with start_run("guided", "train-guided", {}, {}, mlflow_store) as recorder:
        pass
    (tmp_path / "checkpoint").mkdir()
    run_file(tmp_path / "checkpoint", recorder.run_id)
    metrics = {"split": "val", "positive_iu": 0.5, "mean_iu": 0.7, "measures": {"positive IU": "positive_iu"}}
    record_measures(tmp_path, metrics)
    found = connect(mlflow_store).get_run(recorder.run_id).data.metrics
    assert {name: value for name, value in found.items() if name.startswith("evaluate/")} == {
        "evaluate/val/positive_iu": 0.5
    }


def test_recording_for_an_untracked_training_only_says_so(tmp_path, mlflow_store, capsys):
    record(run_file(tmp_path, None), {"val/mean_iu": 1.0}, tracking=mlflow_store)
    assert "the training was not tracked; nothing added" in capsys.readouterr().err


def test_recording_for_a_run_of_another_store_only_says_so(tmp_path, mlflow_store, capsys):
    record(run_file(tmp_path, "0" * 32), {"val/mean_iu": 1.0}, tracking=mlflow_store)
    assert f"has no run {'0' * 32}; nothing added" in capsys.readouterr().err


def test_a_broken_run_file_is_named(tmp_path):
    (tmp_path / "run.json").write_text('{"run_id": null}')
    with pytest.raises(DataError, match=r"run\.json: 'fingerprint', expected run_id"):
        record(tmp_path / "run.json", {})


def test_a_store_in_a_folder_that_is_not_there_fails_at_once_and_names_it(tmp_path):
    with pytest.raises(RegistryError, match=r"no folder .*missing"):
        connect(f"sqlite:///{tmp_path}/missing/mlflow.db")


def test_two_trainings_that_begin_together_create_the_store_one_after_the_other(tmp_path, monkeypatch):
    opened, most = [], []

    class Client:
        def __init__(self, uri, registry_uri):
            opened.append(uri)
            most.append(len(opened))
            time.sleep(0.2)
            opened.pop()

    monkeypatch.setattr(store, "import_mlflow", lambda: SimpleNamespace(MlflowClient=Client))
    monkeypatch.setattr(store, "follow_move", lambda _: None)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(connect, [f"sqlite:///{tmp_path}/mlflow.db"] * 2))
    assert most == [1, 1]


def test_the_git_commit_says_where_tracked_files_differ(tmp_path):
    assert read_git_commit(tmp_path) == ""
    file = tmp_path / "a.txt"
    file.write_text("1")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    commit = read_git_commit(tmp_path)
    assert len(commit) == 40
    file.write_text("2")
    assert read_git_commit(tmp_path) == f"{commit}-dirty"


def test_a_repository_of_another_owner_is_told_with_gits_remedy(tmp_path, monkeypatch, capsys):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    # Git's own switch for testing what it does in a checkout of another owner.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert read_git_commit(tmp_path) == ""
    told = capsys.readouterr().err
    assert "dubious ownership" in told
    assert f"git config --global --add safe.directory {tmp_path}" in told
    assert told.count("\n") == 1


def test_the_ledger_takes_a_line_once_and_keeps_what_it_has(tmp_path):
    ledger = tmp_path / "promotions.jsonl"
    for entry in ({"version": "1"}, {"version": "2"}, {"version": "2"}):
        append_once(ledger, entry)
    assert read_ledger(ledger) == [{"version": "1"}, {"version": "2"}]


def test_a_broken_line_of_the_ledger_is_named(tmp_path):
    (tmp_path / "promotions.jsonl").write_text('{"version": "1"}\n{"ver')
    with pytest.raises(RegistryError, match=r"promotions\.jsonl:2: found '{\"ver'"):
        read_ledger(tmp_path / "promotions.jsonl")
