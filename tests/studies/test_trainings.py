"""Trainings of a study: one folder a fingerprint, shared by studies, resumed, and recorded in MLflow."""

import json
import threading
from pathlib import Path

import pytest
from support.two_rates import TWO, bench, never, two

from pixelwise.families import trainer
from pixelwise.studies.trainings import train_variant
from pixelwise.tools import study
from pixelwise.tracking.store import connect
from pixelwise.training.still_images import StillImageTask


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Trained nets, which the tests share as studies do."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def ran(data, models, tmp_path_factory):
    """The outcome of a study of two variants, whose nets lie in `models`."""
    return study.run_study(two(), (0,), bench(data, models), tmp_path_factory.mktemp("studies"), "")


def test_a_training_lies_under_the_fingerprint_that_train_gave_it(ran, models):
    for row in ran.rows:
        (run,) = row.runs
        described = json.loads((models / run.fingerprint[:16] / "model.json").read_text())
        assert described["fingerprint"] == run.fingerprint
    assert not list((models / ".state").iterdir())


def test_what_ran_before_is_used_again_by_the_same_study_and_by_others(ran, data, models, tmp_path):
    again = study.run_study(two(), (0,), bench(data, models, never), tmp_path, "")
    assert again.rows == ran.rows
    other = two(name="other", variants=[{"name": "mine"}], trend=[])
    found = study.run_study(other, (0,), bench(data, models, never), tmp_path, "")
    assert found.rows[0].runs == ran.rows[0].runs


def test_a_study_stopped_within_an_epoch_goes_on_to_the_figures_of_one_that_was_not(data, tmp_path, monkeypatch):
    pair = two(base={**TWO["base"], "epochs": 2})
    whole = study.run_study(pair, (0,), bench(data, tmp_path / "whole"), tmp_path / "unbroken", "")
    drawn, begun, sample = [], [], StillImageTask.sample

    def stopped(task, seed, epoch, index):
        drawn.append(epoch)
        # Four pictures an epoch: the second batch of the second variant's second epoch.
        if len(drawn) == 15:
            raise KeyboardInterrupt
        return sample(task, seed, epoch, index)

    def counted(params, *others):
        begun.append(params.learning_rate)
        return trainer.learn(params, *others)

    cut = bench(data, tmp_path / "models", counted)
    monkeypatch.setattr(StillImageTask, "sample", stopped)
    with pytest.raises(KeyboardInterrupt):
        study.run_study(pair, (0,), cut, tmp_path / "broken", "")
    assert len(begun) == 2
    assert not (tmp_path / "broken").exists()
    drawn[:] = [None] * 15
    again = study.run_study(pair, (0,), cut, tmp_path / "broken", "")
    # The first variant ran once; of the second, the finished epoch was kept.
    assert len(begun) == 3
    assert begun[1] == begun[2]
    assert drawn[15:] == [1] * 4
    assert [row.means["mean_iu"] for row in again.rows] == [row.means["mean_iu"] for row in whole.rows]


def test_variants_may_share_a_training_and_differ_in_what_is_hidden_as_it_is_scored(data, tmp_path):
    begun = []

    def counted(params, *others):
        begun.append(params)
        return trainer.learn(params, *others)

    hidden = {"augment": {"masking": "foreground", "foreground": ["road", "building"]}}
    # Of published weights: after two steps the tiny net has one class for every pixel.
    base = {**TWO["base"], "network": {"strides": [32]}}
    shared = two(base=base, variants=[{"name": "seen"}, {"name": "hidden", "evaluate": hidden}], trend=[])
    found = study.run_study(shared, (0,), bench(data, tmp_path / "models", counted), tmp_path / "out", "")
    assert len(begun) == 1
    seen, masked = (row.runs[0] for row in found.rows)
    assert seen.fingerprint == masked.fingerprint
    assert seen.scores["mean_iu"] != masked.scores["mean_iu"]


def runs_in(client, experiment):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def test_a_training_is_a_run_of_its_study_and_once_a_small_one_of_each_that_uses_it_again(data, tmp_path, mlflow_store):
    client, on = connect(mlflow_store), bench(data, tmp_path, tracking=mlflow_store)
    first, second = (two(name=name, variants=[{"name": "only"}], trend=[]) for name in ("first", "second"))
    (run,) = study.run_study(first, (0,), on, tmp_path, "").rows[0].runs
    (trained,) = runs_in(client, "first")
    assert (trained.info.run_id, run.experiment) == (run.run_id, "first")
    assert trained.info.run_name == "only, seed 0"
    assert {key: trained.data.tags[key] for key in ("study", "variant", "seed")} == {
        "study": "first",
        "variant": "only",
        "seed": "0",
    }
    for one in (first, second, second):
        study.run_study(one, (0,), on, tmp_path, "")
    assert len(runs_in(client, "first")) == 1
    (reused,) = runs_in(client, "second")
    assert reused.data.tags["reused_from"] == run.run_id
    assert reused.data.tags["study"] == "second"
    assert reused.data.metrics["val/mean_iu"] == pytest.approx(run.scores["mean_iu"])


def test_an_untracked_training_gets_a_run_where_tracking_is_on_and_quick_ones_are_apart(
    ran, data, models, tmp_path, mlflow_store
):
    one = two(name="late", quick={}, variants=[{"name": "high"}], trend=[])
    study.run_study(one, (0,), bench(data, models, never, mlflow_store, is_quick=True), tmp_path, "")
    client = connect(mlflow_store)
    (run,) = runs_in(client, "late-quick")
    assert "reused_from" not in run.data.tags
    assert not runs_in(client, "late")


def test_of_two_studies_at_once_one_trains_and_the_other_waits_for_it(data, tmp_path):
    begun, models = [], tmp_path / "models"

    def counted(params, *others):
        begun.append(params.seed)
        waiting.start()
        # Long enough for the other to come to the lock, were it not held.
        waiting.join(1.0)
        assert waiting.is_alive()
        return trainer.learn(params, *others)

    one = two(variants=[{"name": "high"}], trend=[])
    found = []
    waiting = threading.Thread(
        target=lambda: found.append(train_variant(one, one.variants[0], 0, bench(data, models, never))), daemon=True
    )
    first = train_variant(one, one.variants[0], 0, bench(data, models, counted))
    waiting.join(60)
    assert found == [first]
    assert begun == [0]
