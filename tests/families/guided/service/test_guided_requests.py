"""A served guided model: one request with its guidance, and sessions that encode each picture once."""

import json

import numpy as np
import pytest
from support.clockwork_model import moving
from support.http_server import encoded, opened, require_refusal, service_of, serving

from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.model import GuidedPredictor, open_guided
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.service.desks import MOST_CLICKS

QUERY, SUPPORT = moving(2, step=9, size=(48, 64))
MASK = np.zeros((48, 64), np.uint8)
MASK[10:30, 12:40] = 1
FILES = {"query.png": encoded(QUERY), "street.jpg": encoded(SUPPORT), "street.png": encoded(MASK)}
IMAGE = ("image", ("query.png", FILES["query.png"]))
SHOT = ("support", ("street.jpg", FILES["street.jpg"]))
DRAWN = ("mask", ("street.png", FILES["street.png"]))


@pytest.fixture(scope="module")
def service(guided_folder):
    return service_of(guided_folder, max_pixels=40_000)


@pytest.fixture(scope="module")
def client(service):
    with serving(service) as client:
        yield client


@pytest.fixture
def session(guided_folder):
    """A session of the same model in this process."""
    return GuidedSession(GuidedModel(guided_folder, "cpu"))


def ask(client, *files, **fields):
    return client.post("/predict", files=list(files), data=fields)


def clicks_on(name, *clicks):
    return json.dumps({name: clicks})


def start(client):
    answer = client.post("/sessions")
    assert answer.status_code == 201, answer.text
    return f"/sessions/{answer.json()['session']}"


def click(client, session, picture, x, y, name="object"):
    return client.post(f"{session}/pictures/{picture}/clicks", params={"x": x, "y": y, "class": name})


def test_a_picture_is_labelled_by_the_mask_of_another_as_predict_labels_it(client, session):
    answer = ask(client, IMAGE, SHOT, DRAWN)
    session.annotate(session.add_picture(SUPPORT), MASK)
    expected = GuidedPredictor(session.model, session.guidance(), session.names).segment(QUERY)
    assert (np.array(opened(answer)) == expected).all()
    assert json.loads(answer.headers["X-Pixelwise-Classes"]) == ["background", "object"]


def test_a_picture_is_labelled_by_clicks_on_itself_as_a_session_labels_it(client, session):
    clicks = [(30, 20, "kite"), (3, 3, "background")]
    answer = ask(client, IMAGE, clicks=clicks_on("query.png", *clicks))
    session.add_picture(QUERY)
    for x, y, name in clicks:
        session.click(0, x, y, int(name == "kite"))
    assert (np.array(opened(answer)) == session.segment(0)).all()
    assert json.loads(answer.headers["X-Pixelwise-Classes"]) == ["background", "kite"]


def test_the_guidance_of_a_session_labels_as_the_file_does_in_predict(client, guided_folder, tmp_path):
    session = start(client)
    client.post(f"{session}/pictures", content=FILES["street.jpg"])
    opened(click(client, session, 0, 30, 20, "kite"))
    (tmp_path / "kite.guidance").write_bytes(client.get(f"{session}/guidance").content)
    answer = ask(client, IMAGE, ("guidance", ("kite.guidance", (tmp_path / "kite.guidance").read_bytes())))
    expected = open_guided(guided_folder, tmp_path / "kite.guidance", "cpu")
    assert (np.array(opened(answer)) == expected.segment(QUERY)).all()
    assert json.loads(answer.headers["X-Pixelwise-Classes"]) == list(expected.names) == ["background", "kite"]
    client.delete(session)


def test_a_click_encodes_nothing_and_changes_the_labels_of_all_pictures(client, service, session):
    remote, model = start(client), service.served.model.model
    for file in ("query.png", "street.jpg"):
        assert client.post(f"{remote}/pictures", content=FILES[file]).json()["size"] == [48, 64]
    before = model.encodes
    for image in (QUERY, SUPPORT):
        session.add_picture(image)
    for x, y, name in ((30, 20, "object"), (3, 3, "background"), (40, 30, "sign")):
        answer = click(client, remote, 0, x, y, name)
        if name not in session.names:
            session.add_class(name)
        session.click(0, x, y, session.names.index(name))
        assert (np.array(opened(answer)) == session.segment(0)).all()
    other = client.get(f"{remote}/pictures/1")
    assert (np.array(opened(other)) == session.segment(1)).all()
    assert client.delete(f"{remote}/clicks").status_code == 204
    session.undo()
    assert (np.array(opened(client.get(f"{remote}/pictures/1"))) == session.segment(1)).all()
    assert model.encodes == before
    client.delete(remote)


BAD = {
    "no form": (422, "boundary", {"content": FILES["query.png"]}),
    "no image": (422, "found no image", {"files": [SHOT]}),
    "no annotation": (422, "found no annotation", {"files": [IMAGE]}),
    "another field": (422, "found 'file'", {"files": [("file", ("a.png", FILES["query.png"]))]}),
    "two images": (422, "found 2 parts image", {"files": [IMAGE, IMAGE]}),
    "two pictures of one name": (422, "two pictures named query.png", {"files": [IMAGE, ("support", IMAGE[1])]}),
    "a mask of no picture": (422, "mask street.png: found for no picture", {"files": [IMAGE, DRAWN]}),
    "two masks": (422, "mask street.png: found twice", {"files": [IMAGE, SHOT, DRAWN, DRAWN]}),
    "a mask of another size": (
        422,
        "street.jpg: mask: found 40×24, expected the picture's 64×48",
        {"files": [IMAGE, SHOT, ("mask", ("street.png", encoded(MASK[:24, :40])))]},
    ),
    "a mask of no classes": (
        422,
        "mask street.png: found 3 among 2 values",
        {"files": [IMAGE, SHOT, ("mask", ("street.png", encoded(90 * MASK + 3)))]},
    ),
    "no clicks": (422, "clicks: no clicks file", {"files": [IMAGE], "data": {"clicks": "[[1, 2]]"}}),
    "clicks without end": (422, "clicks: no clicks file", {"files": [IMAGE], "data": {"clicks": "[" * 9999}}),
    "clicks on no picture": (
        422,
        "street.jpg is not among the pictures",
        {"files": [IMAGE], "data": {"clicks": clicks_on("street.jpg", [1, 2, "a"])}},
    ),
    "a click outside": (
        422,
        "query.png: click (64, 2): outside the picture",
        {"files": [IMAGE], "data": {"clicks": clicks_on("query.png", [64, 2, "a"])}},
    ),
    "background alone": (
        422,
        "found background alone",
        {"files": [IMAGE], "data": {"clicks": clicks_on("query.png", [4, 2, "background"])}},
    ),
    "too many classes": (
        422,
        "classes: found 41",
        {"files": [IMAGE], "data": {"clicks": clicks_on("query.png", *([x, 2, f"c{x}"] for x in range(40)))}},
    ),
    "no guidance": (422, "guidance: no guidance file", {"files": [IMAGE, ("guidance", ("g", b"PK\3\4"))]}),
    "no picture": (415, "not a picture", {"files": [("image", ("a.png", b"GIF89a"))]}),
    "pictures of too many pixels together": (
        413,
        "expected at most 36,928 pixels",
        {"files": [IMAGE, ("support", ("b.png", encoded(np.zeros((200, 190, 3), np.uint8))))]},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_task_is_refused_in_one_line_and_the_next_is_labelled(client, case):
    status, reason, request = BAD[case]
    assert reason in require_refusal(client.post("/predict", **request), status)
    assert ask(client, IMAGE, SHOT, DRAWN).status_code == 200


def test_a_bad_click_is_refused_and_leaves_the_session_as_it_was(client):
    session = start(client)
    require_refusal(client.get(f"{session}/guidance"), 422)
    require_refusal(click(client, session, 0, 1, 1), 422)
    client.post(f"{session}/pictures", content=FILES["query.png"])
    assert "found no annotation" in require_refusal(client.get(f"{session}/pictures/0"), 422)
    before = opened(click(client, session, 0, 30, 20)).tobytes()
    assert "already object" in require_refusal(click(client, session, 0, 30, 20, "kite"), 422)
    assert "outside" in require_refusal(click(client, session, 0, 64, 20, "kite"), 422)
    require_refusal(click(client, session, 0, "x", 20), 422)
    require_refusal(client.get(f"{session}/pictures/7"), 422)
    after = client.get(f"{session}/pictures/0")
    assert opened(after).tobytes() == before
    assert json.loads(after.headers["X-Pixelwise-Classes"]) == ["background", "object"]
    client.delete(session)
    require_refusal(click(client, session, 0, 1, 1), 404)


def test_the_clicks_of_a_session_are_bounded(client, service):
    session = start(client)
    client.post(f"{session}/pictures", content=FILES["query.png"])
    (held,) = service.sessions.open.values()
    support = held.state.session.supports[0]
    object.__setattr__(support, "clicks", ((0, 0, 0),) * MOST_CLICKS)
    assert f"found {MOST_CLICKS} clicks already" in require_refusal(click(client, session, 0, 1, 1), 422)
    client.delete(session)
