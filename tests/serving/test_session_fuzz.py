"""Mutated requests to sessions and with guidance, by hypothesis with seed 7: refused in one line, or answered."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from support.channel_model import channel_picture
from support.http_server import encoded, opened, service_of, serving

SEED, SECONDS = 7, 20
IMAGE, _ = channel_picture(0, (24, 40))
MASK = np.zeros((24, 40), np.uint8)
MASK[6:18, 10:30] = 1
PICTURE = encoded(IMAGE)
ANSWERS = {200, 201, 204, 400, 404, 405, 413, 415, 422, 503}
LIMITS = {"max_pixels": 100_000, "max_mebibytes": 0.1, "sessions": 4, "session_pixels": 20_000}
WORD = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=9)
NUMBER = st.one_of(st.integers(-3, 45).map(str), WORD)


@st.composite
def mutated(draw, content):
    """The bytes with some changed, cut out or put in."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(changed)))
        changed[place : place + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(changed)


FRAMES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "POST", "POST", "GET", "DELETE"]),
        "path": st.sampled_from(
            ["/sessions", "/sessions/ID", "/sessions/ID/frames", "/sessions/no/frames", "/predict"]
        ),
        "content": st.one_of(st.just(PICTURE), mutated(PICTURE), st.binary(max_size=99)),
        "params": st.dictionaries(
            st.sampled_from(["schedule", "output", "counts"]),
            st.one_of(st.sampled_from(["carry:2", "motion", "pipeline", "truncated:1", "overlay", "rle"]), WORD),
            max_size=2,
        ),
    }
)
CLICKS = st.one_of(
    st.dictionaries(
        st.sampled_from(["a.png", "b.png", "c"]),
        st.lists(st.tuples(st.integers(-2, 41), st.integers(-2, 25), WORD), max_size=3),
        max_size=2,
    ).map(json.dumps),
    WORD,
)
PARTS = st.one_of(
    st.tuples(
        st.sampled_from(["image", "image", "support", "mask", "guidance", "file"]),
        st.tuples(st.sampled_from(["a.png", "b.png", "", "c/d"]), mutated(PICTURE) | mutated(encoded(MASK))),
    ),
    st.tuples(st.just("image"), st.just(("a.png", PICTURE))),
    st.tuples(st.just("mask"), st.just(("a.png", encoded(MASK)))),
)
TASKS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "POST", "POST", "GET", "DELETE"]),
        "path": st.sampled_from(
            [
                *["/predict"] * 4,
                "/sessions",
                "/sessions/ID/pictures",
                "/sessions/ID/pictures/0",
                "/sessions/ID/pictures/0/clicks",
                "/sessions/ID/clicks",
                "/sessions/ID/guidance",
            ]
        ),
        "files": st.lists(PARTS, max_size=4),
        "data": st.fixed_dictionaries({}, optional={"clicks": CLICKS}),
        "params": st.fixed_dictionaries({}, optional={"x": NUMBER, "y": NUMBER, "class": WORD, "output": WORD}),
    }
)


def fuzz(client, requests, examples):
    """Send requests to the client's server; each has an answer of ANSWERS, and a refusal of one line."""

    @seed(SEED)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(requests)
    def tried(request):
        request = {**request, "path": request["path"].replace("ID", find_session(client))}
        method, path = request.pop("method"), request.pop("path")
        response = client.request(method, path, timeout=SECONDS, **request)
        assert response.status_code in ANSWERS, response.text
        if response.status_code >= 400:
            assert "\n" not in response.json()["detail"]

    tried()
    assert client.get("/health").json()["ready"]


def find_session(client):
    """A new session, or the last one where there are as many as may be; each ends after a second."""
    answer = client.post("/sessions")
    if answer.status_code == 201:
        client.headers["X-Session"] = answer.json()["session"]
    return client.headers.get("X-Session", "none")


@pytest.mark.slow
def test_four_hundred_mutated_requests_to_sessions_of_frames_are_refused_or_answered(clockwork_model):
    with serving(service_of(clockwork_model, session_seconds=1, **LIMITS)) as client:
        fuzz(client, FRAMES, 400)


@pytest.mark.slow
def test_four_hundred_mutated_tasks_are_refused_or_answered(guided_folder):
    with serving(service_of(guided_folder, session_seconds=1, **LIMITS)) as client:
        fuzz(client, TASKS, 400)
        files = [("image", ("a.png", PICTURE)), ("mask", ("a.png", encoded(MASK)))]
        assert opened(client.post("/predict", files=files)).size == (40, 24)
