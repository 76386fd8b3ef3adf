"""Studies of what annotations define: what their variants are scored on, and by which model."""

from pathlib import Path

import numpy as np
import pytest
from support.object_sets import write_coco_mval

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ParamsError
from pixelwise.families.guided.measure import evaluation
from pixelwise.families.guided.measure.tally import CategoryScores, Sampling
from pixelwise.families.guided.measure.video import VideoScores
from pixelwise.families.guided.studies import guide
from pixelwise.identity import PROJECT
from pixelwise.metrics.measurement import Measurement
from pixelwise.params import PARAMS_FILE
from pixelwise.studies.bench import Bench
from pixelwise.studies.study import load_study
from pixelwise.studies.units import unpack
from pixelwise.tools import study

MEASURED = Measurement("positive IU", "task", tuple("abcd"), np.full(4, 0.5))


def refuse(*_: object) -> None:
    raise AssertionError("a training or an export ran")


@pytest.fixture
def bench(tmp_path):
    root = write_coco_mval(tmp_path / "raw", ["bowl", "kite"] * 2)
    ingest.run(ingest.IngestParams(dataset="coco_mval", root=root), tmp_path / "prepared")
    data = PreparedData(tmp_path / "prepared")
    return Bench(
        data,
        tmp_path,
        PROJECT / PARAMS_FILE,
        None,
        False,
        train=refuse,
        origin=refuse,
        export=refuse,
        model=Path("given"),
    )


def variant_of(name: str, variant: str):
    found = load_study(name)
    return found, next(one for one in found.variants if one.name == variant)


def test_a_variant_is_scored_by_its_annotations_with_the_model_that_is_given(bench, monkeypatch):
    asked = []

    def score(params, model, split):
        asked.append((params, model, split.dataset, len(split.samples)))
        by_task = {"positive_iu": MEASURED.values, "foreground_background": MEASURED.values / 2}
        return CategoryScores(0.5, 0.25, 0.7, {}, Sampling(5, None, 4, 0), MEASURED, 0.375, by_task)

    monkeypatch.setattr(evaluation, "score", score)
    monkeypatch.setattr(evaluation, "identify", str)
    ran = guide.measure_task(*variant_of("section-4.4.3", "5 pictures"), 3, bench)
    ((params, model, dataset, pictures),) = asked
    assert (params.shots, params.points, params.split, params.seed) == (5, 0, "val", 3)
    assert "banana" in params.classes
    assert (model, dataset, pictures) == (Path("given"), "coco_mval", 4)
    assert ran.scores == {"positive_iu": 0.5, "mean_iu": 0.7, "foreground_background": 0.25, "fine_tuned": 0.375}
    assert {name: unpack(units).tolist() for name, units in ran.units.items()} == {
        "positive_iu": [0.5] * 4,
        "foreground_background": [0.25] * 4,
    }


def test_clips_give_the_columns_of_their_study(bench, monkeypatch):
    found = VideoScores({"dog": 0.5, "swan": 0.75}, 12.0, "cpu", MEASURED)
    monkeypatch.setattr(evaluation, "score", lambda *_: found)
    monkeypatch.setattr(evaluation, "identify", str)
    study, variant = variant_of("figure-4.6", "2 frames, 5 points")
    assert set(study.columns) <= set(guide.measure_task(study, variant, 0, bench).scores)


def test_an_unknown_setting_of_a_variant_is_named(bench):
    study, variant = variant_of("figure-4.6", "dense")
    with pytest.raises(ParamsError, match=r"study figure-4\.6: dense\.dots: unknown key"):
        guide.parse_task(study, variant.model_copy(update={"overrides": {"dots": 5}}), 0, bench)


@pytest.mark.slow
def test_a_study_without_a_model_trains_and_exports_its_own(tmp_path):
    report = study.run(["section-4.4.2"], out=tmp_path / "out", models=tmp_path / "models", quick=True, tracking="none")
    (outcome,) = report.outcomes
    assert all(0 <= row.means["positive_iu"] <= 100 for row in outcome.rows)
    assert (tmp_path / "out/quick/section-4.4.2.html").is_file()


@pytest.mark.slow
def test_every_guide_is_trained_once_and_scored_on_both_of_its_tasks(tmp_path):
    report = study.run(["guides"], out=tmp_path / "out", models=tmp_path / "models", quick=True, tracking="none")
    rows = {row.name: row.runs[0] for row in report.outcomes[0].rows}
    for name in ("early", "masking", "late-local", "late-global", "late"):
        semantic, interactive = rows[name], rows[f"{name}, interactive"]
        assert semantic.fingerprint == interactive.fingerprint
        assert {"positive_iu", "foreground_background"} <= set(semantic.units) & set(interactive.units)
    assert len({run.fingerprint for run in rows.values()}) == 5
