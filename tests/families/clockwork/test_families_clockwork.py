"""The clockwork family from a trained FCN to what its schedules score, on a small town."""

import json
import re

import numpy as np
import pytest
from support.clockwork_model import moving
from support.tiny_town import TINY_TOWN

from components import evaluate, train
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families.clockwork import family as clockwork
from pixelwise.families.clockwork.frame_pairs import draw_frame_pairs, draw_window_pair, list_clips
from pixelwise.families.clockwork.measure.clips import split_at_gaps
from pixelwise.families.clockwork.measure.judged import find_units, measure_schedule
from pixelwise.families.clockwork.measure.paired_runs import ScheduleRun
from pixelwise.families.clockwork.options import EvaluateParams
from pixelwise.families.clockwork.runtime.clockwork_engine import FEATURES, open_staged, run_stage
from pixelwise.families.clockwork.stages import split_strides
from pixelwise.families.fcn import family as fcn
from pixelwise.families.origin import origin
from pixelwise.families.trained import load_trained, read_description


@pytest.fixture(scope="module")
def model(clockwork_model):
    return clockwork_model


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def start(clockwork_start):
    return clockwork_start


@pytest.mark.covers("train", "clockwork")
@pytest.mark.covers("export", "clockwork")
def test_it_ships_the_trained_net_in_stages(model, start, data):
    _, net = load_trained(model / "checkpoint")
    _, parent = load_trained(start)
    for name, value in parent.state_dict().items():
        assert np.array_equal(net.net.state_dict()[name], value), name
    image = PreparedData(data).split("val").image(0)
    staged = open_staged(model, "cpu")
    assert len(staged.stages) == 3
    exported = json.loads((model / "export.json").read_text())
    assert set(exported["graphs"]) == {"model", "scores", "stage1", "stage2", "stage3", "fuse", "decode", "change"}
    assert exported["parity"] >= 0.999
    assert staged.plain.predict(image[None]).shape == (1, *image.shape[:2])


def test_another_net_is_another_training(start, data):
    params = clockwork.TrainParams()
    described = read_description(start)
    one, other = (
        origin(clockwork.start_from(params, {**described, "fingerprint": mark}, start), "clockwork", data)
        for mark in ("a" * 64, "b" * 64)
    )
    assert one["fingerprint"] != other["fingerprint"]


@pytest.mark.covers("train", "clockwork")
def test_the_learned_clock_expects_more_change_of_a_larger_move(model):
    staged = open_staged(model, "cpu")
    first, *later = (run_stage(staged.stages[0], frame[None])[FEATURES] for frame in moving(8, size=(80, 96)))
    seen = [{"now": one, "then": first} for one in (first, later[0], later[-1])]
    shares = [float(staged.change.run(["share"], given)[0][0]) for given in seen]
    assert shares[0] == 0
    assert shares == sorted(shares)


def test_a_schedule_adds_its_speed_to_the_scores(model, data, tmp_path):
    params = EvaluateParams(split="val", provider="cpu", schedule="carry:2")
    found = evaluate.run(params, model, data=data, json=tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == TINY_TOWN.frames
    assert scores["frames_per_second"] > 0
    assert scores["stage_share"] == {"stage1": 0.5, "stage2": 0.5, "stage3": 0.5}
    assert "frames a second; stage1 on 50%" in str(found)
    oracle, plain = (
        evaluate.run(params.model_copy(update={"schedule": one}), model, data=data) for one in ("oracle", None)
    )
    assert oracle.scores == plain.scores


@pytest.mark.covers("evaluate", "clockwork")
def test_a_frontier_pairs_every_schedule_with_the_oracle(model, data, tmp_path):
    params = EvaluateParams(split="val", provider="cpu", schedule="frontier")
    found = evaluate.run(params, model, data=data, out=tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    points = metrics["schedules"]
    assert points["oracle"]["speed_up"] == 1
    assert points["oracle"]["lost"] == 0
    assert points["skip:2"]["stage_share"] == [0.5, 0.5, 0.5]
    assert {name.partition(":")[0] for name in points} >= {"alternating", "exponential", "adaptive", "carry", "motion"}
    judged = points[metrics["schedule"]]
    assert metrics["schedule"].startswith("motion:")
    assert (metrics["mean_iu"], metrics["mean_iu_lost"]) == (judged["mean_iu"], judged["lost"])
    page = (tmp_path / "frontier.html").read_text()
    assert not re.search("https?:", page.replace("http://www.w3.org", ""))
    assert "carry:2" in page
    assert "next: pixelwise predict" in str(found)


def test_a_schedule_needs_a_staged_model(model, data, tmp_path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/model.onnx").write_bytes((model / "onnx/model.onnx").read_bytes())
    with pytest.raises(ModelError, match="not in stages"):
        evaluate.run(EvaluateParams(split="val", schedule="motion"), tmp_path, data=data)


def test_a_family_that_needs_a_start_says_so_and_another_refuses_it(data, start, tmp_path):
    out, state = tmp_path / "out", tmp_path / "state"
    with pytest.raises(ParamsError, match="found no --start"):
        train.run(clockwork.TrainParams(), "clockwork", data, out, state, "none")
    with pytest.raises(ParamsError, match="family fcn starts from no model"):
        train.run(fcn.TrainParams(), "fcn", data, out, state, "none", start=start)
    with pytest.raises(ModelError, match="no such file"):
        train.run(clockwork.TrainParams(), "clockwork", data, out, state, "none", start=tmp_path)


def test_a_net_that_cannot_be_cut_is_an_error(start):
    described = read_description(start)
    other = clockwork.start_from(
        clockwork.TrainParams(), {**described, "network": {**described["network"], "heads": "both"}}, start
    )
    with pytest.raises(ParamsError, match="expected a plain FCN of pictures"):
        clockwork.build(other.network, 5, pretrained=False)
    with pytest.raises(ModelError, match="of family clockwork, expected fcn"):
        clockwork.start_from(clockwork.TrainParams(), {**described, "family": "clockwork"}, start)


def test_stages_end_at_the_borders():
    assert split_strides((8, 16, 32), (8, 16)) == [[8], [16], [32]]
    assert split_strides((4, 8, 16, 32), (16,)) == [[4, 8, 16], [32]]
    for wrong in ((32,), (4,)):
        with pytest.raises(ParamsError, match=r"network\.borders: found"):
            split_strides((8, 16, 32), wrong)


def test_pairs_are_neighbours_of_a_clip_or_windows_of_one_picture(data):
    split = PreparedData(data).split("train")
    assert [len(clip) for clip in list_clips(split)] == [TINY_TOWN.frames] * TINY_TOWN.train_clips
    once, again = (
        np.concatenate([image.ravel() for pair in draw_frame_pairs(split, 6, 1) for image in pair]) for _ in "12"
    )
    assert np.array_equal(once, again)
    image = np.arange(90 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(90, 100, 3)
    then, now = draw_window_pair(image, np.random.default_rng(2))
    assert then.shape == now.shape != image.shape
    with pytest.raises(DataError, match="too small for a moving window"):
        draw_window_pair(image[:60], np.random.default_rng(2))


def test_a_clip_with_missing_frames_is_two():
    assert split_at_gaps([(0, 5), (2, 6), (4, 7), (10, 8), (12, 9)]) == [[5, 6, 7], [8, 9]]
    assert split_at_gaps([(3, 0)]) == [[0]]


def test_clips_are_units_and_blocks_of_a_single_clip():
    assert find_units([[0, 1, 2], [3], [4, 5]]) == ("clip", [0, 3, 4])
    assert find_units([list(range(20))]) == ("clip", [0])
    assert find_units([list(range(101))]) == ("16-frame block", [0, 16, 32, 48, 64, 80])
    assert find_units([list(range(25))]) == ("16-frame block", [0, 16])
    assert find_units([list(range(24))]) == ("clip", [0])


def test_the_judged_schedule_is_measured_beside_the_oracle_by_clip():
    classes = ("sky", "road")
    right, wrong = np.array([[4, 0], [0, 4]]), np.array([[2, 2], [2, 2]])
    oracle = ScheduleRun("oracle", list("abc"), [right, right, right], seconds=[[2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    run = ScheduleRun("skip:2", list("abc"), [right, wrong, right], seconds=[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    score, lost, speed_up = measure_schedule(run, oracle, [[0, 1], [2]], classes)
    assert (score.ids, score.unit) == (("a", "c"), "clip")
    assert np.array_equal(score.values, [right + wrong, right])
    assert lost.score == pytest.approx(1 - score.score)
    assert (speed_up.values.tolist(), speed_up.unit) == ([2.0, 3.0], "round")
