"""Large pictures are labelled at a bounded size; clicks, masks and labels are given and returned at full size."""

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.items import Classes, make_bit_palette
from pixelwise.data.prepared import Sample
from pixelwise.data.splits import Split
from pixelwise.families.guided.measure.evaluation import score
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.runtime import tracker, working_size
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.model import GuidedPredictor
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.runtime.working_size import fit_size, label_full, move_point, reduce


@pytest.fixture
def small_side(monkeypatch):
    """A working size of 96 pixels, so that tests need no large pictures."""
    for module in (working_size, tracker):
        monkeypatch.setattr(module, "SIDE", 96)


@pytest.fixture
def model(guided_folder):
    return GuidedModel(guided_folder, "cpu", 1)


def draw_disc(scale):
    """A red disc on green (90·scale, 120·scale, 3), its mask, and its centre (x, y)."""
    rows, columns = np.mgrid[: 90 * scale, : 120 * scale]
    mask = (rows - 40 * scale) ** 2 + (columns - 50 * scale) ** 2 < (25 * scale) ** 2
    return np.where(mask[..., None], (220, 40, 40), (60, 120, 60)).astype(np.uint8), mask, (50 * scale, 40 * scale)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((360, 480), (360, 480)),
        ((900, 900), (900, 900)),
        ((3000, 4000), (675, 900)),
        ((8, 6000), (8, 900)),
        ((3, 9000), (3, 900)),
        ((9000, 12000), (675, 900)),
    ],
)
def test_only_large_pictures_are_reduced(size, expected):
    assert fit_size(size) == expected


def test_a_click_falls_into_the_same_place_of_the_reduced_picture():
    assert move_point(0, 0, (3000, 4000), (675, 900)) == (0, 0)
    assert move_point(3999, 2999, (3000, 4000), (675, 900)) == (899, 674)
    assert move_point(2000, 1500, (3000, 4000), (675, 900)) == (450, 337)
    assert move_point(17, 5, (90, 120), (90, 120)) == (17, 5)


def test_a_label_is_enlarged_by_its_scores_in_strips_without_seams(monkeypatch):
    scores = np.random.default_rng(0).normal(size=(3, 20, 30)).astype(np.float32)
    whole = label_full(scores, (61, 90))
    enlarged = [np.asarray(Image.fromarray(each).resize((90, 61), Image.Resampling.BILINEAR)) for each in scores]
    assert (whole == np.argmax(enlarged, axis=0)).mean() > 0.999
    monkeypatch.setattr(working_size, "STRIP", 7)
    assert (label_full(scores, (61, 90)) == whole).mean() > 0.999


def test_a_session_takes_full_pictures_clicks_and_masks_and_works_on_reduced_ones(model, small_side):
    image, mask, centre = draw_disc(5)
    session = GuidedSession(model)
    picture = session.add_picture(image)
    assert max(session.supports[picture].features.size) == 96
    session.click(picture, *centre)
    session.click(picture, 590, 440, way=0)
    reduced = GuidedSession(model)
    reduced.add_picture(reduce(image))
    for x, y, way in session.supports[picture].clicks:
        reduced.click(0, *move_point(x, y, image.shape[:2], (72, 96)), way)
    np.testing.assert_array_equal(session.guidance().values, reduced.guidance().values)
    assert session.segment(picture).shape == image.shape[:2]
    session.annotate(picture, mask.astype(np.uint8))
    assert session.segment(picture).shape == image.shape[:2]
    assert session.predict(image).shape == image.shape[:2]


def test_guidance_labels_a_picture_the_same_at_any_size_above_the_working_size(model, small_side):
    (image, _, centre), (large, _, _) = draw_disc(2), draw_disc(6)
    session = GuidedSession(model)
    session.click(session.add_picture(image), *centre)
    session.click(0, 5, 5, way=0)
    predictor = GuidedPredictor(model, session.guidance(), session.names)
    found = predictor.predict(large[None])[0]
    assert found.shape == large.shape[:2]
    again = Image.fromarray(found).resize(image.shape[1::-1], Image.Resampling.NEAREST)
    assert (np.asarray(again) == predictor.predict(image[None])[0]).mean() > 0.9
    frame = predictor.stream().step(large)
    assert frame.shape == large.shape[:2]


@pytest.mark.parametrize("params", [EvaluateParams(tasks=2), EvaluateParams(tasks=2, points=3, interactive=True)])
def test_an_evaluation_encodes_pictures_at_the_working_size(params, guided_folder, small_side, monkeypatch):
    samples = []
    for way in (1, 1, 2, 2):
        image, mask, _ = draw_disc(5)
        samples.append(Sample(str(len(samples)), image, (mask * way).astype(np.uint8)))
    encode, sizes = GuidedModel.encode, []

    def note_size(model, image):
        sizes.append(image.shape[:2])
        return encode(model, image)

    monkeypatch.setattr(GuidedModel, "encode", note_size)
    names = ("background", "disc", "ball")
    scores = score(params, guided_folder, Split("toy", Classes(names, make_bit_palette(3)), samples, None))
    assert scores.metrics()["tasks"] == 2
    # Two pictures stand side by side, unless the support is the query.
    assert set(sizes) == {(72 if params.interactive else 36, 96)}
