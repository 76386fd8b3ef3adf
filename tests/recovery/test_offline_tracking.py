"""A run whose MLflow server does not answer is kept, and sent once when it does. The server is a real one."""

import json
import shutil
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from support.mlflow_server import server_down

from flows.server import find_free_port
from pixelwise.errors import RegistryError
from pixelwise.tools import send_runs
from pixelwise.tracking import sender, unsent_runs
from pixelwise.tracking.runs import record, start_run
from pixelwise.tracking.sender import find_run
from pixelwise.tracking.store import UnreachableError, connect, redact_uri, translate_errors


@pytest.fixture
def server(tmp_path, mlflow_template, monkeypatch):
    """A server that is down, in the working directory."""
    monkeypatch.chdir(tmp_path)
    with server_down(tmp_path, mlflow_template) as server:
        yield server


@pytest.fixture
def store(mlflow_store, tmp_path, monkeypatch):
    """An SQLite store that can be made to fail and to work again."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mlflow.db"

    def fail():
        file.rename(tmp_path / "away.db")
        file.mkdir()

    def mend():
        file.rmdir()
        (tmp_path / "away.db").rename(file)

    return SimpleNamespace(uri=mlflow_store, fail=fail, mend=mend)


def train(uri, page, between=lambda: None, **options):
    """A training of four epochs with a page to show; `between` comes after the second."""
    with start_run(
        "fcn", "train-fcn", {"epochs": 4, "net": {"stride": 8}}, {"fingerprint": "f"}, uri, **options
    ) as run:
        for step in (1, 2, 3, 4):
            run.log_metrics({"train/loss": 1 / step, "val/mean_iu": step / 10}, step)
            if step == 2:
                between()
        run.log_artifacts(page)
    return run.run_id


@pytest.fixture
def page(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page/report.html").write_text("<p>")
    return tmp_path / "page/report.html"


def curve(client, run_id, name="train/loss"):
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


def assert_whole(client, run_id):
    """The run has all that `train` told, once."""
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"epochs": "4", "net.stride": "8"}
    assert run.data.tags["fingerprint"] == "f"
    assert curve(client, run_id) == [(step, 1 / step) for step in (1, 2, 3, 4)]
    assert curve(client, run_id, "val/mean_iu") == [(step, step / 10) for step in (1, 2, 3, 4)]
    assert [artifact.path for artifact in client.list_artifacts(run_id, "page")] == ["page/report.html"]


def all_runs(client):
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def waiting():
    return [parcel.name for parcel in unsent_runs.list_unsent()]


@pytest.mark.slow
def test_with_the_server_down_for_a_whole_run_every_metric_is_there_after_the_sync(server, page, capsys):
    began, local = unsent_runs.read_milliseconds(), train(server.uri, page)
    ended = unsent_runs.read_milliseconds()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"the run is kept in .state/tracking/{local}" in line
    with pytest.raises(UnreachableError, match="Connection refused"):
        send_runs.run(server.uri)
    client = server.start()
    report = send_runs.run(server.uri)
    run_id = find_run(client, local)
    assert str(report) == f"sent to {server.uri}: run {run_id}"
    assert_whole(client, run_id)
    times = [point.timestamp for point in client.get_metric_history(run_id, "train/loss")]
    assert began <= min(times) <= max(times) <= ended
    info = client.get_run(run_id).info
    assert began <= info.start_time <= info.end_time <= ended
    assert waiting() == []
    assert "nothing waits" in str(send_runs.run(server.uri))
    assert len(all_runs(client)) == 1


@pytest.mark.slow
def test_a_server_that_goes_down_in_the_middle_gets_the_rest_from_the_next_step(server, page, capsys):
    client = server.start()
    run_id = train(server.uri, page, between=server.kill)
    assert f"kept in .state/tracking/{run_id}" in capsys.readouterr().err
    client = server.start()
    with start_run("fcn", "another", {}, {}, server.uri):
        pass
    assert_whole(client, run_id)
    assert waiting() == []


def test_with_the_database_away_for_a_whole_run_every_metric_is_there_after_the_sync(store, page, capsys):
    store.fail()
    local = train(store.uri, page)
    assert f"unable to open database file; the run is kept in .state/tracking/{local}" in capsys.readouterr().err
    store.mend()
    send_runs.run(store.uri)
    assert_whole(connect(store.uri), find_run(connect(store.uri), local))
    assert waiting() == []


def test_a_database_that_goes_away_in_the_middle_gets_the_rest_from_the_next_step(store, page):
    run_id = train(store.uri, page, between=store.fail)
    assert waiting() == [run_id]
    store.mend()
    with start_run("fcn", "another", {}, {}, store.uri):
        pass
    assert_whole(connect(store.uri), run_id)
    assert waiting() == []


def run_file(folder, run_id):
    path = folder / "run.json"
    path.write_text(json.dumps({"run_id": run_id, "fingerprint": "f", "experiment": "fcn", "parts": {}}))
    return path


def test_a_run_kept_offline_and_a_later_step_that_adds_to_it_both_reach_the_store(store, page, tmp_path, capsys):
    store.fail()
    file = run_file(tmp_path, train(store.uri, page))
    record(file, {"val/mean_iu": 0.9}, [page], store.uri)
    assert "what this step adds is kept in" in capsys.readouterr().err
    store.mend()
    record(file, {"benchmark/ratio": 2.0}, tracking=store.uri)
    client = connect(store.uri)
    (run,) = all_runs(client)
    assert (run.data.metrics["val/mean_iu"], run.data.metrics["benchmark/ratio"]) == (0.9, 2.0)
    assert len(curve(client, run.info.run_id, "val/mean_iu")) == 5
    assert run.data.tags["local_run_id"] == json.loads(file.read_text())["run_id"]


@pytest.mark.parametrize(
    "cut", ["create_run", "send_params", "send_metrics", "log_artifacts", "set_terminated", "remove_unsent"]
)
def test_a_sync_that_is_cut_after_any_part_sends_all_of_it_once_when_repeated(store, page, cut, monkeypatch):
    class CutError(Exception):
        """Stands for a kill."""

    store.fail()
    local = train(store.uri, page)
    store.mend()
    client = connect(store.uri)
    with monkeypatch.context() as patch:
        owner = next(owner for owner in (sender, unsent_runs, client) if hasattr(owner, cut))
        act = getattr(owner, cut)

        def cut_after(*args):
            if cut != "remove_unsent":
                act(*args)
            raise CutError

        patch.setattr(owner, cut, cut_after)
        with pytest.raises(CutError):
            sender.send_unsent_runs(client, store.uri)
    assert waiting() == [local]
    send_runs.run(store.uri)
    (run,) = all_runs(client)
    assert_whole(client, run.info.run_id)


def test_a_training_killed_offline_goes_on_in_its_run_when_the_store_is_back(store, page):
    store.fail()
    with start_run("fcn", "train-fcn", {"epochs": 2}, {}, store.uri) as first:
        first.log_metrics({"train/loss": 2.0}, 1)
    (unsent_runs.UNSENT_FOLDER / first.run_id / unsent_runs.END_FILE).unlink()
    with (unsent_runs.UNSENT_FOLDER / first.run_id / unsent_runs.METRICS_FILE).open("a") as file:
        file.write('\n{"key": "train/lo')
    with start_run("fcn", "train-fcn", {"epochs": 2}, {}, store.uri, resume=first.run_id) as second:
        # As a training does, which does not know what was kept of the curve.
        second.log_metrics({"train/loss": 2.0}, 1)
        second.log_metrics({"train/loss": 1.0}, 2)
    assert second.run_id == first.run_id
    store.mend()
    with start_run("fcn", "train-fcn", {"epochs": 2}, {}, store.uri, resume=first.run_id) as third:
        third.log_metrics({"train/loss": 0.5}, 3)
    client = connect(store.uri)
    (run,) = all_runs(client)
    assert third.run_id == run.info.run_id
    assert run.info.status == "FINISHED"
    assert curve(client, third.run_id) == [(1, 2.0), (2, 1.0), (3, 0.5)]


def test_what_waits_for_another_store_is_sent_where_a_user_says_so_alone(store, page, tmp_path, mlflow_template):
    store.fail()
    local = train(store.uri, page)
    shutil.copy(mlflow_template, tmp_path / "other.db")
    other = f"sqlite:///{tmp_path}/other.db"
    with start_run("fcn", "another", {}, {}, other):
        pass
    assert waiting() == [local]
    send_runs.run(other)
    assert waiting() == []
    assert find_run(connect(other), local)


def test_a_run_that_the_store_refuses_stays_and_stops_no_other(store, page, capsys):
    store.fail()
    refused = train(store.uri, page)
    unsent_runs.save_metrics(refused, [{"key": "no\nname", "value": 1.0, "timestamp": 1, "step": 1}])
    good = train(store.uri, page)
    store.mend()
    with pytest.raises(RegistryError, match="1 in all"):
        send_runs.run(store.uri)
    assert waiting() == [refused]
    assert f"{refused} stays: " in capsys.readouterr().err
    assert_whole(connect(store.uri), find_run(connect(store.uri), good))


def test_what_mlflow_says_of_a_store_is_told_without_its_password():
    uri = "http://ann:secret@host:5000?token=secret"
    told = "http://host:5000: API request to http://host:5000/api failed$"
    with pytest.raises(RegistryError, match=told), translate_errors(uri):
        raise MlflowException(f"API request to {uri}/api failed")


def test_passwords_of_a_store_are_neither_shown_nor_kept(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    uri = f"postgresql://ann:secret@127.0.0.1:{find_free_port()}/runs"
    assert redact_uri(uri) == uri.replace("ann:secret@", "")
    train(uri, page)
    assert "secret" not in capsys.readouterr().err
    assert not [
        file for file in unsent_runs.UNSENT_FOLDER.rglob("*") if file.is_file() and "secret" in file.read_text()
    ]
