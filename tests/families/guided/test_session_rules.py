"""What a session takes and what it makes of it, with a model that computes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guidance import Guidance, Shot, merge
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.runtime.working_size import label

SIZE = (16, 24)


class Ordered:
    """A model that prefers the class of the highest number everywhere, and keeps the annotations that it is given."""

    fingerprint, clicks = "a" * 64, None

    def __init__(self) -> None:
        self.said = None

    def encode(self, image):
        height, width = image.shape[:2]
        return Features(np.zeros((1, height // 8, width // 8, 2), np.float32), None, None, image)

    def pool(self, features, cells):
        self.said = cells
        ways = len(cells)
        empty = np.zeros((ways, 2), np.float32)
        return Shot(empty, cells.any(axis=(1, 2)), empty[:1], np.ones((ways, 1), np.float32), empty[:1])

    def segment(self, features, guidance, hint=None):
        return np.arange(len(guidance.counts), dtype=np.float32)[:, None, None] * np.ones(features.size, np.float32)


@pytest.fixture
def session():
    made = GuidedSession(Ordered())
    made.add_picture(np.zeros((*SIZE, 3), np.uint8))
    return made


def test_a_picture_whose_last_click_is_removed_guides_no_more(session):
    session.click(0, 3, 4)
    session.remove_click(0, 0)
    assert not session.is_guided
    with pytest.raises(DataError, match="found no annotation"):
        session.guidance()


def test_removing_a_click_keeps_those_before_and_after_it(session):
    for x in range(4):
        session.click(0, x, 0)
    session.remove_click(0, 1)
    assert [click.x for click in session.supports[0].clicks] == [0, 2, 3]


def test_a_mask_of_nothing_known_is_no_annotation_and_one_known_pixel_is(session):
    mask = np.full(SIZE, 255, np.uint8)
    session.annotate(0, mask)
    assert not session.is_guided
    mask[5, 6] = 1
    session.annotate(0, mask)
    assert session.guidance().present.tolist() == [False, True]


def test_a_click_overrides_the_mask_below_it(session):
    session.annotate(0, np.zeros(SIZE, np.uint8))
    session.click(0, 8, 8)
    session.guidance()
    # Cell (1, 1) is centred on the pixel; every other cell is of the mask alone.
    assert session.model.said[1].argmax() == 4
    assert session.model.said.sum() == SIZE[0] * SIZE[1]
    assert session.model.said[1].sum() == 1


@pytest.mark.parametrize("place", [(0, 0), (23, 15)])
def test_a_click_may_be_on_the_last_pixel_of_either_side(session, place):
    session.click(0, *place)
    assert session.supports[0].clicks == ((*place, 1),)


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (24, 0), (0, 16)])
def test_a_click_beside_the_picture_is_refused(session, place):
    with pytest.raises(DataError, match="outside the picture, expected x in 0–23, y in 0–15"):
        session.click(0, *place)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda session: session.click(0, 1, 1, -1), "found class -1, expected 0–1"),
        (lambda session: session.click(0, 1, 1, 2), "found class 2, expected 0–1"),
        (lambda session: session.click(0, 3, 4, 1), "twice the same"),
        (lambda session: session.click(0, 3, 4, 0), "already object"),
        (lambda session: session.click(-1, 1, 1), "picture -1: unknown, expected one of 1"),
        (lambda session: session.click(1, 1, 1), "picture 1: unknown, expected one of 1"),
        (lambda session: session.remove_click(0, -1), "click -1: unknown, expected one of 1 clicks"),
        (lambda session: session.remove_click(0, 1), "click 1: unknown, expected one of 1 clicks"),
        (lambda session: session.annotate(0, np.full(SIZE, 2, np.uint8)), "found class 2, expected 0–1 or 255"),
        (lambda session: session.annotate(0, np.zeros((*SIZE, 3), np.uint8)), "mask: found 24×16"),
        (lambda session: session.add_class("object"), "there is one already"),
    ],
)
def test_what_is_refused_changes_nothing(session, wrong, message):
    session.click(0, 3, 4)
    before = list(session.supports), session.names, len(session.past)
    with pytest.raises(DataError, match=message):
        wrong(session)
    assert (session.supports, session.names, len(session.past)) == before


def test_undo_takes_back_the_last_change_keeps_later_pictures_and_ends_at_the_first(session):
    session.click(0, 3, 4)
    assert session.add_picture(np.zeros((8, 8, 3), np.uint8)) == 1
    session.undo()
    assert (session.supports[0].clicks, len(session.supports)) == ((), 2)
    with pytest.raises(DataError, match="found no change"):
        session.undo()


def test_a_class_without_annotation_is_never_the_label_but_the_first_may_be(session):
    session.add_class("ball")
    session.click(0, 3, 4)
    assert np.unique(session.segment(0)).tolist() == [1]
    session.click(0, 8, 4, way=2)
    # But for the first click, which is obeyed.
    found = session.segment(0)
    assert np.argwhere(found != 2).tolist() == [[4, 3]]
    assert session.predict(np.zeros((32, 40, 3), np.uint8)).tolist() == [[2] * 40] * 32
    only_background = GuidedSession(Ordered())
    only_background.add_picture(np.zeros((*SIZE, 3), np.uint8))
    only_background.click(0, 3, 4, way=0)
    assert np.unique(only_background.segment(0)).tolist() == [0]


def test_a_file_of_other_classes_is_taken_by_an_empty_session_alone(session, tmp_path):
    session.click(0, 3, 4)
    session.save(tmp_path / "task.guidance")
    other = GuidedSession(Ordered(), ("background", "ball"))
    other.load(tmp_path / "task.guidance")
    assert other.names == session.names
    assert other.guidance().counts.tolist() == [0, 1]
    third = GuidedSession(Ordered(), ("background", "ball"))
    third.add_picture(np.zeros((*SIZE, 3), np.uint8))
    third.click(0, 3, 4)
    with pytest.raises(DataError, match="classes background, object, but this session has background, ball"):
        third.load(tmp_path / "task.guidance")


def test_a_file_that_is_not_there_is_named_with_the_reason(session, tmp_path):
    with pytest.raises(DataError, match="no such file or directory, expected what `pixelwise guide` writes"):
        session.load(tmp_path / "none.guidance")


def test_a_running_mean_counts_the_shots_of_each_class_alone():
    def shot(value, present):
        mean = np.full((2, 1), value, np.float32)
        return Shot(mean, np.array(present), np.zeros((0, 1)), np.zeros((2, 0)), np.zeros((0, 2)))

    found = merge([shot(1, [True, True]), shot(4, [True, False]), shot(7, [True, False])])
    assert found.counts.tolist() == [3, 1]
    assert found.mean[:, 0].tolist() == [4, 1]
    wider = merge([shot(2, [False, True])], found, ways=3)
    assert wider.counts.tolist() == [3, 2, 0]
    assert wider.mean[:, 0].tolist() == [4, 1.5, 0]
    assert isinstance(wider, Guidance)


def test_a_tie_is_the_first_class_and_one_class_labels_every_pixel():
    assert label(np.zeros((3, 2, 5))).tolist() == [[0] * 5] * 2
    assert label(np.zeros((1, 2, 5))).shape == (2, 5)
    assert label(np.array([[[0.0]], [[2.0]], [[2.0]], [[1.0]]])).tolist() == [[1]]


class Graph:
    """A session of ONNX Runtime that gives what it was made with, and keeps what it is given."""

    def __init__(self, **gives):
        self.gives = gives

    def get_providers(self):
        return ["CPUExecutionProvider"]

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in self.gives]

    def run(self, outputs, feeds):
        self.fed = feeds
        return [self.gives[name] for name in outputs]


def make_model(**graphs):
    """A guided model of these graphs, which asks for every input of `segment`."""
    model = GuidedModel.__new__(GuidedModel)
    model.graphs, model.offset, model.encodes = graphs, 0.0, 0
    model.takes = ["embedding", "mean", "present", "keys", "values", "places", "hint", "size"]
    return model


def test_a_picture_of_another_type_or_shape_is_not_encoded():
    arrays = {name: np.zeros((1, 2, 3, 4), np.float32) for name in ("embedding", "seen", "fine")}
    model = make_model(encode=Graph(**arrays))
    for wrong in (np.zeros((16, 24), np.uint8), np.zeros((16, 24, 4), np.uint8), np.zeros((16, 24, 3), np.float32)):
        with pytest.raises(DataError, match="expected uint8"):
            model.encode(wrong)
    assert model.encodes == 0
    features = model.encode(np.zeros((16, 24, 3), np.uint8))
    assert (model.encodes, features.size, features.grid[:2]) == (1, (16, 24), (2, 3))


def test_only_annotated_cells_are_pooled_with_their_places():
    embedding = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    guide = Graph(mean=np.ones((1, 2, 2)), present=np.array([[False, True]]), values=np.ones((1, 2, 2)))
    cells = np.zeros((2, 2, 3), np.float32)
    cells[1, 0, 2], cells[1, 1, 0] = 0.5, 1
    shot = make_model(guide=guide).pool(Features(embedding, None, None, np.zeros((16, 24, 3), np.uint8)), cells)
    assert guide.fed["embedding"].tolist() == [[[[4, 5], [6, 7]]]]
    assert guide.fed["cells"].tolist() == [[[[0, 0]], [[0.5, 1]]]]
    assert shot.keys.tolist() == [[4, 5], [6, 7]]
    np.testing.assert_allclose(shot.places, [[0.25, 2.5 / 3], [0.75, 0.5 / 3]], rtol=1e-6)
    assert (shot.mean.shape, shot.present.tolist(), shot.values.shape) == ((2, 2), [False, True], (2, 2))
    annotation = np.zeros((2, 16, 24), np.float32)
    annotation[1, 0, 0] = 1
    assert make_model(guide=guide).guide(Features(embedding, None, None, (16, 24)), annotation).keys.tolist() == [
        [0, 1]
    ]


def test_an_object_without_background_gets_one_and_other_guidance_is_taken_as_it_is():
    embedding = np.zeros((1, 4, 4, 2), np.float32)
    embedding[0, :2, :, 0] = embedding[0, 2:, :, 1] = 1
    features = Features(embedding, None, None, np.zeros((32, 32, 3), np.uint8))
    segment = Graph(logits=np.zeros((1, 2, 32, 32)))
    model = make_model(segment=segment)
    keys, values = np.array([[1, 0]], np.float32), np.array([[0], [1]], np.float32)
    for counts, supposed in (([0, 1], True), ([1, 1], False), ([1, 0], False)):
        guidance = Guidance(np.zeros((2, 2), np.float32), np.array(counts), keys, values, np.zeros((1, 2), np.float32))
        assert model.segment(features, guidance).shape == (2, 32, 32)
        assert (segment.fed["keys"].shape[1] > 1) is supposed
        assert segment.fed["present"].tolist() == [[bool(counts[0]) or supposed, bool(counts[1])]]
        assert segment.fed["hint"].shape == (1, 2, 2, 4, 4)
        assert not segment.fed["hint"].any()
    hint = np.ones((2, 2, 4, 4), np.float32)
    model.segment(features, guidance, hint)
    assert segment.fed["hint"].tolist() == [hint.tolist()]


@pytest.mark.parametrize(("metadata", "offset"), [({}, 0), ({"offset": "3.5"}, 3.5)])
def test_an_export_says_where_cell_0_lies_and_an_older_one_has_it_on_pixel_0(metadata, offset, tmp_path, monkeypatch):
    class Opened(Graph):
        def get_inputs(self):
            return [SimpleNamespace(name="cells")]

        def get_modelmeta(self):
            return SimpleNamespace(custom_metadata_map=metadata)

    monkeypatch.setattr("pixelwise.families.guided.runtime.guided_model.open_session", lambda *_: Opened())
    (tmp_path / "onnx").mkdir()
    for name in ("encode", "guide", "segment"):
        (tmp_path / f"onnx/{name}.onnx").touch()
    assert (GuidedModel(tmp_path).offset, GuidedModel(tmp_path).encodes) == (offset, 0)
    assert Features(np.zeros((1, 2, 3, 1)), None, None, (16, 24)).grid.offset == 0
