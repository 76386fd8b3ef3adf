"""The labelling loop: its verdict, the data of its rounds, and a run that is stopped and goes on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.tiny_town import prepare_tiny_town

from benchmarks import labelling_loop
from benchmarks.labelling_curve import Point, find_crossing, judge
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ParamsError
from pixelwise.identity import PROJECT


def curve(strategy, scores, seed=0):
    return [Point(strategy, seed, 40 + 20 * number, score) for number, score in enumerate(scores)]


def test_the_saving_is_where_the_mean_curve_of_ranking_has_the_final_score_of_random():
    points = curve("ranked", [0.2, 0.4, 0.5, 0.6]) + curve("random", [0.2, 0.3, 0.35, 0.44])
    points += curve("ranked", [0.2, 0.4, 0.5, 0.6], seed=1) + curve("random", [0.2, 0.3, 0.35, 0.46], seed=1)
    verdict = judge(points, Path("curves.html"))
    assert verdict.final == pytest.approx(0.45)
    assert verdict.needed == pytest.approx(70)
    assert "after 70: 30% fewer, at least 30%" in str(verdict)


def test_a_curve_that_stays_below_saves_nothing_and_says_so():
    points = curve("ranked", [0.2, 0.3]) + curve("random", [0.2, 0.35])
    assert "does not reach" in str(judge(points, Path("curves.html")))
    assert find_crossing(np.array([40, 60]), np.array([0.5, 0.6]), 0.4) == 40


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return prepare_tiny_town(tmp_path_factory.mktemp("town") / "prepared")


def test_a_round_trains_on_the_chosen_pictures_alone(town, tmp_path):
    data = PreparedData(town)
    first, *_, last = (row["id"] for row in data.split("train").rows)
    labelling_loop.write_subset(data, [last, first], tmp_path / "subset")
    subset = PreparedData(tmp_path / "subset")
    assert [sample.id for sample in subset.split("train")] == [first, last]
    assert np.array_equal(subset.split("train").image(1), data.split("train").image(3))
    assert len(subset.split("val")) == len(data.split("val"))


def test_too_few_pictures_are_named(town, tmp_path):
    with pytest.raises(DataError, match="4 pictures in train, expected at least 140"):
        labelling_loop.run(labelling_loop.LabellingParams(), town, tmp_path)


def test_rounds_of_other_settings_are_not_mixed(town, tmp_path):
    params, recipe = labelling_loop.LabellingParams(), PROJECT / "recipes/camvid-cpu.yaml"
    bench = labelling_loop.Bench(params, PreparedData(town), (), recipe, tmp_path, {})
    labelling_loop.keep_settings(bench)
    labelling_loop.keep_settings(bench)
    other = replace(bench, params=params.model_copy(update={"steps": 9}))
    with pytest.raises(ParamsError, match="found rounds of other settings"):
        labelling_loop.keep_settings(other)


@pytest.mark.slow
def test_a_quick_run_draws_both_curves_and_does_not_train_a_finished_round_again(town, tmp_path, monkeypatch):
    monkeypatch.setattr(labelling_loop, "QUICK", labelling_loop.QUICK | {"first": 2, "step": 1})
    params, recipe = labelling_loop.LabellingParams(), PROJECT / "recipes/camvid-cpu.yaml"
    labelling_loop.run(params, town, tmp_path, recipe, quick=True)
    points = json.loads((tmp_path / "curves.json").read_text())
    assert [(point["strategy"], point["pictures"]) for point in points] == [
        ("ranked", 2),
        ("ranked", 3),
        ("random", 2),
        ("random", 3),
    ]
    assert points[0]["mean_iu"] == points[2]["mean_iu"]
    page = (tmp_path / "curves.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    monkeypatch.setattr(labelling_loop.train, "run", lambda *_, **__: pytest.fail("trained again"))
    (tmp_path / "curves.html").unlink()
    labelling_loop.run(params, town, tmp_path, recipe, quick=True)
    assert (tmp_path / "curves.html").read_text() == page
