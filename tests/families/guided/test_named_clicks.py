"""Clicks by name and as nearness, and what a predictor is beside its net: without one."""

from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.errors import DataError, ParamsError
from pixelwise.families.guided.runtime.annotations import Grid
from pixelwise.families.guided.runtime.clicks import compute_nearness, make_hint
from pixelwise.families.guided.runtime.model import COLOURS, Followed, GuidedPredictor, open_model
from pixelwise.families.guided.runtime.named_clicks import annotate, name_classes, parse_clicks


def test_nearness_is_one_at_a_click_and_falls_to_a_known_share_at_four_cells():
    found = compute_nearness([(16, 24)], Grid(8, 12))
    assert found[3, 2] == 1
    assert found[3, 6] == found[7, 2] == pytest.approx(np.exp(-0.5))
    assert found[7, 6] == pytest.approx(np.exp(-1))
    # The nearer of two clicks counts.
    both = compute_nearness([(16, 24), (80, 24)], Grid(8, 12))
    assert both[3, 10] == both[3, 2] == 1
    assert both[3, 3] == found[3, 3]
    assert not compute_nearness([], Grid(8, 12)).any()
    assert compute_nearness([], Grid(8, 12)).shape == (8, 12)


def test_a_hint_has_no_mask_and_the_nearness_of_each_class():
    hint = make_hint([[], [(16, 24)]], Grid(8, 12))
    assert hint.shape == (2, 2, 8, 12)
    assert not hint[:, 0].any()
    assert not hint[0, 1].any()
    assert (hint[1, 1] == compute_nearness([(16, 24)], Grid(8, 12))).all()


def test_clicks_are_read_by_picture():
    text = '{"a.png": [[1, 2, "disc"], [3, 4, "background"]], "b.png": []}'
    assert parse_clicks(text, "clicks") == {"a.png": [(1, 2, "disc"), (3, 4, "background")], "b.png": []}


@pytest.mark.parametrize("click", ["[1.5, 2, 3]", "[true, 2, 3]", "[1, null, 3]", "[1, 2]", "[1, 2, 3, 4]", '"disc"'])
def test_what_is_no_click_is_refused_in_one_line(click):
    with pytest.raises(DataError, match=r"^clicks: no clicks file, expected"):
        parse_clicks('{"a.png": [' + click + "]}", "clicks")


def test_classes_are_named_by_clicks_in_their_order_then_by_the_highest_number_of_the_masks():
    clicks = {"a": [(0, 0, "kite"), (1, 1, "background")], "b": [(0, 0, "bowl"), (2, 2, "kite")]}
    masks = {"c": np.array([[0, 2, 255]], np.uint8), "d": np.full((1, 2), 255, np.uint8)}
    assert name_classes(clicks, {}) == ("background", "kite", "bowl")
    assert name_classes({}, masks) == ("background", "object", "class 2")
    assert name_classes({}, {}) == ("background",)


def test_a_picture_is_annotated_with_its_clicks_and_its_mask():
    done = []
    session = SimpleNamespace(
        names=("background", "disc"),
        click=lambda *given: done.append(given),
        annotate=lambda *given: done.append(given),
    )
    annotate(session, 3, [(1, 2, "disc"), (4, 5, "background")], None)
    assert done == [(3, 1, 2, 1), (3, 4, 5, 0)]
    annotate(session, 3, [], "mask")
    assert done[2:] == [(3, "mask")]


def test_a_predictor_has_a_colour_a_class_again_after_the_last_and_asks_for_guidance(tmp_path):
    predictor = GuidedPredictor(SimpleNamespace(provider="here"), None, tuple("abcdefghi"))
    assert predictor.palette == (*COLOURS, *COLOURS[:2])
    assert len(set(COLOURS)) == 7
    assert COLOURS[0] == (0, 0, 0)
    assert (predictor.provider, predictor.inputs) == ("here", ("image",))
    with pytest.raises(ParamsError, match="found no --guidance"):
        open_model(tmp_path)


def test_a_video_is_tracked_from_its_start_and_has_nothing_to_add():
    guidance = SimpleNamespace(thinned=lambda cells: cells)
    video = Followed(SimpleNamespace(), guidance)
    first, overlay = video.tracker, np.zeros((2, 3, 3), np.uint8)
    video.reset()
    assert video.tracker is not first
    assert video.annotate(overlay) is overlay
    assert video.summary() == ""
