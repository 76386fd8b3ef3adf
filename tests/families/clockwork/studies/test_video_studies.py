"""Studies of schedules and of how fast layers change, on small clips and a small clockwork."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from support.clockwork_model import CLASSES, PALETTE, moving
from support.image_sets import save

from components import export, ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families.clockwork.measure.paired_runs import run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.families.clockwork.studies.schedule import ScheduleParams, find_schedule, share_full_frames
from pixelwise.families.origin import origin
from pixelwise.families.trainer import learn
from pixelwise.identity import PROJECT
from pixelwise.params import parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.kinds import find_kind
from pixelwise.studies.records import read_measured
from pixelwise.studies.study import Study
from pixelwise.studies.units import measure_column, unpack
from pixelwise.tools import study

PARAMS = PROJECT / "params.yaml"
SMALL = {
    "name": "small",
    "title": "Small",
    "thesis": "nowhere",
    "claim": "any",
    "kind": "schedule",
    "data": "any",
    "columns": ["mean_iu", "boundary_mean_iu", "full_frames", "milliseconds", "speed_up"],
}
ALIKE = ("skip:2", "alternating:2", "exponential", "adaptive-deep:0.1", "pipeline:2", "pipeline:3", "oracle")


def small(schedules, **changes) -> Study:
    variants = [{"name": name, "overrides": overrides} for name, overrides in schedules.items()]
    return parse(Study, {**SMALL, "variants": variants, **changes}, "study small")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A clip of 8 moving frames and one of 4 that stand still, split val; labels are blocks of three classes."""
    root = tmp_path_factory.mktemp("clips")
    still = moving(1, seed=3)[0]
    for clip, frames in {"fast": moving(8), "still": [still] * 4}.items():
        for number, frame in enumerate(frames):
            label = np.random.default_rng(number if clip == "fast" else 0).integers(0, 3, (12, 16), np.uint8)
            save(Image.fromarray(frame), root / "raw" / "val" / "images" / clip / f"{number:02d}.png")
            mask = Image.fromarray(label.repeat(8, axis=0).repeat(8, axis=1))
            save(mask, root / "raw" / "val" / "masks" / clip / f"{number:02d}.png")
    described = {"names": list(CLASSES), "colours": [list(colour) for colour in PALETTE]}
    (root / "raw" / "classes.yaml").write_text(yaml.safe_dump(described))
    ingest.run(ingest.IngestParams(dataset="folder", root=root / "raw"), root / "prepared")
    return root / "prepared"


def bench(data, tmp_path, model) -> Bench:
    return Bench(PreparedData(data), tmp_path, PARAMS, "none", False, learn, origin, export.run, model)


def require_sound(one, on):
    find_kind(one.kind).load_measurement().require(one, on)


def carried_out(one, data, model, tmp_path):
    on = bench(data, tmp_path, model)
    require_sound(one, on)
    return study.run_study(one, (0, 1), on, tmp_path / "out", "--data data/prepared")


def test_of_scenes_that_stand_still_every_schedule_scores_as_the_oracle(data, clockwork_model, tmp_path):
    one = small({words: {"schedule": words, "shift": 0} for words in ALIKE})
    found = carried_out(one, data, clockwork_model, tmp_path)
    oracle = found.rows[-1].means
    for row in found.rows:
        assert len(row.runs) == 1
        for column in ("mean_iu", "boundary_mean_iu"):
            assert row.means[column] == oracle[column], row.name
    shares = {row.name: row.means["full_frames"] for row in found.rows}
    assert shares["skip:2"] == shares["alternating:2"] == pytest.approx(50)
    assert shares["exponential"] == pytest.approx(100 / 3)
    assert shares["adaptive-deep:0.1"] == pytest.approx(100 / 6)
    assert shares["oracle"] == 100


def test_a_study_of_schedules_writes_its_page_with_pictures_and_both_sides_figures(data, clockwork_model, tmp_path):
    schedules = {
        "oracle": {"schedule": "oracle"},
        "adaptive": {"schedule": "adaptive-deep:0.2"},
        "moving": {"schedule": "skip:3", "shift": 16},
    }
    found = carried_out(small(schedules, along=["full_frames", "milliseconds"]), data, clockwork_model, tmp_path)
    assert found.rows[0].means["speed_up"] == 1
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == {
        "README.md",
        *(f"small{end}" for end in (".html", ".json", ".png", "-pictures.webp")),
    }
    page = (out / "small.html").read_text()
    assert "adaptive-deep:0.2: stages on 100%, 100%, " in page
    assert "One net runs every schedule in turns" in page
    assert read_measured(out / "small.json") == found.measured


def test_when_the_whole_net_ran_is_kept_by_clip_and_drawn(data, clockwork_model, tmp_path):
    schedules = {"every": {"schedule": "oracle"}, "third": {"schedule": "alternating:3"}}
    found = carried_out(small(schedules, over_time=True), data, clockwork_model, tmp_path)
    assert found.rows[0].runs[0].frames == ((1.0,) * 8, (1.0,) * 4)
    assert found.rows[1].runs[0].frames == ((1, 0, 0, 1, 0, 0, 1, 0), (1, 0, 0, 1))
    units = found.rows[1].runs[0].units
    assert unpack(units["full_frames"]).tolist() == [[3, 8], [2, 4]]
    assert (units["labels"].unit, units["labels"].shape) == ("clip", (2, 3, len(CLASSES)))
    assert measure_column(found.rows[1].runs[0], "mean_iu").score == pytest.approx(found.rows[1].means["mean_iu"] / 100)
    assert measure_column(found.rows[1].runs[0], "full_frames").score == pytest.approx(5 / 12)
    assert (tmp_path / "out" / "small.png").stat().st_size > 1000


def test_a_sought_threshold_runs_the_whole_net_on_no_more_than_the_wanted_share(data, clockwork_model):
    model, split = open_staged(clockwork_model), PreparedData(data).split("val")
    words = find_schedule(ScheduleParams(schedule="adaptive-deep", full_frames=0.5), model, split)
    name, _, value = words.partition(":")
    assert name == "adaptive-deep"
    assert 0 < float(value) < 1
    (ran,) = run_schedules(model, split, [words], rounds=1)
    assert share_full_frames(ran) <= 0.5
    assert find_schedule(ScheduleParams(schedule="skip:2"), model, split) == "skip:2"


def test_layers_of_what_stands_still_do_not_change_and_pixels_of_what_moves_do(data, clockwork_model, tmp_path):
    layers = {name: {"stride": stride} for name, stride in (("pixels", 0), ("shallow", 8), ("deep", 32))}
    columns = ["temporal_difference", "temporal_spread", "mean_iu"]
    one = small(layers, kind="velocity", columns=columns, chart="temporal_difference", over_time=True)
    found = carried_out(one, data, clockwork_model, tmp_path)
    for row in found.rows:
        moved, still = row.runs[0].frames
        assert (len(moved), still) == (7, (0.0,) * 3)
        assert max(moved) > 0
        # The mean over shots, the still one among them.
        assert row.means["temporal_difference"] == pytest.approx(100 * np.mean(moved) / 2)
        assert row.means["temporal_spread"] > 0
    assert "mean_iu" not in found.rows[0].means
    assert (tmp_path / "out" / "small.png").exists()


def test_schedules_are_scored_in_the_classes_of_the_data(data, clockwork_model):
    model, split = open_staged(clockwork_model), PreparedData(data).split("val")
    swap = [0, 2, 1, *range(3, len(CLASSES))]
    (own,) = run_schedules(model, split, ["skip:2"], rounds=1)
    (swapped,) = run_schedules(model, split, ["skip:2"], rounds=1, table=np.array(swap, np.uint8))
    assert (np.stack(swapped.counts) == np.stack(own.counts)[:, :, swap]).all()


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ({"schedule": "carry", "shft": 3}, ParamsError, "study small: bad.shft: unknown key"),
        ({"schedule": "often"}, ParamsError, "study small: bad: schedule 'often': unknown, expected one of: oracle"),
        (
            {"schedule": "oracle", "full_frames": 0.5},
            ParamsError,
            "study small: bad: schedule 'oracle:0.5': found",
        ),
        ({"shift": 16}, ParamsError, "study small: bad.schedule: missing"),
    ],
)
def test_a_variant_that_names_no_schedule_is_found_before_anything_runs(
    overrides, error, said, data, clockwork_model, tmp_path
):
    with pytest.raises(error, match="^" + said.replace("(", r"\(")):
        require_sound(small({"bad": overrides}), bench(data, tmp_path, clockwork_model))


def test_a_model_of_other_classes_or_not_in_stages_is_refused(clockwork_model, data, tmp_path):
    one = small({"oracle": {"schedule": "oracle"}})
    (tmp_path / "model/onnx").mkdir(parents=True)
    (tmp_path / "model/onnx/model.onnx").write_bytes((clockwork_model / "onnx/model.onnx").read_bytes())
    with pytest.raises(ModelError, match="not in stages"):
        require_sound(one, bench(data, tmp_path, tmp_path / "model"))
    other = tmp_path / "other"
    described = json.loads((data / "dataset.json").read_text())
    described["classes"][1] = "lorry"
    other.mkdir()
    for file in data.iterdir():
        (other / file.name).symlink_to(file)
    (other / "dataset.json").unlink()
    (other / "dataset.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match=r"classes sky, building, .*, expected the data's: sky, lorry, "):
        require_sound(one, bench(other, tmp_path, clockwork_model))


@pytest.mark.slow
def test_a_quick_study_trains_cuts_and_exports_its_own_net_once(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "TINY", {**study.TINY, "train_clips": 1, "frames": 3})
    options = {"out": tmp_path, "models": tmp_path / "models", "params_file": PARAMS, "tracking": "none"}
    report = study.run(["table-3.6"], quick=True, **options)
    assert [len(row.runs) for row in report.outcomes[0].rows] == [1] * 5
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "models").rglob("*.onnx")}
    assert len(before) == 7
    study.run(["figure-3.7"], quick=True, **options)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "models").rglob("*.onnx")} == before
