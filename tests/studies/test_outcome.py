"""From a training's history to the rows of a study."""

from pathlib import Path

import pytest
from test_studies import small

from pixelwise.families.trainer import Trained
from pixelwise.studies.outcome import build_curve, build_row, judge_trend, score_history
from pixelwise.studies.records import Run
from pixelwise.training.history import find_best_row

NAN = float("nan")
HISTORY = [
    {"epoch": 1.0, "train/loss": 2.0, "seconds": 4.0, "val/mean_iu": 0.3, "val/pixel_accuracy": 0.7},
    {"epoch": 2.0, "train/loss": 1.0, "seconds": 4.0, "val/mean_iu": 0.5, "val/pixel_accuracy": 0.6},
    {"epoch": 3.0, "train/loss": 0.5, "seconds": 5.0},
    {"epoch": 4.0, "train/loss": 0.4, "seconds": 5.0, "val/mean_iu": NAN, "val/pixel_accuracy": 0.9},
]


def test_the_scores_are_those_of_the_weights_that_were_kept():
    assert score_history(HISTORY) == {"mean_iu": 0.5, "pixel_accuracy": 0.6, "loss": 0.4, "seconds": 18.0}


def test_of_a_staged_training_the_weights_of_the_last_stage_were_kept():
    stages = [{**row, "stage": stage} for stage in (1.0, 2.0) for row in HISTORY]
    stages[5] = {**stages[5], "val/mean_iu": 0.4}
    assert find_best_row(stages) == stages[5]
    assert score_history(stages)["mean_iu"] == 0.4
    assert score_history(stages)["seconds"] == 36.0
    told = str(Trained("fcn", Path("models/fcn/checkpoint"), stages))
    assert told.startswith("fcn: mean IU 0.400 at epoch 2 of 8\n")


def test_a_curve_counts_iterations_and_seconds_from_the_start():
    points = build_curve([*HISTORY, {"epoch": 5.0, "train/loss": NAN, "seconds": 1.0}], iterations=10)
    assert [(point.iteration, point.seconds, point.loss) for point in points] == [
        (10, 4, 2.0),
        (20, 8, 1.0),
        (30, 13, 0.5),
        (40, 18, 0.4),
    ]


def test_a_row_holds_mean_and_spread_over_its_seeds_in_the_units_of_the_columns():
    study = small()
    row = build_row(
        study, study.variants[0], [Run(seed=seed, scores={"mean_iu": 0.6 + seed / 100}) for seed in range(3)]
    )
    assert row.means["mean_iu"] == pytest.approx(61.0)
    assert row.spreads["mean_iu"] == pytest.approx(1.0)
    assert row.format("mean_iu") == "61.0 ± 1.0"


def test_a_figure_that_is_no_number_or_not_the_variants_is_left_out_and_nothing_is_judged_by_it():
    study = small(
        columns=["mean_iu", "loss"],
        variants=[{"name": "a"}, {"name": "b", "columns": ["loss"]}],
        trend=[{"better": "a", "worse": "b", "column": "loss"}],
    )
    scores = [{"mean_iu": 0.5, "loss": NAN}, {"mean_iu": 0.4, "loss": 1.0}]
    rows = [
        build_row(study, variant, [Run(seed=0, scores=found)])
        for variant, found in zip(study.variants, scores, strict=True)
    ]
    assert [row.means for row in rows] == [{"mean_iu": 50.0}, {"loss": 1.0}]
    assert rows[1].format("mean_iu") == "–"
    assert judge_trend(study, rows, is_quiet=True)[0].verdict == "not measured"
