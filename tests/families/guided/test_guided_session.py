"""Sessions of clicks on the exported graphs of a small net."""

import numpy as np
import pytest

from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.runtime.guidance import Guidance, merge
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession


@pytest.fixture
def session(guided_folder):
    found = GuidedSession(GuidedModel(guided_folder, "cpu", 1))
    rng = np.random.default_rng(0)
    for _ in range(2):
        found.add_picture(rng.integers(0, 256, (67, 91, 3), dtype=np.uint8))
    return found


def require_equal(ours: Guidance, theirs: Guidance) -> None:
    np.testing.assert_array_equal(ours.counts, theirs.counts)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-5, atol=1e-6)


def test_clicks_make_no_encoder_call_and_undo_brings_back_the_mask(session):
    session.click(0, 10, 12)
    before, encodes = session.segment(0), session.model.encodes
    session.click(0, 90, 66, way=0)
    session.segment(0)
    session.undo()
    np.testing.assert_array_equal(session.segment(0), before)
    assert session.model.encodes == encodes


def test_removing_a_click_equals_never_having_made_it(session):
    session.click(0, 10, 12)
    session.click(0, 50, 40, way=0)
    expected = session.guidance()
    session.click(0, 30, 20)
    session.remove_click(0, 2)
    require_equal(session.guidance(), expected)


def test_incremental_guidance_equals_a_batch_in_any_order(session):
    session.click(0, 10, 12)
    session.click(1, 30, 12)
    session.click(1, 50, 60, way=0)
    shots = [session.find_shot(picture) for picture in (0, 1)]
    require_equal(merge(shots[1:], merge(shots[:1])), merge(shots))
    require_equal(merge(shots[::-1]), merge(shots))


def test_saved_guidance_labels_new_pictures_as_the_session_does(session, tmp_path):
    session.click(0, 10, 12)
    session.click(1, 50, 60, way=0)
    session.save(tmp_path / "task.npz")
    other = GuidedSession(session.model)
    other.load(tmp_path / "task.npz")
    image = np.random.default_rng(1).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    assert (other.predict(image) == session.predict(image)).mean() > 0.999


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda session: session.click(0, 91, 0), r"outside the picture, expected x in 0–90"),
        (lambda session: session.click(0, 10, 12, way=0), r"already object"),
        (lambda session: session.click(0, 1, 1, way=5), r"found class 5, expected 0–1"),
        (lambda session: session.annotate(0, np.zeros((9, 8), np.uint8)), r"found 8×9, expected the picture's 91×67"),
    ],
)
def test_a_bad_click_or_mask_is_named_and_earlier_clicks_are_kept(session, wrong, message):
    session.click(0, 10, 12)
    kept = session.supports[0].clicks
    with pytest.raises(DataError, match=message):
        wrong(session)
    assert session.supports[0].clicks == kept


def test_an_empty_support_is_named(session):
    with pytest.raises(DataError, match="found no annotation"):
        session.segment(0)


def test_guidance_of_another_model_is_refused(session, tmp_path):
    session.click(0, 10, 12)
    session.guidance().save(tmp_path / "other.npz", "b" * 64, session.names)
    with pytest.raises(ModelError, match="made by model bbb"):
        session.load(tmp_path / "other.npz")
    assert len(session.supports[0].clicks) == 1
