"""The server as an ML backend of Label Studio, for which a small server stands in."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from support.channel_model import NAMES, channel_picture
from support.http_server import encoded, require_refusal, service_of, serving

from pixelwise.data.bitmaps import decode_brush
from pixelwise.data.writers.label_studio import make_interface
from pixelwise.errors import ParamsError
from pixelwise.serving import label_studio
from pixelwise.tools import serve

IMAGE, LABEL = channel_picture(0, (24, 40))
INTERFACE = '<View><Image name="img" value="$photo"/><BrushLabels name="tag" toName="img"/></View>'
ASKED = []


class LabelStudio(BaseHTTPRequestHandler):
    """Gives pictures to who has the token, and exchanges a personal token."""

    def do_GET(self):
        ASKED.append((self.path, self.headers.get("Authorization")))
        is_known = self.headers.get("Authorization") in ("Token legacy", "Bearer minutes")
        self.answer(200 if is_known else 401, encoded(IMAGE))

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, sent) == ("/api/token/refresh", {"refresh": "a.b.c"})
        self.answer(200, b'{"access": "minutes"}')

    def answer(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def studio():
    server = ThreadingHTTPServer(("127.0.0.1", 0), LabelStudio)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def client(model, studio):
    with serving(service_of(model, label_studio=studio)) as client:
        yield client


def ask(client, *photos, **other):
    """Send tasks as Label Studio does."""
    tasks = [{"id": number, "data": {"photo": photo}} for number, photo in enumerate(photos, start=1)]
    request = {"tasks": tasks, "project": "1.1700000000", "label_config": INTERFACE, "params": {"context": None}}
    return client.post("/label-studio/predict", json=request | other)


@pytest.mark.parametrize(("token", "header"), [("legacy", "Token legacy"), ("a.b.c", "Bearer minutes")])
def test_each_task_gets_a_brush_of_each_class_under_the_names_of_the_interface(
    client, studio, monkeypatch, token, header
):
    monkeypatch.setenv(label_studio.KEY, token)
    photos = ["/data/upload/1/street.png", f"{studio}/data/local-files/?d=pictures/a.png"]
    answer = ask(client, *photos)
    assert answer.status_code == 200, answer.text
    assert ASKED[-2:] == [(photos[0], header), ("/data/local-files/?d=pictures/a.png", header)]
    found = answer.json()
    assert "sha256" in found["model_version"]
    assert len(found["results"]) == 2
    for each in found["results"]:
        seen = np.full(LABEL.shape, 255)
        for result in each["result"]:
            assert (result["from_name"], result["to_name"], result["type"]) == ("tag", "img", "brushlabels")
            assert (result["original_width"], result["original_height"]) == (40, 24)
            (name,) = result["value"]["brushlabels"]
            seen[decode_brush(result["value"]["rle"], 40, 24)] = NAMES.index(name)
        assert np.array_equal(seen, LABEL)


def test_label_studio_can_connect(client):
    assert client.get("/label-studio/health").json() == {"status": "UP", "model_class": "fcn"}
    setup = {"project": "1.1700000000", "schema": INTERFACE, "hostname": "", "access_token": ""}
    assert "sha256" in client.post("/label-studio/setup", json=setup).json()["model_version"]


def test_a_picture_of_another_machine_is_not_fetched(client, monkeypatch):
    monkeypatch.setattr(label_studio, "fetch", lambda *_: pytest.fail("fetched"))
    for photo in ("http://127.0.0.1:1/a.png", "//other.example/a.png", "file:///etc/passwd", "s3://bucket/a.png"):
        assert "task 1" in require_refusal(ask(client, photo), 422)


def test_what_label_studio_would_not_send_or_give_is_refused_in_one_line(client, monkeypatch):
    monkeypatch.delenv(label_studio.KEY, raising=False)
    assert "401" in require_refusal(ask(client, "/data/upload/1/street.png"), 422)
    assert "no photo in its data" in require_refusal(ask(client, 3), 422)
    assert "BrushLabels" in require_refusal(ask(client, "/a.png", label_config="<View/>"), 422)
    assert "BrushLabels" in require_refusal(ask(client, "/a.png", label_config="no XML"), 422)
    for content in (b"{}", b"no JSON", b'{"tasks": [1]}'):
        assert "tasks" in require_refusal(client.post("/label-studio/predict", content=content), 422)


def test_the_interface_that_is_written_for_a_project_is_understood():
    tags = label_studio.find_tags(make_interface(NAMES))
    assert tags == ("label", "image", "image")


def test_without_the_option_there_is_no_backend(model):
    with serving(service_of(model)) as client:
        assert client.get("/label-studio/health").status_code == 404


def test_a_model_without_classes_cannot_be_a_backend(model, monkeypatch):
    service = service_of(model, label_studio="http://localhost:8080")
    service.batcher.served = replace(service.served, model=replace(service.served.model, names=()))
    monkeypatch.setattr(serve, "open_service", lambda *_: service)
    with pytest.raises(ParamsError, match="has no classes of its own"):
        serve.run(service.params, ["models/guided"])
