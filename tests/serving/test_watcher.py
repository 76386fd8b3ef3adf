import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from support.channel_model import NAMES, channel_picture, write_channel_model
from support.http_server import encoded, serving, wait_until

from pixelwise.errors import ModelError, RegistryError
from pixelwise.identity import sha256_file
from pixelwise.registry.registration import add_version
from pixelwise.registry.versions import ONNX_TAG, find_logged_model, move_alias
from pixelwise.serving.limits import ServeParams
from pixelwise.tools.serve import open_service
from pixelwise.tracking.store import connect

PROJECT = Path(__file__).resolve().parents[2]
IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)
QUICK = ServeParams(device="cpu", poll_seconds=0.1, queue=64)


@pytest.fixture
def registry(tmp_path, mlflow_store):
    """A client of a registry with two versions of `fcn`: the classes of the second have other names."""
    client = connect(mlflow_store)
    for number, names in (("1", NAMES), ("2", tuple(f"{name} 2" for name in NAMES))):
        add(client, write_channel_model(tmp_path / number, names))
    move_alias(client, "fcn", "champion", "1")
    return client


def add(client, model, sha256=None):
    tags = {ONNX_TAG: sha256 or sha256_file(model / "onnx/model.onnx")}
    return add_version(client, "fcn", model, run_id=None, experiment="fcn", tags=tags)


def followed(client):
    return open_service(QUICK, "models:/fcn@champion", client.tracking_uri)


def graph_of(client, version):
    """The file of a version in the store."""
    return Path(find_logged_model(client, "fcn", version).artifact_location.removeprefix("file://")) / "onnx/model.onnx"


def test_a_new_champion_takes_over_with_fifty_requests_in_flight_and_none_is_lost(registry):
    with serving(followed(registry)) as client, ThreadPoolExecutor(50) as pool:
        ask = lambda _: client.post("/predict", content=PICTURE)  # noqa: E731
        before = [pool.submit(ask, None) for _ in range(50)]
        move_alias(registry, "fcn", "champion", "2")
        answers = [future.result() for future in before]
        while client.get("/health").json()["model"]["version"] != "2":
            answers += list(pool.map(ask, range(50)))
        answers += list(pool.map(ask, range(10)))
        text = client.get("/metrics").text
    assert {answer.status_code for answer in answers} == {200}
    versions = {answer.headers["X-Pixelwise-Version"]: answer for answer in answers}
    assert set(versions) == {"1", "2"}
    for number, answer in versions.items():
        # Names and labels come from the same model.
        assert ("red 2" in answer.headers["X-Pixelwise-Classes"]) == (number == "2")
        assert (np.array(Image.open(BytesIO(answer.content))) == LABEL).all()
    assert 'pixelwise_model_reloads_total{outcome="loaded"} 1.0' in text
    assert text.count("pixelwise_model{") == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.write_bytes(file.read_bytes() + b"\x22\x00"), "as registered"),
        (lambda file: file.unlink(), "model.onnx: no such file"),
    ],
    ids=["hash", "lost"],
)
def test_a_damaged_champion_keeps_the_old_one_and_health_says_why_until_it_is_mended(registry, damage, reason):
    damage(graph_of(registry, "2"))
    with serving(followed(registry)) as client:
        move_alias(registry, "fcn", "champion", "2")
        wait_until(lambda: client.get("/health").json()["error"])
        health = client.get("/health").json()
        assert reason in health["error"]
        assert "\n" not in health["error"]
        assert (health["ready"], health["model"]["version"]) == (True, "1")
        assert client.post("/predict", content=PICTURE).headers["X-Pixelwise-Version"] == "1"
        assert 'outcome="failed"} 0.0' not in client.get("/metrics").text
        move_alias(registry, "fcn", "champion", "1")
        wait_until(lambda: client.get("/health").json()["error"] is None)


def test_a_champion_that_is_no_graph_is_refused_once_and_the_next_one_serves(registry, tmp_path):
    add(registry, write_channel_model(tmp_path / "3"))
    graph = graph_of(registry, "3")
    graph.write_bytes(b"not a graph")
    registry.set_model_version_tag("fcn", "3", ONNX_TAG, sha256_file(graph))
    with serving(followed(registry)) as client:
        move_alias(registry, "fcn", "champion", "3")
        wait_until(lambda: client.get("/health").json()["error"])
        assert "fcn version 3: not a graph" in client.get("/health").json()["error"]
        time.sleep(0.5)
        assert 'outcome="failed"} 1.0' in client.get("/metrics").text
        move_alias(registry, "fcn", "champion", "2")
        wait_until(lambda: client.get("/health").json()["model"]["version"] == "2")
        assert client.get("/health").json()["error"] is None


def test_an_alias_that_is_gone_keeps_the_model(registry):
    with serving(followed(registry)) as client:
        move_alias(registry, "fcn", "champion", None)
        wait_until(lambda: client.get("/health").json()["error"])
        assert "models:/fcn@champion: no such version" in client.get("/health").json()["error"]
        assert client.post("/predict", content=PICTURE).status_code == 200


def test_a_service_does_not_start_on_a_file_that_was_not_registered(registry):
    file = graph_of(registry, "1")
    file.write_bytes(file.read_bytes() + b"\x22\x00")
    with pytest.raises(ModelError, match=r"model.onnx: found sha256 \w+, expected \w+ as registered"):
        followed(registry)


def test_an_unknown_alias_is_named_with_those_there_are(registry):
    with pytest.raises(
        RegistryError, match=r"models:/fcn@best: no such version in .*, which has fcn@champion = version 1"
    ):
        open_service(QUICK, "models:/fcn@best", registry.tracking_uri)


def test_sigterm_finishes_what_was_accepted_and_ends_with_status_0(tmp_path):
    model = write_channel_model(tmp_path / "model")
    command = [sys.executable, "-m", "pixelwise.tools.serve", str(model), "--port", "0", "--device", "cpu"]
    server = subprocess.Popen(
        [*command, "--max-batch", "8", "--wait-milliseconds", "4000"],
        cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = server.stderr.readline()
        assert "only this machine can ask" in line
        with httpx.Client(base_url=line.partition(" at ")[2].split()[0], timeout=20) as client:
            wait_until(lambda: client.get("/health").status_code == 200)
            with ThreadPoolExecutor(3) as pool:
                inside = [pool.submit(client.post, "/predict", content=PICTURE) for _ in range(3)]
                wait_until(lambda: "requests_in_progress 3.0" in client.get("/metrics").text)
                os.kill(server.pid, signal.SIGTERM)
                wait_until(lambda: client.get("/health").status_code == 503)
                assert client.post("/predict", content=PICTURE).status_code == 503
                assert [future.result().status_code for future in inside] == [200] * 3
        assert server.wait(20) == 0
        assert server.stdout.read() == "stopped: all accepted requests are answered\n"
    finally:
        server.kill()
        server.communicate()
