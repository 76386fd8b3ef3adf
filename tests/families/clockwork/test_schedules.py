"""Schedules as data, and what a video labeller makes of an engine: without a net."""

from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.errors import ParamsError
from pixelwise.families.clockwork.runtime.clocks import Seen, make_clock
from pixelwise.families.clockwork.runtime.clockwork_engine import Frame
from pixelwise.families.clockwork.runtime.model import Scheduled, ScheduledPredictor
from pixelwise.families.clockwork.runtime.schedules import SCHEDULES, list_frontier_schedules, parse_schedule
from pixelwise.families.clockwork.runtime.strip import FRAMES, IDLE, LINE, NOW, Strip
from pixelwise.families.clockwork.runtime.tiled_engine import TiledEngine
from pixelwise.inference.tiles import split_picture
from pixelwise.reporting.label_images import INK, PAPER

# Name alone -> what it is for three stages: its whole name, its clocks, whether states move, the parts of a pipeline.
THREE = {
    "oracle": ("oracle", "always always always", "stay", ()),
    "skip": ("skip:2", "every:2 before before", "stay", ()),
    "alternating": ("alternating:2", "always always every:2", "stay", ()),
    "exponential": ("exponential", "every:1 every:2 every:4", "stay", ()),
    "adaptive": ("adaptive:0.4", "always scores:0.4 before", "stay", ()),
    "adaptive-deep": ("adaptive-deep:0.1", "always always scores:0.1", "stay", ()),
    "pixels": ("pixels:0.2", "always pixels:0.2 before", "stay", ()),
    "confidence": ("confidence:0.5", "always confidence:0.5 before", "stay", ()),
    "learned": ("learned:0.2", "always learned:0.2 before", "stay", ()),
    "mend": ("mend:2", "always always every:2", "move", ()),
    "pipeline": ("pipeline:3", "always always always", "stay", (1, 1, 1)),
    "truncated": ("truncated:1", "always off off", "stay", ()),
    "carry": ("carry:4", "every:4 before before", "move", ()),
    "motion": ("motion:0.45", "motion:0.45 before before", "move", ()),
    "int8-carry": ("int8-carry:4", "every:4 before before", "move", ()),
    "int8-motion": ("int8-motion:0.3", "motion:0.3 before before", "move", ()),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_name_alone_is_a_schedule_with_its_default(name):
    found = parse_schedule(name, 3)
    assert (found.name, " ".join(found.clocks), found.idle, found.overlapped) == THREE[name]
    assert found.uses_motion == (name == "mend" or name.endswith(("carry", "motion")))
    assert found.runs_whole == name.endswith(("skip", "carry", "motion"))
    assert found.precision == ("int8" if name.startswith("int8-") else "float32")


def test_a_value_replaces_the_default_and_the_first_part_of_a_pipeline_has_the_stages_left_over():
    assert parse_schedule("carry:7", 2).clocks == ("every:7", "before")
    assert parse_schedule("pipeline:2", 4).overlapped == (3, 1)
    assert parse_schedule("truncated:2", 3).clocks == ("always", "always", "off")
    assert parse_schedule("skip:1", 2).clocks == ("every:1", "before")
    assert parse_schedule("motion:0", 2).clocks == ("motion:0", "before")
    assert parse_schedule("always,never", 2).clocks == ("always", "never")
    assert parse_schedule("always,motion:1", 2).uses_motion
    assert parse_schedule("pixels:0.1,before", 2).runs_whole
    assert not parse_schedule("off,before", 2).runs_whole


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pipeline:1", "found '1' stages, expected 2 to 3"),
        ("pipeline:4", "found '4' stages, expected 2 to 3"),
        ("truncated:0", "found '0' stages, expected 1 to 2"),
        ("truncated:3", "found '3' stages, expected 1 to 2"),
        ("skip:0", "found '0', expected a number of frames such as 3"),
        ("carry:1.5", "found '1.5', expected a number of frames such as 3"),
        ("motion:-0.1", "found '-0.1', expected a number such as 0.45"),
        ("motion:x", "found 'x', expected a number such as 0.45"),
        ("oracle:2", "found a value, expected oracle alone"),
        ("always,never", "found 2 clocks, expected 3, one a stage"),
    ],
)
def test_a_value_out_of_range_is_named(words, message):
    with pytest.raises(ParamsError, match=message):
        parse_schedule(words, 3)


def test_a_frontier_has_every_curve_with_its_default_value_on_it():
    listed = list_frontier_schedules(has_int8=True)
    assert list_frontier_schedules(has_int8=False) == [words for words in listed if not words.startswith("int8-")]
    assert len(set(listed)) == len(listed)
    for name, named in SCHEDULES.items():
        points = [words.partition(":")[2] for words in listed if words.partition(":")[0] == name]
        assert points == list(named.curve)
        assert not points or named.default in points
        assert [float(point) for point in points if point] == sorted(float(point) for point in points if point)


class Counting:
    """An engine that labels each frame by its number since the last reset, and runs its second stage on even ones."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.frame = 0

    def step(self, image):
        self.frame += 1
        return Frame(np.full(image.shape[:2], self.frame, np.uint8), (True, self.frame % 2 == 0), 0.25)


def test_a_video_is_summed_up_by_its_rate_and_the_share_of_frames_of_each_stage():
    video = Scheduled("skip:2", Counting(), Strip(2))
    assert video.summary() == ""
    image = np.zeros((4, 6, 3), np.uint8)
    assert [int(video.step(image)[0, 0]) for _ in range(3)] == [1, 2, 3]
    assert int(video.step(image, follows=False)[0, 0]) == 1
    assert video.summary().startswith("schedule skip:2: 4.0 frames a second")
    assert "stage 1 on 100%, stage 2 on 25% of the frames" in video.summary()
    assert video.annotate(np.zeros((4, 6, 3), np.uint8)).shape == (4 + 2 * LINE + 1, 6, 3)
    video.reset()
    assert int(video.step(image)[0, 0]) == 1
    # A new video's strip shows nothing of the one before.
    strip = video.annotate(np.zeros((4, FRAMES, 3), np.uint8))[4:]
    assert {tuple(colour) for colour in strip[1, :-1].tolist()} == {IDLE}


def test_a_strip_shows_the_newest_frame_on_the_right_in_blue_and_those_before_in_dark():
    strip = Strip(2)
    strip.after((True, False), FRAMES)
    found = strip.after((False, True), 2 * FRAMES)
    assert found.shape == (2 * LINE + 1, 2 * FRAMES, 3)
    assert (found[[0, LINE, 2 * LINE]] == PAPER).all()
    first, second = found[1:LINE], found[LINE + 1 : 2 * LINE]
    # Two pixels a frame.
    for line, columns, colour in (
        (first, slice(-2, None), IDLE),
        (first, slice(-4, -2), INK),
        (first, slice(None, -4), IDLE),
        (second, slice(-2, None), NOW),
        (second, slice(None, -2), IDLE),
    ):
        assert (line[:, columns] == colour).all()


def test_tiles_make_one_frame_whose_stages_fired_where_they_did_in_any():
    engine = TiledEngine(SimpleNamespace(), parse_schedule("oracle", 2))
    engine.size, engine.tiles = (100, 200, 3), list(split_picture(100, 200, 128))
    parts = [
        Frame(np.full((rows.end - rows.start, columns.end - columns.start), 1 + place, np.uint8), fired, 0.5)
        for place, ((rows, columns), fired) in enumerate(
            zip(engine.tiles, [(True, False), (False, False)], strict=True)
        )
    ]
    whole = engine.join(parts)
    assert (whole.fired, whole.seconds) == ((True, False), 1.0)
    assert whole.prediction.shape == (100, 200)
    edge = engine.tiles[1][1].first
    assert (whole.prediction[:, :edge] == 1).all()
    assert (whole.prediction[:, edge:] == 2).all()


def test_a_predictor_of_pictures_is_the_plain_net():
    plain = SimpleNamespace(
        names=("sky",),
        palette=((1, 2, 3),),
        provider="here",
        gives_confidence=True,
        predict=lambda images: ("labels", images),
    )
    plain.predict_with_confidence = lambda images: ("both", images)
    opened = []
    staged = SimpleNamespace(plain=plain, stages=(1, 2), values={"carry": "6"}, open_whole=opened.append)
    predictor = ScheduledPredictor(staged, "carry")
    assert (predictor.names, predictor.palette, predictor.provider) == (("sky",), ((1, 2, 3),), "here")
    assert predictor.gives_confidence
    assert (predictor.predict(7), predictor.predict_with_confidence(7)) == (("labels", 7), ("both", 7))
    # The value that was calibrated for this net.
    assert predictor.stream().name == "carry:6"
    assert opened == ["float32"]


def test_nothing_before_the_first_stage_is_as_if_it_had_fired():
    assert make_clock("before", None).fires(Seen(0, np.zeros((2, 2, 3), np.uint8)))
