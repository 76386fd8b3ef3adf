"""Clocks without a net: what each one watches, and when it fires (thesis §3.3)."""

import numpy as np
import pytest
import torch

from pixelwise.errors import ParamsError
from pixelwise.families.clockwork.change import Change
from pixelwise.families.clockwork.clock_teaching import teach
from pixelwise.families.clockwork.params import TrainParams
from pixelwise.families.clockwork.runtime.clocks import Seen, doubt, make_clock

IMAGE = np.full((4, 6, 3), 100, np.uint8)


def learned(now, then) -> float:
    return abs(now - then)


def seen(frame=0, **values) -> Seen:
    return Seen(frame, values.pop("image", IMAGE), **values)


def scores(*best: float) -> np.ndarray:
    """Scores (2, 1, w) whose second class leads by so much in each cell."""
    return np.stack([np.zeros((1, len(best))), np.array([best])]).astype(np.float32)


def fired(words: str, frames: int) -> str:
    clock = make_clock(words, learned)
    return "".join(str(int(clock.fires(seen(frame)))) for frame in range(frames))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("always", "11111"), ("never", "00000"), ("off", "00000"), ("every:2", "10101"), ("every:3:1", "01001")],
)
def test_a_clock_of_the_frames_number_fires_on_its_frames(words, expected):
    assert fired(words, 5) == expected


def test_a_stage_goes_with_the_one_before():
    clock = make_clock("before", learned)
    assert [clock.fires(seen(before=before)) for before in (True, False)] == [True, False]


def test_doubt_is_one_less_the_mean_probability_of_the_best_class():
    assert doubt(seen(scores=scores(0.0, 0.0))) == pytest.approx(0.5)
    certain = 1 / (1 + np.exp(-2.0))
    assert doubt(seen(scores=scores(2.0, 0.0))) == pytest.approx(1 - (certain + 0.5) / 2)
    assert doubt(seen(scores=scores(-2.0, 2.0))) == pytest.approx(1 - certain)
    assert doubt(seen(scores=scores(50.0))) == pytest.approx(0, abs=1e-6)
    # Three classes of which none is better.
    assert doubt(seen(scores=np.zeros((3, 2, 2), np.float32))) == pytest.approx(2 / 3)


def test_the_confidence_clock_fires_where_the_shallow_labels_are_in_doubt_and_rests_where_they_are_sure():
    clock = make_clock("confidence:0.3", learned)
    lead = [4.0, 1.0, 0.5, 0.0]
    assert [clock.fires(seen(scores=scores(by))) for by in lead] == [False, False, True, True]
    assert make_clock("confidence:0.5", learned).fires(seen(scores=scores(0.0)))
    assert make_clock("confidence:0", learned).fires(seen(scores=scores(90.0)))


def test_the_motion_clock_fires_from_its_share_of_unexplained_change():
    clock = make_clock("motion:0.6", learned)
    assert [clock.fires(seen(unexplained=share)) for share in (0.0, 0.59, 0.6, 0.9)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("words", "slowly"),
    [
        ("scores:0.5", [{"scores": scores(*[1.0] * on, *[-1.0] * (4 - on))} for on in range(4)]),
        ("pixels:0.2", [{"image": np.full((4, 6, 3), 100 + 13 * step, np.uint8)} for step in range(4)]),
        ("learned:0.2", [{"features": 0.11 * step} for step in range(4)]),
    ],
)
def test_slow_change_adds_up_until_the_stage_runs_and_counts_from_there(words, slowly):
    clock, runs = make_clock(words, learned), []
    clock.ran(seen(**slowly[0]))
    for values in slowly[1:]:
        runs.append(clock.fires(seen(**values)))
        if runs[-1]:
            clock.ran(seen(**values))
    assert runs == [False, True, False]


@pytest.mark.parametrize(
    "words", ["every", "every:0", "every:x", "every:1:2:3", "scores", "scores:a", "dream:1", "always:1"]
)
def test_a_clock_that_is_unknown_or_has_a_bad_number_is_named(words):
    with pytest.raises(ParamsError, match=f"^clock '{words}': expected always"):
        make_clock(words, learned)


def test_a_clock_on_scores_before_the_first_stage_is_refused():
    with pytest.raises(ParamsError, match="found nothing before the first stage"):
        make_clock("confidence:0.5", learned).fires(seen())


def test_a_clock_is_taught_in_mixed_precision_about_as_in_full():
    torch.manual_seed(0)
    then = [torch.rand(1, 4, 5, 6) for _ in range(6)]
    now, share, losses = [maps / 2 for maps in then], torch.full((6,), 0.3), []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(1)
        params = TrainParams(steps=20, device="cpu", precision=precision)
        losses.append(teach(Change(4), now, then, share, params))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
