import ctypes
import gzip
import json
import os
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image
from support.channel_model import NAMES, channel_picture, write_channel_model
from support.http_server import encoded, service_of, serving, wait_until

from pixelwise.errors import ModelError, ParamsError
from pixelwise.inference.session import Segmenter
from pixelwise.reporting.label_images import overlay
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.listening import listen
from pixelwise.serving.models import open_file
from pixelwise.serving.server import describe_address

IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model") / "channels")


@pytest.fixture(scope="module")
def client(model):
    with serving(service_of(model, max_mebibytes=0.25, max_pixels=90_000)) as client:
        yield client


@pytest.fixture
def held(model):
    """A service whose model waits until it is told to go on, and the events for it: entered and go."""
    service = service_of(model, queue=3, max_batch=1, timeout_seconds=15)
    entered, go = hold(service)
    yield service, entered, go
    go.set()


def hold(service):
    entered, go = threading.Event(), threading.Event()
    predict = type(service.batcher.served.segmenter).predict

    class Held:
        def __init__(self, segmenter):
            self.segmenter = segmenter

        def __getattr__(self, name):
            return getattr(self.segmenter, name)

        def predict(self, images):
            entered.set()
            assert go.wait(20)
            return predict(self.segmenter, images)

    object.__setattr__(service.batcher.served, "segmenter", Held(service.batcher.served.segmenter))
    return entered, go


def opened(response):
    assert response.status_code == 200, response.text
    return Image.open(BytesIO(response.content))


def require_refusal(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert "\n" not in response.json()["detail"]
    return response.json()["detail"]


def test_the_label_map_is_the_models_own_with_the_names_in_a_header(client):
    response = client.post("/predict", content=PICTURE)
    assert (np.array(opened(response)) == LABEL).all()
    assert json.loads(response.headers["X-Pixelwise-Classes"]) == list(NAMES)
    assert response.headers["X-Pixelwise-SHA256"] == client.get("/health").json()["model"]["sha256"]


def test_a_form_with_a_file_is_answered_like_the_bare_picture(client):
    response = client.post("/predict", files={"file": ("street.png", PICTURE, "image/png")})
    assert (np.array(opened(response)) == LABEL).all()


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/html", "multipart/form-data", None])
@pytest.mark.parametrize("field", ["file", "image", None])
def test_the_content_decides_whatever_the_client_calls_it(client, kind, field):
    content = PICTURE
    if field:
        sent = httpx.Request("POST", "http://server", files={field: ("street.png", PICTURE)})
        content = sent.read()
    response = client.post("/predict", content=content, headers={"Content-Type": kind} if kind else {})
    assert (np.array(opened(response)) == LABEL).all()


def test_the_overlay_is_what_predict_paints(client, model):
    palette = open_file(model, "cpu").segmenter.palette
    response = client.post("/predict?output=overlay", content=PICTURE)
    assert (np.array(opened(response)) == overlay(IMAGE, LABEL, palette)).all()


@pytest.mark.parametrize("how", [{"params": {"output": "rle"}}, {"headers": {"Accept": "application/json"}}])
def test_run_lengths_come_by_query_or_by_accept_with_class_names(client, how):
    found = client.post("/predict", content=PICTURE, **how).json()
    assert (found["size"], found["classes"]) == ([24, 40], list(NAMES))
    assert {entry["name"]: entry["area"] for entry in found["segments"]} == {
        name: int((index == LABEL).sum()) for index, name in enumerate(NAMES)
    }
    compressed = client.post("/predict?output=rle&counts=compressed", content=PICTURE).json()
    assert all(isinstance(entry["segmentation"]["counts"], str) for entry in compressed["segments"])


def test_a_picture_on_its_side_is_labelled_upright(client):
    turned = Image.Exif()
    turned[0x0112] = 6
    response = client.post("/predict", content=encoded(IMAGE, exif=turned))
    assert (np.array(opened(response)) == np.rot90(LABEL, -1)).all()


def png_header(width, height):
    """A PNG that says it is huge and holds little."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def many_scans():
    file = encoded(IMAGE, "JPEG", progressive=True)
    start = file.index(b"\xff\xda")
    return file[:start] + file[start:-2] * 40 + file[-2:]


BAD = {
    "too many bytes": (413, {"content": bytes(300_000)}),
    "too many bytes in parts": (413, {"content": (bytes(9_000) for _ in range(99))}),
    "too many pixels": (413, {"content": encoded(np.zeros((301, 300, 3), np.uint8))}),
    "a bomb": (413, {"content": png_header(30_000, 30_000)}),
    "no picture": (415, {"content": b"GIF89a, or so it says"}),
    "another format": (415, {"content": encoded(IMAGE, "PPM")}),
    "a page": (415, {"content": b"<html>404</html>", "headers": {"Content-Type": "image/png"}}),
    "compressed": (415, {"content": gzip.compress(PICTURE), "headers": {"Content-Encoding": "gzip"}}),
    "empty": (422, {"content": b""}),
    "truncated": (422, {"content": PICTURE[: len(PICTURE) // 2]}),
    "too small": (422, {"content": encoded(IMAGE[:4, :4])}),
    "scans without end": (422, {"content": many_scans()}),
    "output": (422, {"content": PICTURE, "params": {"output": "svg"}}),
    "counts": (422, {"content": PICTURE, "params": {"counts": "many"}}),
    "form without a file": (422, {"content": b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n1\r\n--x--'}),
    "form of two files": (422, {"files": [("file", PICTURE), ("file", PICTURE)]}),
    "form without a boundary": (422, {"content": b"--"}),
    "form of a long boundary": (422, {"content": b"--" + 99 * b"x" + b"\r\n"}),
    "form that ends early": (422, {"content": b"--x\r\nContent-Disposition: form-data"}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_in_one_line_and_the_next_is_answered(case, client):
    status, request = BAD[case]
    require_refusal(client.post("/predict", **request), status)
    assert client.post("/predict", content=PICTURE).status_code == 200


def test_other_paths_and_methods_are_refused_as_json(client):
    require_refusal(client.get("/predict"), 405)
    require_refusal(client.get("/"), 404)


def test_health_names_the_model_and_the_provider_that_is_used(client, model):
    found = client.get("/health").json()
    assert (found["ready"], found["provider"], found["error"]) == (True, "CPUExecutionProvider", None)
    assert (found["model"]["name"], found["model"]["version"], found["classes"]) == ("channels", None, list(NAMES))


def test_metrics_count_requests_by_status_batches_and_the_model(model):
    with serving(service_of(model)) as client:
        client.post("/predict", content=PICTURE)
        client.post("/predict", content=b"no")
        text = client.get("/metrics").text
    for line in (
        'pixelwise_requests_total{status="200"} 1.0',
        'pixelwise_requests_total{status="415"} 1.0',
        "pixelwise_request_seconds_count 2.0",
        "pixelwise_batch_size_sum 1.0",
        "pixelwise_queue_length 0.0",
        'pixelwise_model_reloads_total{outcome="failed"} 0.0',
    ):
        assert line in text
    assert 'name="channels",provider="CPUExecutionProvider"' in text


def test_pictures_of_one_size_share_a_batch_and_each_gets_its_own_labels(model):
    service = service_of(model, wait_milliseconds=300, max_batch=6)
    worlds = [channel_picture(seed, (24, 40) if seed % 2 else (32, 16)) for seed in range(12)]
    with serving(service) as client, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda world: client.post("/predict", content=encoded(world[0])), worlds))
        text = client.get("/metrics").text
    for answer, (_, label) in zip(answers, worlds, strict=True):
        assert (np.array(opened(answer)) == label).all()
    assert "pixelwise_batch_size_sum 12.0" in text
    assert "pixelwise_batch_size_count 2.0" in text


@pytest.mark.parametrize(("provider", "batches"), [("CPUExecutionProvider", 4), ("CUDAExecutionProvider", 1)])
def test_a_cpu_takes_pictures_one_by_one_and_a_gpu_together_unless_told(model, provider, batches):
    service = service_of(model, wait_milliseconds=500)
    object.__setattr__(service.batcher.served.segmenter, "provider", provider)
    with serving(service) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/predict", content=PICTURE), range(4)))
        text = client.get("/metrics").text
    assert {answer.status_code for answer in answers} == {200}
    assert f"pixelwise_batch_size_count {batches}.0" in text


def test_a_full_house_refuses_and_says_when_to_come_back(held):
    service, entered, go = held
    with serving(service) as client, ThreadPoolExecutor(4) as pool:
        inside = [pool.submit(client.post, "/predict", content=PICTURE) for _ in range(3)]
        wait_until(lambda: service.admitted == 3 and entered.is_set())
        # Its body is longer than what the connection holds, and nobody in the house reads it.
        refused = client.post("/predict", content=PICTURE + bytes(8_000_000))
        assert "full" in require_refusal(refused, 503)
        assert refused.headers["retry-after"] == "1"
        go.set()
        assert [future.result().status_code for future in inside] == [200] * 3
        assert client.post("/predict", content=PICTURE).status_code == 200


def test_a_request_that_takes_too_long_ends_with_503_and_the_next_is_answered(model):
    service = service_of(model, timeout_seconds=0.3)
    _, go = hold(service)
    with serving(service) as client:
        assert "0.3 seconds" in require_refusal(client.post("/predict", content=PICTURE), 503)
        go.set()
        wait_until(lambda: client.post("/predict", content=PICTURE).status_code == 200)


def test_a_body_that_does_not_come_ends_with_408(model):
    def slow():
        yield PICTURE[:9]
        stop.wait(1)

    stop = threading.Event()
    with serving(service_of(model, timeout_seconds=0.3)) as client:
        require_refusal(client.post("/predict", content=slow()), 408)
        stop.set()


def test_a_fault_of_the_model_is_one_line_to_the_client_and_all_to_the_log(model, capfd):
    broken = service_of(model)
    object.__setattr__(broken.batcher.served.segmenter, "session", None)
    with serving(broken) as client:
        assert "log" in require_refusal(client.post("/predict", content=PICTURE), 500)
        assert client.get("/health").status_code == 200
    assert "AttributeError" in capfd.readouterr().err


def test_a_batch_that_there_is_no_memory_for_is_told_and_the_next_is_labelled(model, monkeypatch):
    def out_of_memory(_):
        raise MemoryError

    with serving(service_of(model)) as client:
        with monkeypatch.context() as patch:
            patch.setattr("pixelwise.serving.batching.np.stack", out_of_memory)
            assert "memory" in require_refusal(client.post("/predict", content=PICTURE), 503)
        assert client.post("/predict", content=PICTURE).status_code == 200


def test_a_picture_that_onnx_runtime_has_no_memory_for_is_told_and_the_next_is_labelled(model, monkeypatch, capfd):
    def fail(*_):
        raise ModelError("ONNX Runtime failed on image 1×24×40×3: Failed to allocate memory")

    with serving(service_of(model)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Segmenter, "run", fail)
            assert "Failed to allocate memory" in require_refusal(client.post("/predict", content=PICTURE), 500)
        assert client.post("/predict", content=PICTURE).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_model_that_gives_fewer_labels_than_pictures_is_told_and_the_next_is_labelled(model):
    service = service_of(model)
    segmenter = service.batcher.served.segmenter
    with serving(service) as client:
        none = SimpleNamespace(provider=segmenter.provider, predict=lambda images: segmenter.predict(images)[:0])
        object.__setattr__(service.batcher.served, "segmenter", none)
        require_refusal(client.post("/predict", content=PICTURE), 500)
        object.__setattr__(service.batcher.served, "segmenter", segmenter)
        assert client.post("/predict", content=PICTURE).status_code == 200


def resident():
    """The MiB that this process has in memory, without what the C library keeps of freed buffers."""
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_huge_picture_leaves_no_memory_taken(model):
    segmenter = service_of(model).batcher.served.segmenter
    before = resident()
    # As numbers of the graph it takes 137 MiB, whole. In tiles, the C library keeps some of the smaller buffers.
    replace(segmenter, tile=4096).predict(np.zeros((1, 3000, 4000, 3), np.uint8))
    assert resident() - before < 100


def test_draining_answers_what_is_inside_and_refuses_what_is_new(held):
    service, entered, go = held
    with serving(service) as client, ThreadPoolExecutor(1) as pool:
        inside = pool.submit(client.post, "/predict", content=PICTURE)
        assert entered.wait(10)
        service.is_draining = True
        assert "stopping" in require_refusal(client.post("/predict", content=PICTURE), 503)
        assert client.get("/health").status_code == 503
        go.set()
        assert inside.result().status_code == 200


@pytest.mark.parametrize(("family", "instead"), [("clockwork", "--schedule"), ("guided", "--guidance")])
def test_a_model_of_several_graphs_is_refused_with_what_takes_it_instead(tmp_path, family, instead):
    write_channel_model(tmp_path / "model", family=family)
    with pytest.raises(
        ModelError, match=rf"several graphs \({family}\), expected one graph; `pixelwise predict {instead}"
    ):
        open_file(tmp_path / "model", "cpu")


def test_it_listens_on_this_machine_alone_unless_told_and_says_what_that_means():
    with listen(ServeParams().host, 0) as alone, listen("0.0.0.0", 0) as everywhere:
        assert "only this machine can ask" in describe_address(alone)
        assert "whoever reaches this machine can ask, without password or encryption" in describe_address(everywhere)


def test_a_taken_port_is_named(model):
    with listen("127.0.0.1", 0) as taken, pytest.raises(ParamsError, match="address already in use"):
        listen("127.0.0.1", taken.getsockname()[1])
