"""What following an object knows of the frame before."""

import numpy as np
import pytest

from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.guided_model import Features
from pixelwise.families.guided.runtime.tracker import (
    FADE,
    MARGIN,
    NEAR,
    PENALTY,
    TOLD,
    Tracker,
    compute_remoteness,
    compute_shares,
    dilate_mask,
    fit,
)
from pixelwise.families.guided.runtime.working_size import SIDE, label_full

WIDTH, HEIGHT = SIDE, 400
CELLS = (HEIGHT // 8, -(-WIDTH // 8))


class Recorder:
    """A model that finds an object wherever `scores` (H, W) are above 1, and keeps the hints that it is given."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores, self.hints = scores, []

    def encode(self, image: np.ndarray) -> Features:
        return Features(np.zeros((1, *CELLS, 1), np.float32), np.empty(0), np.empty(0), image)

    def segment(self, features: Features, guidance: Guidance, hint: np.ndarray | None) -> np.ndarray:
        self.hints.append(hint)
        return np.stack([np.full_like(self.scores, 2.0), self.scores])


@pytest.fixture
def guidance() -> Guidance:
    keys, values, places = (np.zeros((2, 1), np.float32), np.eye(2, dtype=np.float32), np.zeros((2, 2), np.float32))
    return Guidance(np.zeros((2, 1), np.float32), np.ones(2), keys, values, places)


def test_the_net_is_told_a_part_of_the_mask_before_and_nothing_at_first(guidance):
    scores = np.full((HEIGHT, WIDTH), -9, np.float32)
    scores[80:160, 80:240] = 9
    model = Recorder(scores)
    tracker = Tracker(model, guidance)
    for _ in range(2):
        tracker.step(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    first, second = model.hints
    assert first is None
    expected = np.zeros(CELLS, np.float32)
    expected[10:20, 10:30] = TOLD
    # A cell is not quite eight pixels wide.
    np.testing.assert_allclose(second[1, 0], expected, atol=0.2 * TOLD)
    np.testing.assert_allclose(second[0, 0], TOLD - second[1, 0], atol=0.01 * TOLD)


def test_something_alike_far_from_the_mask_before_is_not_the_object_unless_it_is_sure(guidance):
    scores = np.full((HEIGHT, WIDTH), -9, np.float32)
    scores[80:160, 80:240] = 9
    model = Recorder(scores)
    tracker = Tracker(model, guidance)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    tracker.step(image)
    scores[80:160, 600:700] = 1.5 + PENALTY / 2
    assert not tracker.step(image)[:, 500:].any()
    scores[80:160, 600:700] = 1.5 + PENALTY
    assert tracker.step(image)[80:160, 600:700].all()


def test_a_large_frame_is_labelled_by_its_enlarged_scores_and_a_small_one_at_its_own_size(guidance):
    scores = np.random.default_rng(0).normal(2 - MARGIN, 1, (HEIGHT, WIDTH)).astype(np.float32)
    size = (2 * HEIGHT, 2 * WIDTH)
    found = Tracker(Recorder(scores), guidance).step(np.zeros((*size, 3), np.uint8))
    assert (found == label_full(np.stack([np.full_like(scores, 2), scores + MARGIN]), size)).all()
    small = Tracker(Recorder(scores), guidance).step(np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8))
    assert small.shape == (HEIGHT // 2, WIDTH // 2)


def test_remoteness_rises_beside_the_object_and_is_none_where_it_was_hidden():
    shares = np.zeros((60, 110), np.float32)
    shares[20:30, 40:60] = 1
    found = compute_remoteness(shares, (60, 110))
    line = found[25, 60:]
    assert not line[: NEAR - FADE].any()
    assert (line[NEAR + FADE + 1 :] == 1).all()
    assert (np.diff(line) >= 0).all()
    assert not compute_remoteness(
        np.where(np.arange(6600).reshape(60, 110) < 2, 1, 0).astype(np.float32), (60, 110)
    ).any()


def test_an_object_begins_to_fade_at_five_cells_and_is_far_at_thirteen():
    shares = np.zeros((60, 110), np.float32)
    shares[20:30, 40:60] = 1
    line = compute_remoteness(shares, (60, 110))[25, 60:]
    assert np.flatnonzero(line).min() == 4
    assert np.flatnonzero(line < 1).max() == 11


def test_an_object_of_three_cells_is_followed_and_a_smaller_one_was_hidden():
    shares = np.zeros((60, 110), np.float32)
    shares[20, 40:43] = 1
    assert compute_remoteness(shares, (60, 110)).any()
    shares[20, 42] = 0.9
    assert not compute_remoteness(shares, (60, 110)).any()


@pytest.mark.parametrize(("score", "is_found"), [(1.2, False), (1.3, True)])
def test_an_object_is_found_from_three_quarters_below_the_background(guidance, score, is_found):
    tracker = Tracker(Recorder(np.full((HEIGHT, WIDTH), score, np.float32)), guidance)
    assert tracker.step(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).any() == is_found


def test_a_frame_is_matched_with_400_cells_and_told_three_tenths_of_the_mask_before():
    cells = np.zeros((500, 1), np.float32)
    whole = Guidance(cells[:2], np.ones(2), cells, np.eye(2).repeat(250, axis=1), np.zeros((500, 2)))
    model = Recorder(np.full((HEIGHT, WIDTH), 9, np.float32))
    tracker = Tracker(model, whole)
    for _ in range(2):
        tracker.step(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert tracker.guidance.keys.shape == (400, 1)
    assert model.hints[1][1, 0] == pytest.approx(0.3)
    assert not model.hints[1][:, 1].any()


def test_widening_takes_in_all_cells_within_reach():
    mask = np.random.default_rng(0).random((13, 17)) < 0.03
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[:13, :17]
    expected = ((np.abs(y[..., None] - rows) <= 2) & (np.abs(x[..., None] - columns) <= 2)).any(axis=2)
    np.testing.assert_array_equal(dilate_mask(mask, 2), expected)


def test_a_cell_that_is_covered_whole_has_a_share_of_one_and_half_of_one_a_half():
    mask = np.zeros((16, 24), bool)
    mask[:8, :8] = mask[8:, 8:12] = True
    np.testing.assert_allclose(compute_shares(mask, (2, 3)), [[1, 0, 0], [0, 0.5, 0]], atol=0.003)
    assert compute_shares(mask, (2, 3))[0, 0] == 1


def test_a_frame_is_fitted_to_the_side_and_a_label_keeps_its_classes():
    assert fit(np.zeros((2 * SIDE, SIDE, 3), np.uint8)).shape == (SIDE, SIDE // 2, 3)
    # A small frame is enlarged, a strip keeps a row.
    assert fit(np.zeros((30, 90, 3), np.uint8)).shape == (SIDE // 3, SIDE, 3)
    assert fit(np.zeros((1, 4 * SIDE, 3), np.uint8)).shape == (1, SIDE, 3)
    assert fit(np.zeros((4 * SIDE, 1, 3), np.uint8)).shape == (SIDE, 1, 3)
    label = np.repeat(np.array([[0, 200]], np.uint8), 4, axis=0)
    assert np.unique(fit(label, (8, 6))).tolist() == [0, 200]
    # Of a picture, what lies between is mixed.
    assert len(np.unique(fit(np.stack([label] * 3, axis=-1), (8, 6)))) > 2
