"""Requests with a picture: answers, and refusals of bad ones."""

import gzip
import json
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image
from support.channel_model import NAMES, channel_picture
from support.http_server import encoded, opened, require_refusal, service_of, serving

from pixelwise.errors import ParamsError
from pixelwise.reporting.label_images import overlay
from pixelwise.serving.limits import ServeParams, log_once
from pixelwise.serving.listening import listen
from pixelwise.serving.models import open_file
from pixelwise.serving.server import describe_address

IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)


@pytest.fixture(scope="module")
def client(model):
    with serving(service_of(model, max_mebibytes=0.25, max_pixels=90_000)) as client:
        yield client


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


@pytest.mark.covers("serve", "fcn")
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
    palette = open_file(model, "cpu").model.palette
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


def test_it_listens_on_this_machine_alone_unless_told_and_says_what_that_means():
    with listen(ServeParams().host, 0) as alone, listen("0.0.0.0", 0) as everywhere:
        assert "only this machine can ask" in describe_address(alone)
        assert "whoever reaches this machine can ask, without password or encryption" in describe_address(everywhere)


def test_a_taken_port_is_named(model):
    with listen("127.0.0.1", 0) as taken, pytest.raises(ParamsError, match="address already in use"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_that_pictures_of_16_bits_are_reduced_is_logged_once(client, capfd):
    log_once.cache_clear()
    deep = encoded(np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 60)
    for _ in range(2):
        assert client.post("/predict", content=deep).status_code == 200
    assert capfd.readouterr().err.count("note: pictures of 16 bits a channel, divided by 256") == 1
