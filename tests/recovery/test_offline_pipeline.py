"""Steps whose MLflow server is down from the first to the last, with secrets all around them."""

import json
import os
import subprocess
import sys

import pytest
from kill_world import PROJECT, make_repository
from mlflow_world import server_down

from components.tracking.sending import known_run

SECRET = "sesame-7b1f"
KEPT_SECRET = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY")
TRAIN = "train --family fcn --data data --out model/checkpoint --state .state/train"
EXPORT = "export --section fcn.export --model model/checkpoint --out model"
EVALUATE = "evaluate --section fcn.evaluate --model model --data data --out report"


@pytest.fixture
def server(tmp_path, mlflow_template):
    with server_down(tmp_path, mlflow_template) as server:
        yield server


def pixelwise(folder, uri, command):
    """What a command prints, all of it, and its status; its environment is full of secrets."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(
        [sys.executable, "-m", "components.cli", *command.split()],
        cwd=folder, env=environment | dict.fromkeys(KEPT_SECRET, SECRET), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr, done.returncode


@pytest.mark.slow
def test_with_the_server_down_for_all_steps_every_metric_is_there_after_the_sync_and_no_secret(server, tmp_path):
    uri = server.uri.replace("http://", f"http://ann:{SECRET}@")
    folder = make_repository(tmp_path / "repository", epochs=3)
    told = {step: pixelwise(folder, uri, step) for step in (TRAIN, EXPORT, EVALUATE)}
    client = server.start()
    told |= {step: pixelwise(folder, uri, step) for step in ("sync", "release show nobody")}
    assert [status for _, status in told.values()] == [0, 0, 0, 0, 1], told
    assert "the run is kept in .state/tracking/offline-" in told[TRAIN][0]
    assert "nobody: http://127.0.0.1" in told["release show nobody"][0]

    run_id = known_run(client, json.loads((folder / "model/checkpoint/run.json").read_text())["run_id"])
    history = json.loads((folder / "model/checkpoint/history.json").read_text())
    assert len(history) == 3
    for key in set(history[0]) - {"epoch"}:
        kept = [point.value for point in client.get_metric_history(run_id, key)]
        assert kept[:3] == [row[key] for row in history], key
    # The fourth is the evaluation's.
    assert len(client.get_metric_history(run_id, "val/mean_iu")) == 4
    assert client.get_run(run_id).info.status == "FINISHED"

    assert SECRET not in str(told)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert folder / "model/model.onnx" in files
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
