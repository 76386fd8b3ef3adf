"""A whole run of the pipeline whose MLflow server is down from the first stage to the last, with secrets all around."""

import json

import pytest
from support.mlflow_server import server_down
from support.small_project import EPOCHS, make_project, pixelwise

from pixelwise.registry.versions import read_aliases
from pixelwise.tracking import unsent_runs
from pixelwise.tracking.sender import find_run

SECRET = "sesame-7b1f"
KEPT_SECRET = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def server(tmp_path, mlflow_template):
    with server_down(tmp_path, mlflow_template) as server:
        yield server


@pytest.fixture
def checkout(tmp_path):
    return make_project(tmp_path / "checkout")


def run_with_secrets(checkout, uri, *command):
    """What a command prints, all of it, and its status; its environment is full of secrets."""
    return pixelwise(checkout, *command, MLFLOW_TRACKING_URI=uri, **dict.fromkeys(KEPT_SECRET, SECRET))


@pytest.mark.slow
def test_with_the_server_down_for_a_whole_run_it_completes_and_every_metric_is_there_after_the_sync(server, checkout):
    uri = server.uri.replace("http://", f"http://ann:{SECRET}@")
    status, told = run_with_secrets(checkout, uri, "run", "fcn")
    assert status == 0, told
    assert f"register-fcn … postponed: {server.uri}" in told
    assert "pipeline: 8 ran, 1 postponed" in told
    local = json.loads((checkout / "models/fcn/checkpoint/run.json").read_text())["run_id"]
    kept = unsent_runs.read_metrics(checkout / unsent_runs.UNSENT_FOLDER / local)
    params = json.loads((checkout / unsent_runs.UNSENT_FOLDER / local / unsent_runs.FACTS_FILE).read_text())["params"]

    client = server.start()
    status, synced = run_with_secrets(checkout, uri, "send-runs")
    assert status == 0, synced
    run = client.get_run(find_run(client, local))
    history = json.loads((checkout / "models/fcn/checkpoint/history.json").read_text())
    assert len(history) == EPOCHS
    for key in set(history[0]) - {"epoch"}:
        # What later steps measured comes after the training's.
        assert values_of(client, run, key)[:EPOCHS] == [row[key] for row in history], key
    for key in {row["key"] for row in kept}:
        assert values_of(client, run, key) == [row["value"] for row in kept if row["key"] == key], key
    scores = json.loads((checkout / "reports/fcn/metrics.json").read_text())
    assert run.data.metrics["val/mean_iu"] == scores["mean_iu"]
    assert {"int8/mean_iu", "float32/mean_iu"} < set(run.data.metrics)
    assert [key for key in run.data.metrics if key.startswith("benchmark/")]
    assert run.data.params == dict(params)
    assert run.info.status == "FINISHED"
    print(
        f"\n{len(kept)} values of {len(run.data.metrics)} metrics and {len(params)} parameters are there after the sync"
    )

    status, again = run_with_secrets(checkout, uri, "run", "fcn")
    assert status == 0, again
    assert "pipeline: 8 unchanged, 1 registered, 1 promoted" in again
    assert read_aliases(client, "fcn") == {"champion": "1"}
    assert client.get_model_version("fcn", "1").run_id == run.info.run_id

    assert SECRET not in told + synced + again
    files = [file for file in server.folder.rglob("*") if file.is_file()]
    assert {checkout / "models/fcn/onnx/model.onnx", checkout / ".prefect/prefect.db"} < set(files)
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


def values_of(client, run, key):
    """What a run has of a metric, as it was measured."""
    return [point.value for point in client.get_metric_history(run.info.run_id, key)]
