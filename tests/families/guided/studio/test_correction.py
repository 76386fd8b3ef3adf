"""Suggested pictures in the studio: from the suggested label, by clicks and strokes, to masks that ingest reads."""

import base64
from io import BytesIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.channel_model import NAMES, PALETTE

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.studio.app import create_app
from pixelwise.families.guided.studio.correction import Correction
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.families.guided.verbs.studio import MODEL, StudioParams, open_desk

SIZE = (40, 60)


@pytest.fixture
def desk(suggested):
    return Correction(suggested, None)


def strongest(desk, picture):
    """The label that the model gives a picture."""
    return desk.pictures[picture].decode().argmax(axis=2)


def read_mask(answer):
    """The mask of an answer of the server, in the values of its palette."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(answer["mask"].partition(",")[2]))))


def test_pictures_are_open_in_their_order_with_the_label_that_was_suggested(desk, suggested):
    assert [picture.name for picture in desk.pictures] == [name for _, name, _ in suggested.pictures]
    assert (desk.names, desk.palette) == (NAMES, PALETTE)
    for number in range(4):
        np.testing.assert_array_equal(desk.show(number).label, strongest(desk, number))


def test_a_stroke_paints_its_class_as_wide_as_the_brush_and_undo_takes_it_back(desk):
    before = strongest(desk, 1)
    label = desk.stroke(1, [(10, 20), (50, 20)], 3, 2).label
    assert (label[18:23, 10:51] == 2).all()
    changed = np.argwhere(label != before)
    assert changed[:, 0].min() >= 16
    assert changed[:, 0].max() <= 24
    assert changed[:, 1].min() >= 6
    assert changed[:, 1].max() <= 54
    dot = desk.stroke(1, [(5, 5)], 1, 0).label
    assert dot[5, 5] == 0
    desk.undo()
    seen = desk.undo()
    assert seen.picture == 1
    np.testing.assert_array_equal(seen.label, before)
    with pytest.raises(DataError, match="undo: found no change"):
        desk.undo()


def test_without_a_click_net_a_click_gives_the_area_of_one_class_another(desk):
    before = strongest(desk, 0)
    y, x = np.argwhere(before == 1)[0].tolist()
    label = desk.click(0, x, y, 2).label
    changed = label != before
    assert changed[y, x]
    assert (before[changed] == 1).all()
    assert (label[changed] == 2).all()
    # Blocks are 4 pixels wide, and the neighbours of the area are of other classes.
    assert changed.sum() % 16 == 0
    rows, columns = np.nonzero(changed)
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        at = np.clip(rows + step[0], 0, SIZE[0] - 1), np.clip(columns + step[1], 0, SIZE[1] - 1)
        assert (changed[at] | (before[at] != 1)).all()


def test_with_a_click_net_the_clicked_pixels_get_their_classes_and_undo_goes_back(suggested, guided):
    desk = Correction(suggested, guided.clicks)
    before = strongest(desk, 0)
    assert desk.click(0, 30, 20, 2).label[20, 30] == 2
    first = desk.show(0).label.copy()
    assert desk.click(0, 8, 8, 0).label[8, 8] == 0
    np.testing.assert_array_equal(desk.undo().label, first)
    np.testing.assert_array_equal(desk.undo().label, before)


def test_only_pictures_that_were_opened_are_saved_and_ingest_reads_their_labels(desk, tmp_path):
    client, output = TestClient(create_app(desk, tmp_path / "corrected", tmp_path)), tmp_path / "corrected"
    client.get("/api/pictures/0/mask")
    answer = client.post("/api/stroke", json={"picture": 2, "points": [[5, 5], [30, 9]], "radius": 4, "way": 0}).json()
    client.post("/api/classes", json={"name": "violet"})
    shown = client.post("/api/stroke", json={"picture": 2, "points": [[40, 30]], "radius": 5, "way": 3}).json()
    assert read_mask(answer)[6, 8] == 0
    assert read_mask(shown)[30, 40] == 3
    found = client.get("/api/desk").json()
    assert found["corrects"]
    assert [each["name"] for each in found["classes"]] == [*NAMES, "violet"]
    marked = [number for number, picture in enumerate(found["pictures"]) if picture["clicked"]]
    assert marked == [0, 2]
    for number in marked:
        assert client.post(f"/api/pictures/{number}/save").status_code == 200
    finished = client.post("/api/save").json()
    assert finished["next"] == f"pixelwise ingest --dataset folder --root {output} --out data/prepared"
    ingest.run(ingest.IngestParams(dataset="folder", root=output), tmp_path / "prepared")
    data = PreparedData(tmp_path / "prepared")
    assert data.classes.names == (*NAMES, "violet")
    labels = {sample.id: sample for name in data.splits for sample in data.split(name)}
    assert len(labels) == 2
    for number in marked:
        sample = labels[desk.pictures[number].name.removesuffix(".png")]
        np.testing.assert_array_equal(sample.image, desk.pictures[number].decode())
        np.testing.assert_array_equal(sample.label, desk.labels[number])
    assert (desk.labels[2] == 3).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda desk: desk.click(0, 60, 5, 1), "click .60, 5.: outside the picture of 60×40"),
        (lambda desk: desk.click(0, 5, 5, 7), "class 7: unknown, expected 0–2"),
        (lambda desk: desk.stroke(9, [(1, 1)], 2, 1), "picture 9: unknown"),
        (lambda desk: desk.add_class("red"), "class 'red': expected a new name"),
        (lambda desk: desk.drop("other.png", b""), "other.png: found a new picture"),
    ],
)
def test_what_is_refused_changes_nothing(desk, wrong, message):
    before = desk.show(0).label.copy()
    with pytest.raises(DataError, match=message):
        wrong(desk)
    np.testing.assert_array_equal(desk.show(0).label, before)
    assert not desk.changes


def test_labels_can_be_corrected_where_there_is_no_guided_model(suggested, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    desk, provider = open_desk(StudioParams(), MODEL, suggested.pictures[0][2].parents[1])
    assert isinstance(desk, Correction)
    assert (desk.clicks_net, provider) == (None, "no model")
    with pytest.raises(ModelError, match="lost"):
        open_desk(StudioParams(), tmp_path / "lost", suggested.pictures[0][2].parents[1])


def test_a_studio_without_suggestions_has_no_brush(guided, tmp_path):
    client = TestClient(create_app(Desk(guided), tmp_path, tmp_path))
    answer = client.post("/api/stroke", json={"picture": 0, "points": [[5, 5]], "radius": 4, "way": 0})
    assert (answer.status_code, "studio --correct" in answer.json()["error"]) == (422, True)


def test_a_label_of_another_size_is_named(suggested, tmp_path):
    desk = Correction(suggested, None)
    file = suggested.pictures[0][2]
    content = file.read_bytes()
    try:
        Image.new("L", (9, 9)).save(file)
        with pytest.raises(DataError, match=r"label.png: 9×9, expected the picture's 60×40"):
            desk.show(0)
    finally:
        file.write_bytes(content)
