"""Clockwork on its exported graphs: every schedule does what it says, and costs what it says (thesis §3.3)."""

from threading import Barrier

import numpy as np
import pytest
import torch
from support.clockwork_model import moving, picture

from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.clockwork.runtime import clockwork_engine, key_frames, staged_execution
from pixelwise.families.clockwork.runtime.clockwork_engine import Clockwork, open_staged
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.schedules import INT8, SCHEDULES, parse_schedule


@pytest.fixture(scope="module")
def model(clockwork_model):
    return open_staged(clockwork_model, "cpu")


def run(model, schedule, frames):
    engine = open_engine(model, schedule)
    return [engine.step(frame) for frame in frames]


def fired(model, schedule, frames):
    return np.array([frame.fired for frame in run(model, schedule, frames)]).astype(int).T.tolist()


def plain(model, frames):
    return [model.plain.predict(frame[None])[0] for frame in frames]


def test_always_on_equals_the_plain_net_to_the_bit(model):
    for size in ((96, 128), (97, 131), (40, 33)):
        frames = moving(4, size=size)
        found = [frame.prediction for frame in run(model, "always,always,always", frames)]
        assert len(np.unique(found)) > 1
        assert np.array_equal(found, plain(model, frames))


def test_the_plain_net_gives_the_probability_of_its_labels(model, clockwork_net):
    images = np.stack([picture(seed, (40, 33)) for seed in (1, 2)])
    labels, confidence = model.plain.predict_with_confidence(images)
    with torch.inference_mode():
        logits = clockwork_net(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    probabilities = torch.softmax(logits / float(model.plain.metadata["temperature"]), dim=1)
    assert np.array_equal(labels, model.plain.predict(images))
    assert np.allclose(confidence, probabilities.amax(dim=1).numpy(), atol=1e-4)


def test_threshold_zero_fires_on_every_frame_and_above_one_only_on_the_first(model):
    frames = moving(5)
    for name in ("adaptive", "adaptive-deep", "learned"):
        assert fired(model, f"{name}:0", frames)[-1] == [1, 1, 1, 1, 1]
        assert fired(model, f"{name}:1.01", frames)[-1] == [1, 0, 0, 0, 0]
    assert np.array_equal([frame.prediction for frame in run(model, "adaptive:0", frames)], plain(model, frames))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("oracle", ["11111", "11111", "11111"]),
        ("skip:2", ["10101", "10101", "10101"]),
        ("skip:3", ["10010", "10010", "10010"]),
        ("alternating", ["11111", "11111", "10101"]),
        ("exponential", ["11111", "10101", "10001"]),
        ("carry:3", ["10010", "10010", "10010"]),
        ("mend", ["11111", "11111", "10101"]),
        ("truncated:2", ["11111", "11111", "00000"]),
        ("always,every:2:1,before", ["11111", "11010", "11010"]),
    ],
)
def test_a_fixed_schedule_runs_its_stages_on_its_frames_and_no_others(model, schedule, expected, monkeypatch):
    calls, whole = [], []
    run_stage, run_whole = clockwork_engine.run_stage, key_frames.run_whole
    monkeypatch.setattr(
        clockwork_engine, "run_stage", lambda stage, given: calls.append(stage) or run_stage(stage, given)
    )
    monkeypatch.setattr(key_frames, "run_whole", lambda *given: whole.append(given) or run_whole(*given))
    assert ["".join(map(str, row)) for row in fired(model, schedule, moving(5))] == expected
    counts = [sum(stage is called for called in calls) for stage in model.stages]
    frames = [row.count("1") for row in expected]
    if parse_schedule(schedule, 3).runs_whole:
        assert (counts, len(whole)) == ([0, 0, 0], frames[0])
    elif schedule != "oracle":
        assert (counts, len(whole)) == (frames, 0)


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "truncated" and not name.startswith(INT8)])
def test_a_static_video_is_labelled_as_the_oracle_labels_it(model, schedule):
    frames = [picture(3)] * 5
    found = np.array([frame.prediction for frame in run(model, schedule, frames)])
    # Scores that are remembered are a mean of equal ones, which rounds.
    agreement = np.mean(found == np.array(plain(model, frames)))
    assert agreement == 1 if schedule not in ("carry", "motion", "mend") else agreement > 0.999


@pytest.mark.parametrize(("parts", "ages"), [(2, (0, 0, 1)), (3, (0, 1, 2))])
@torch.inference_mode()
def test_a_pipeline_equals_the_net_fed_with_stage_inputs_of_the_right_ages(model, clockwork_net, parts, ages):
    frames, net = moving(5), clockwork_net.net
    found = run(model, f"pipeline:{parts}", frames)
    features = [net.backbone(torch.from_numpy(frame[None]).permute(0, 3, 1, 2).float()) for frame in frames]
    for t, frame in enumerate(found):
        # Fine to coarse; before the video began there was its first frame.
        streams = [net.compute_stream(2 - stage, features[max(t - age, 0)][stage]) for stage, age in enumerate(ages)]
        expected = net.to_pixels(net.fuse(streams[::-1]), (96, 128)).argmax(dim=1)[0].numpy()
        assert np.mean(frame.prediction == expected) > 0.999


def test_the_parts_of_a_pipeline_are_at_work_at_once(model, monkeypatch):
    """Each part waits for the others before it begins: one after the other they would wait for ever."""
    run_part, together = staged_execution.run_part, Barrier(3, timeout=20)

    def met(stages, given):
        together.wait()
        return run_part(stages, given)

    engine = open_engine(model, "pipeline:3")
    first, *frames = moving(4)
    engine.step(first)
    monkeypatch.setattr(staged_execution, "run_part", met)
    assert [engine.step(frame).fired for frame in frames] == [(True, True, True)] * 3


@torch.inference_mode()
def test_a_stage_that_does_not_fire_shows_what_it_last_gave(model, clockwork_net):
    frames, net = moving(4), clockwork_net.net
    features = [net.backbone(torch.from_numpy(frame[None]).permute(0, 3, 1, 2).float()) for frame in frames]
    for t, frame in enumerate(run(model, "alternating:2", frames)):
        streams = [
            net.compute_stream(2, features[t][0]),
            net.compute_stream(1, features[t][1]),
            net.compute_stream(0, features[t - t % 2][2]),
        ]
        expected = net.to_pixels(net.fuse(streams[::-1]), (96, 128)).argmax(dim=1)[0].numpy()
        assert np.mean(frame.prediction == expected) > 0.999


@pytest.mark.parametrize("schedule", ["adaptive:0.1", "pixels:0.2", "learned:0.01", "motion:0.3"])
def test_adaptive_schedules_rest_on_still_stretches_and_fire_within_one_frame_of_a_cut(model, schedule):
    frames = [picture(1)] * 4 + [picture(2)] * 4
    found = fired(model, schedule, frames)
    resting = [0] * 4 if schedule.startswith("motion") else [1] * 4
    assert found[0][:4][1:] == resting[1:]
    assert found[-1][1:4] == [0, 0, 0]
    assert 1 in found[-1][4:6]
    assert found[-1][6:] == [0, 0]


def test_labels_are_carried_to_where_the_picture_has_moved(model):
    step, frames = 3, moving(6)
    found = [frame.prediction for frame in run(model, "carry:6", frames)]
    held = found[0]
    for age, prediction in enumerate(found):
        shift = step * age
        inside = (slice(8, -8), slice(8, 112 - shift))
        moved = held[8:-8, 8 + shift : 112]
        assert np.mean(prediction[inside] == moved) > 0.93
    stuck = np.mean(held[8:-8, 8 : 112 - 15] == held[8:-8, 8 + 15 : 112])
    assert np.mean(found[5][8:-8, 8 : 112 - 15] == held[8:-8, 8 + 15 : 112]) > stuck + 0.05


def test_a_change_of_resolution_starts_anew(model):
    for schedule in ("carry:4", "adaptive:0.9", "alternating", "pipeline", "skip:3"):
        small, large = moving(2), moving(3, size=(64, 160))
        found = run(model, schedule, [*small, *large])
        alone = run(model, schedule, large)
        assert all(
            np.array_equal(one.prediction, other.prediction) for one, other in zip(found[2:], alone, strict=True)
        )
        assert found[2].fired == (True, True, True)


def test_reset_forgets_all_frames(model):
    engine = Clockwork(model, parse_schedule("carry:4", 3))
    for frame in moving(3):
        engine.step(frame)
    engine.reset()
    assert engine.step(picture(9)).fired == (True, True, True)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("fast", "schedule 'fast': unknown, expected one of"),
        ("carry:x", "schedule carry: found 'x'"),
        ("carry:0", "expected a number of frames"),
        ("oracle:3", "found a value, expected oracle alone"),
        ("adaptive:-1", "expected a number such as"),
        ("pipeline:4", "found '4' stages, expected 2 to 3"),
        ("always,always", "found 2 clocks, expected 3"),
        ("always,often,always", "clock 'often': expected always"),
        ("always,every:0,always", "clock 'every:0'"),
    ],
)
def test_a_bad_schedule_is_an_error_of_one_line(model, schedule, words):
    with pytest.raises(ParamsError, match=words) as raised:
        run(model, schedule, [picture(0)])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("clock", ["scores:0.1", "confidence:0.1", "learned:0.1"])
@pytest.mark.parametrize("others", ["before,before", "always,always"])
def test_a_clock_on_what_stages_give_cannot_stand_before_the_first_stage(model, clock, others):
    with pytest.raises(ParamsError, match="found nothing before the first stage"):
        run(model, f"{clock},{others}", moving(2))


def test_key_frames_equal_the_plain_net_at_every_size(model):
    for size in ((96, 128), (97, 131), (40, 33)):
        frames = moving(3, size=size)
        assert np.array_equal([frame.prediction for frame in run(model, "skip:1", frames)], plain(model, frames))


def test_a_model_that_is_not_staged_is_named(clockwork_model, tmp_path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/model.onnx").write_bytes((clockwork_model / "onnx/model.onnx").read_bytes())
    with pytest.raises(ModelError, match="not in stages"):
        open_staged(tmp_path, "cpu")


def test_a_frame_of_another_kind_is_refused_and_the_state_kept(model):
    engine = open_engine(model, "skip:9")
    first = engine.step(picture(0)).prediction
    with pytest.raises(ModelError, match="expected uint8"):
        engine.step(picture(0).astype(np.float32))
    assert np.array_equal(engine.step(picture(1)).prediction, first)


def test_scores_are_remembered_from_the_frames_on_which_the_last_stage_ran(model):
    engine, kept = Clockwork(model, parse_schedule("mend:2", 3)), []
    for frame in moving(4):
        engine.step(frame)
        kept.append(engine.scores)
    assert kept[1] is kept[0]
    assert kept[2] is not kept[1]
    assert kept[3] is kept[2]
