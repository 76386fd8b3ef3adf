"""A served clockwork: sessions of frames, each with the states of its own video."""

import json

import numpy as np
import pytest
from support.clockwork_model import CLASSES, moving
from support.http_server import encoded, opened, require_refusal, service_of, serving

from pixelwise.errors import ModelError
from pixelwise.families.clockwork.runtime.engines import open_video_model
from pixelwise.inference.session import open_model
from pixelwise.serving.models import open_file

FRAMES = moving(4, size=(64, 96))
FILES = [encoded(frame) for frame in FRAMES]


@pytest.fixture(scope="module")
def client(clockwork_model):
    with serving(service_of(clockwork_model)) as client:
        yield client


def start(client, schedule="carry:2"):
    answer = client.post("/sessions", params={"schedule": schedule})
    assert answer.status_code == 201, answer.text
    return f"/sessions/{answer.json()['session']}"


def stages_of(answer):
    return tuple(number == "1" for number in answer.headers["X-Pixelwise-Stages"].split(", "))


@pytest.mark.parametrize("schedule", ["carry:2", "motion", "oracle"])
def test_the_frames_of_a_session_are_labelled_as_the_engine_labels_a_video(client, clockwork_model, schedule):
    engine, session = open_video_model(clockwork_model, schedule, "cpu"), start(client, schedule)
    for image, file in zip(FRAMES, FILES, strict=True):
        answer, frame = client.post(f"{session}/frames", content=file), engine.step(image)
        assert (np.array(opened(answer)) == frame.prediction).all()
        assert stages_of(answer) == frame.fired
    assert json.loads(answer.headers["X-Pixelwise-Classes"]) == list(CLASSES)
    assert client.delete(session).status_code == 204
    require_refusal(client.post(f"{session}/frames", content=FILES[0]), 404)


def test_a_picture_without_a_session_is_labelled_by_the_whole_net(client, clockwork_model):
    expected = open_model(clockwork_model, "cpu").predict(FRAMES[0][None])[0]
    assert (np.array(opened(client.post("/predict", content=FILES[0]))) == expected).all()


def test_two_videos_at_a_time_do_not_mix(client, clockwork_model):
    other = moving(4, seed=3, size=(80, 64))
    engines = [open_video_model(clockwork_model, "carry:2", "cpu") for _ in range(2)]
    sessions = [start(client) for _ in range(2)]
    for images in zip(FRAMES, other, strict=True):
        for image, engine, session in zip(images, engines, sessions, strict=True):
            answer = client.post(f"{session}/frames", content=encoded(image))
            assert (np.array(opened(answer)) == engine.step(image).prediction).all()
    for session in sessions:
        client.delete(session)


def test_a_bad_frame_is_refused_and_the_video_goes_on_as_if_it_had_not_come(client):
    session = start(client)
    opened(client.post(f"{session}/frames", content=FILES[0]))
    require_refusal(client.post(f"{session}/frames", content=FILES[1][:60]), 422)
    require_refusal(client.post(f"{session}/frames", content=b"no picture"), 415)
    require_refusal(client.post(f"{session}/frames", content=FILES[1], params={"output": "svg"}), 422)
    assert not any(stages_of(client.post(f"{session}/frames", content=FILES[1])))
    assert all(stages_of(client.post(f"{session}/frames", content=FILES[2])))
    client.delete(session)


@pytest.mark.parametrize("schedule", ["sometimes", "carry:0", "truncated:9", "always,always"])
def test_an_unknown_schedule_is_refused_and_opens_no_session(client, schedule):
    before = client.get("/health").json()["sessions"]
    assert "schedule" in require_refusal(client.post("/sessions", params={"schedule": schedule}), 422)
    assert client.get("/health").json()["sessions"] == before


def test_a_graph_without_its_stages_is_refused(clockwork_model):
    with pytest.raises(ModelError, match="not in stages, expected the folder of an exported clockwork"):
        open_file(clockwork_model / "onnx/model.onnx", "cpu")
