"""The outcome of a study: its measurements in one JSON file, judged by the study's present expectations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import ConfigDict, field_validator

from pixelwise.documents import read_json
from pixelwise.params import Params
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trends import Judgement, judge, spread_of
from pixelwise.training.history import find_best_row

# One mapping an epoch, as training writes it to history.json.
History = Sequence[Mapping[str, float]]


class Recorded(Params):
    """Base of recorded values. Unknown keys are ignored, so that a file of another version can be redrawn."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Point(Recorded):
    """A point of a loss curve."""

    iteration: float
    seconds: float
    loss: float


class Run(Recorded):
    """One variant with one seed: its measured scores, and the training behind them.

    frames: for a study over time, the value of every frame, by clip.
    """

    seed: int
    scores: dict[str, float]
    fingerprint: str | None = None
    run_id: str | None = None
    experiment: str | None = None
    curve: tuple[Point, ...] = ()
    frames: tuple[tuple[float, ...], ...] = ()
    remark: str = ""

    @field_validator("scores")
    @classmethod
    def leave_out_what_is_no_number(cls, scores: dict[str, float]) -> dict[str, float]:
        """Keep the finite scores: a diverged training has others."""
        return {name: score for name, score in scores.items() if math.isfinite(score)}


class Figures(Recorded):
    """The runs of a variant."""

    name: str
    runs: tuple[Run, ...]


class Measured(Recorded):
    """What a study measured on one data set, and how."""

    dataset: str
    data_sha256: str
    split: str
    images: dict[str, int]
    command: str
    is_quick: bool
    parameters: dict[str, Any]
    rows: tuple[Figures, ...]


@dataclass(frozen=True)
class Row:
    """A variant over its seeds; figures are in the units of their columns."""

    variant: Variant
    means: Mapping[str, float]
    spreads: Mapping[str, float]
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.variant.name

    @property
    def thesis(self) -> Mapping[str, float]:
        """The thesis's figures."""
        return self.variant.thesis

    def values(self, column: str) -> list[float]:
        """The figure of each seed that has one."""
        return [run.scores[column] * COLUMNS[column].factor for run in self.runs if column in run.scores]

    def format(self, column: str) -> str:
        """`63.1 ± 0.4`."""
        spread = self.spreads.get(column)
        around = "" if spread is None else f" ± {COLUMNS[column].format(spread)}"
        return COLUMNS[column].format(self.means.get(column)) + around


@dataclass(frozen=True)
class Outcome:
    """A study and its figures on one data set."""

    study: Study
    measured: Measured
    rows: tuple[Row, ...]
    trend: tuple[Judgement, ...]

    @property
    def verdict(self) -> str:
        """All verdicts in a few words, with a warning where a training had a single seed."""
        if not self.trend:
            return "no trend expected"
        kinds = [judged.verdict for judged in self.trend]
        parts = [f"{kinds.count(kind)} of {len(kinds)}: {kind}" for kind in dict.fromkeys(kinds)]
        is_single = self.study.kind == "train" and max(len(row.runs) for row in self.rows) == 1
        return ", ".join(parts if len(kinds) > 1 else kinds) + (ONE_SEED if is_single else "")

    def verdict_of(self, judged: Judgement) -> str:
        """One expectation's verdict, with the same warning."""
        is_single = self.study.kind == "train" and judged.gap is not None and judged.spread is None
        return judged.verdict + (ONE_SEED if is_single else "")


ONE_SEED = " (one seed)"


def judge_study(study: Study, measured: Measured) -> Outcome:
    """Judge the measurements by the study; a variant that did not run has no figures."""
    runs = {figures.name: figures.runs for figures in measured.rows}
    rows = tuple(build_row(study, variant, runs.get(variant.name, ())) for variant in study.variants)
    return Outcome(study, measured, rows, judge_trend(study, rows))


def build_row(study: Study, variant: Variant, runs: Sequence[Run]) -> Row:
    """Build a variant's row of the table from its runs, with the variant's columns."""
    columns = variant.columns or study.columns
    kept = tuple(run.model_copy(update={"scores": select_scores(run.scores, columns)}) for run in runs)
    found = {column: Row(variant, {}, {}, kept).values(column) for column in columns}
    means = {column: mean(values) for column, values in found.items() if values}
    spreads = {column: spread for column, values in found.items() if (spread := spread_of(values)) is not None}
    return Row(variant, means, spreads, kept)


def select_scores(scores: Mapping[str, float], columns: Sequence[str]) -> dict[str, float]:
    """Select the scores of `columns` that exist."""
    return {column: scores[column] for column in columns if column in scores}


def judge_trend(study: Study, rows: Sequence[Row]) -> tuple[Judgement, ...]:
    """Judge every expectation of the study."""
    by_name = {row.name: row for row in rows}
    return tuple(
        judge(hope, by_name[hope.better].values(hope.column), by_name[hope.worse].values(hope.column))
        for hope in study.trend
    )


def score_history(history: History) -> dict[str, float]:
    """The scores of the best validation, the last training loss and the seconds of the whole training."""
    best = find_best_row(history)
    scores = {key.removeprefix("val/"): value for key, value in best.items() if key.startswith("val/")}
    return scores | {"loss": history[-1]["train/loss"], "seconds": sum(row["seconds"] for row in history)}


def build_curve(history: History, iterations: int) -> tuple[Point, ...]:
    """The training loss after each epoch, each of `iterations` steps."""
    seconds, points = 0.0, []
    for row in history:
        seconds += row["seconds"]
        if math.isfinite(row["train/loss"]):
            points.append(Point(iteration=row["epoch"] * iterations, seconds=seconds, loss=row["train/loss"]))
    return tuple(points)


def read_measured(file: Path) -> Measured:
    """Read the record of an earlier run. Raises DataError where the file is missing or damaged."""
    found: Measured = read_json(file, f"what `pixelwise study {file.stem}` writes", Measured)
    return found
