"""Values of schedules picked on video without labels."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.clockwork_model import encode, moving

from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families.clockwork.measure import calibration
from pixelwise.families.clockwork.measure.calibration import Goal, Trial, find_crossing, refine_schedules
from pixelwise.families.clockwork.measure.expected_loss import ClassOdds, compute_loss, count_expected
from pixelwise.families.clockwork.options import PredictParams
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.stream_grids import Grid
from pixelwise.families.clockwork.verbs import calibrate
from pixelwise.families.clockwork.verbs.calibrate import CalibrateParams
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import identify
from pixelwise.metrics.confusion import compute_scores, count_pixels
from pixelwise.registry.references import resolve_model_folder
from pixelwise.registry.registration import add_version, hash_model_files
from pixelwise.registry.versions import FILES_TAG, ONNX_TAG
from pixelwise.tools import predict
from pixelwise.tracking.store import connect


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("clips") / "clip.mkv", moving(8))


@pytest.fixture
def model(clockwork_model, tmp_path):
    """A copy that may be written to."""
    return shutil.copytree(clockwork_model, tmp_path / "model")


def params(**wanted):
    return CalibrateParams(provider="cpu", **wanted)


def trials(*speeds):
    return [Trial(f"motion:{n + 1}", speed, speed, speed / 100, (1.0,)) for n, speed in enumerate(speeds)]


def test_odds_that_are_sure_give_the_loss_that_their_labels_give():
    label, oracle, worse = np.random.default_rng(0).integers(0, 3, (3, 32, 48)).astype(np.uint8)
    oracle[8:], worse[16:] = label[8:], label[16:]
    cells = label[::8, ::8]
    odds = np.eye(3, dtype=np.float32)[cells].transpose(2, 0, 1)
    counts = [count_expected(odds, prediction, Grid(8, 0)) for prediction in (oracle, worse)]
    known = [count_pixels(cells, prediction[::8, ::8].copy(), 3) for prediction in (oracle, worse)]
    assert np.array_equal(counts, known)
    assert compute_loss(counts[0], counts[0]) == 0
    assert compute_loss(*counts) == pytest.approx(compute_scores(known[0]).mean_iu - compute_scores(known[1]).mean_iu)


def test_what_is_watched_stays_odds_and_remembers_the_frames_before(clockwork_model):
    staged = open_staged(clockwork_model, "cpu")
    watched, alone, frames = ClassOdds(staged), ClassOdds(staged), moving(3)
    seen = [watched.step(frame) for frame in frames]
    assert np.allclose([odds.sum(axis=0) for odds in seen], 1, atol=1e-5)
    labels = staged.plain.predict(frames[0][None])[0]
    assert np.mean(seen[0].argmax(axis=0) == labels[::8, ::8]) > 0.98
    assert not np.allclose(seen[2], alone.step(frames[2]), atol=1e-3)


def test_the_least_value_that_is_fast_enough_is_between_the_neighbours_found():
    names = [trial.schedule if trial else None for trial in find_crossing(trials(1, 2, 3, 4), Goal("speed", 3))]
    assert names == ["motion:2", "motion:3"]
    below, beyond = find_crossing(trials(1, 2, 3, 4), Goal("loss", 0.025))
    assert (below.schedule, beyond.schedule) == ("motion:2", "motion:3")
    # A value that was fast by chance, a slower one after it.
    below, beyond = find_crossing(trials(1, 3, 2, 4), Goal("speed", 3))
    assert (below.schedule, beyond.schedule) == ("motion:3", "motion:4")
    assert find_crossing(trials(1, 2), Goal("speed", 3))[1] is None
    assert find_crossing(trials(1, 2), Goal("loss", 0.001))[0] is None


def test_a_closer_look_stays_between_and_repeats_nothing():
    below, beyond = trials(1, 2)
    assert refine_schedules("motion", below, beyond) == ["motion:1.19", "motion:1.41", "motion:1.68"]
    low, high = (Trial(f"carry:{value}", 1, 1, 0, (1.0,)) for value in (4, 8))
    assert refine_schedules("carry", low, high) == ["carry:5", "carry:6", "carry:7"]
    assert refine_schedules("carry", low, Trial("carry:5", 1, 1, 0, (1.0,))) == []


def test_a_value_is_picked_without_labels_and_kept_beside_the_graphs(model, clip):
    found = calibrate.run(params(loss=100), [clip], model, schedule="carry", keep=True)
    assert [trial.schedule for trial in found.trials] == [f"carry:{n}" for n in (1, 2, 4, 8, 16, 32)]
    assert [trial.stage_share[0] for trial in found.trials] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 8, 1 / 8]
    assert found.chosen.schedule == "carry:32"
    assert "--schedule carry now means carry:32" in str(found)
    staged = open_staged(model, "cpu")
    assert open_engine(staged, "carry").schedule.name == "carry:32"
    assert open_engine(staged, "carry:3").schedule.name == "carry:3"
    assert open_engine(staged, "motion").schedule.name == "motion:0.45"
    report = predict.run(PredictParams(provider="cpu", schedule="carry"), [clip], model, model.parent / "out")
    assert str(report).startswith("schedule carry:32: ")


def test_the_value_of_a_registered_model_is_kept_in_a_copy(model, clip, tmp_path, mlflow_store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    tags = {ONNX_TAG: identify(model), FILES_TAG: json.dumps(hash_model_files(model))}
    add_version(connect(mlflow_store), "clockwork", model, run_id=None, experiment="clockwork", tags=tags)
    reference, copy = Path("models:/clockwork/1"), tmp_path / "made/copy"
    found = calibrate.run(params(loss=100), [clip], reference, schedule="carry")
    assert f"--model {reference} --schedule carry:32 " in str(found)
    with pytest.raises(ParamsError, match=r"^--keep: found models:/clockwork/1, which is registered and stays as it"):
        calibrate.run(params(loss=100), [clip], reference, schedule="carry", keep=True)
    found = calibrate.run(params(loss=100), [clip], reference, schedule="carry", out=copy)
    assert f"wrote {copy}/schedules.json: --schedule carry now means carry:32" in str(found)
    assert f"--model {copy} --schedule carry " in str(found)
    assert open_engine(open_staged(copy, "cpu"), "carry").schedule.name == "carry:32"
    assert hash_model_files(copy).items() - hash_model_files(model).items() == {
        ("schedules.json", sha256_file(copy / "schedules.json"))
    }
    # The registered files are as they were.
    assert not (resolve_model_folder(reference) / "schedules.json").exists()
    with pytest.raises(ParamsError, match="exists, expected a new folder for a copy of models:/clockwork/1"):
        calibrate.run(params(loss=100), [clip], reference, schedule="carry", out=copy)


def test_what_is_picked_is_the_largest_value_whose_loss_can_be_borne(model, clip):
    tried = calibrate.run(params(loss=100), [clip], model, schedule="skip").trials
    losses = {trial.schedule: trial.loss for trial in tried}
    bound = (losses["skip:2"] + losses["skip:4"]) / 2
    assert losses["skip:1"] == 0 < losses["skip:2"] < bound < losses["skip:4"]
    found = calibrate.run(params(loss=100 * bound), [clip], model, schedule="skip")
    assert found.chosen.loss <= bound
    assert found.chosen.schedule in ("skip:2", "skip:3")
    assert {trial.schedule: trial.loss for trial in found.trials}.items() >= losses.items()


def test_values_of_another_export_are_passed_over_and_a_damaged_file_is_named(model):
    file = model / "schedules.json"
    ours = open_staged(model, "cpu").plain.metadata["fingerprint"]
    file.write_text(json.dumps({"fingerprint": "e" * 64, "values": {"motion": "2"}}))
    assert open_staged(model, "cpu").values == {}
    for damaged in ("{", "[]", json.dumps({"fingerprint": ours, "values": 3})):
        file.write_text(damaged)
        with pytest.raises(ModelError, match=r"schedules\.json: damaged"):
            open_staged(model, "cpu")


def test_what_cannot_be_had_is_refused_with_what_can(model, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "LOOKS", 0)
    with pytest.raises(ParamsError, match=r"^speed: expected at least 1000 times as fast, found .*with carry:32$"):
        calibrate.run(params(speed=1000), [clip], model, schedule="carry")
    with pytest.raises(ParamsError, match="found 2 of --speed, --rate and --loss, expected one"):
        calibrate.run(params(speed=2, loss=1), [clip], model)
    for schedule in ("oracle", "pipeline", "motion:0.3"):
        with pytest.raises(ParamsError, match="expected one whose value can be chosen: skip, "):
            calibrate.run(params(speed=2), [clip], model, schedule=schedule)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(DataError, match=r"broken\.mp4: no video that can be read"):
        calibrate.run(params(speed=2), [broken], model)
