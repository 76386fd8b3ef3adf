"""Sessions are bounded in number, time and pixels, and keep the model that they began with."""

import gc
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.clockwork_model import moving
from support.http_server import encoded, opened, require_refusal, service_of, serving, wait_until

from pixelwise.errors import ModelError
from pixelwise.serving.watcher import require_same_requests

FRAME = encoded(moving(1, size=(64, 96))[0])


def start(client):
    answer = client.post("/sessions")
    assert answer.status_code == 201, answer.text
    return f"/sessions/{answer.json()['session']}"


def test_a_session_that_is_not_used_ends_and_its_memory_is_free_though_nobody_asks(clockwork_model):
    service = service_of(clockwork_model, session_seconds=0.2)
    with serving(service) as client:
        session = start(client)
        opened(client.post(f"{session}/frames", content=FRAME))
        (held,) = service.sessions.open.values()
        state = weakref.ref(held.state)
        del held
        wait_until(lambda: not service.sessions.open)
        gc.collect()
        assert state() is None
        assert "0.2 seconds" in require_refusal(client.post(f"{session}/frames", content=FRAME), 404)
        assert "pixelwise_sessions 0.0" in client.get("/metrics").text


def test_a_request_makes_a_session_last_longer(clockwork_model):
    service = service_of(clockwork_model, session_seconds=60)
    with serving(service) as client:
        session = start(client)
        (held,) = service.sessions.open.values()
        held.used -= 59
        opened(client.post(f"{session}/frames", content=FRAME))
        held.used -= 59
        opened(client.post(f"{session}/frames", content=FRAME))
        held.used -= 61
        require_refusal(client.post(f"{session}/frames", content=FRAME), 404)


def test_more_sessions_than_there_may_be_are_refused_until_one_is_closed(clockwork_model):
    with serving(service_of(clockwork_model, sessions=2)) as client:
        first, _ = start(client), start(client)
        refused = client.post("/sessions")
        assert "2 sessions" in require_refusal(refused, 503)
        assert refused.headers["retry-after"] == "1"
        assert client.delete(first).status_code == 204
        require_refusal(client.delete(first), 404)
        start(client)


def test_sessions_together_keep_no_more_pixels_than_they_may(clockwork_model):
    with serving(service_of(clockwork_model, session_pixels=2 * 64 * 96)) as client:
        sessions = [start(client) for _ in range(3)]
        for session in sessions[:2]:
            opened(client.post(f"{session}/frames", content=FRAME))
        assert "12,288 pixels" in require_refusal(client.post(f"{sessions[2]}/frames", content=FRAME), 503)
        # The next frame of a video takes the place of the last.
        opened(client.post(f"{sessions[1]}/frames", content=FRAME))
        client.delete(sessions[0])
        opened(client.post(f"{sessions[2]}/frames", content=FRAME))


def test_a_session_keeps_its_model_when_the_champion_changes(clockwork_model):
    service = service_of(clockwork_model)
    first = service.batcher.served = replace(service.served, version="1")
    with serving(service) as client:
        session = start(client)
        service.batcher.served = replace(first, version="2")
        assert client.post(f"{session}/frames", content=FRAME).headers["X-Pixelwise-Version"] == "1"
        assert client.post("/predict", content=FRAME).headers["X-Pixelwise-Version"] == "2"
        fresh = start(client)
        assert client.post(f"{fresh}/frames", content=FRAME).headers["X-Pixelwise-Version"] == "2"


def test_a_champion_of_another_family_does_not_take_over():
    with pytest.raises(ModelError, match="found family guided, expected clockwork as before"):
        require_same_requests(SimpleNamespace(family="guided"), SimpleNamespace(family="clockwork"))
