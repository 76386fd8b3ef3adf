"""The outcome of a study: the measurements in its JSON file, judged by the study's current expectations."""

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
from pixelwise.studies.trends import Judgement, compute_spread, judge
from pixelwise.training.history import find_best_row

# One mapping per epoch, as training writes them to history.json.
History = Sequence[Mapping[str, float]]


class Recorded(Params):
    """Base of recorded values. It ignores unknown keys, so that a file of another version can be redrawn."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Point(Recorded):
    """A point of a loss curve."""

    iteration: float
    seconds: float
    loss: float


class Run(Recorded):
    """One variant with one seed: its measured scores, and the training behind them.

    frames: for a study over time, the value of every frame, one tuple per clip.
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
    def keep_finite_scores(cls, scores: dict[str, float]) -> dict[str, float]:
        """Return the finite scores. A diverged training has scores that are not."""
        return {name: score for name, score in scores.items() if math.isfinite(score)}


class Figures(Recorded):
    """The runs of a variant."""

    name: str
    runs: tuple[Run, ...]


class Measured(Recorded):
    """The measurements of a study on one data set, and how they were made."""

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
    """The figures of a variant over its seeds, in the units of their columns."""

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

    def list_values(self, column: str) -> list[float]:
        """List the figures of a column, one per seed that has it."""
        return [run.scores[column] * COLUMNS[column].factor for run in self.runs if column in run.scores]

    def format(self, column: str) -> str:
        """Format mean and spread, such as `63.1 ± 0.4`."""
        spread = self.spreads.get(column)
        suffix = "" if spread is None else f" ± {COLUMNS[column].format(spread)}"
        return COLUMNS[column].format(self.means.get(column)) + suffix


@dataclass(frozen=True)
class Outcome:
    """A study and its figures on one data set."""

    study: Study
    measured: Measured
    rows: tuple[Row, ...]
    trend: tuple[Judgement, ...]

    @property
    def verdict(self) -> str:
        """All verdicts in a few words, with a warning if each training had a single seed."""
        if not self.trend:
            return "no trend expected"
        verdicts = [judgement.verdict for judgement in self.trend]
        parts = [f"{verdicts.count(one)} of {len(verdicts)}: {one}" for one in dict.fromkeys(verdicts)]
        is_single = self.study.kind == "train" and max(len(row.runs) for row in self.rows) == 1
        return ", ".join(parts if len(verdicts) > 1 else verdicts) + (ONE_SEED if is_single else "")

    def format_verdict(self, judgement: Judgement) -> str:
        """Format the verdict of one expectation, with the same warning."""
        is_single = self.study.kind == "train" and judgement.gap is not None and judgement.spread is None
        return judgement.verdict + (ONE_SEED if is_single else "")


ONE_SEED = " (one seed)"


def judge_study(study: Study, measured: Measured) -> Outcome:
    """Judge the measurements by the study's expectations. A variant that did not run has no figures."""
    runs = {figures.name: figures.runs for figures in measured.rows}
    rows = tuple(build_row(study, variant, runs.get(variant.name, ())) for variant in study.variants)
    return Outcome(study, measured, rows, judge_trend(study, rows))


def build_row(study: Study, variant: Variant, runs: Sequence[Run]) -> Row:
    """Build the row of a variant from its runs, with the variant's columns."""
    columns = variant.columns or study.columns
    selected = tuple(run.model_copy(update={"scores": select_scores(run.scores, columns)}) for run in runs)
    figures = {column: Row(variant, {}, {}, selected).list_values(column) for column in columns}
    means = {column: mean(values) for column, values in figures.items() if values}
    spreads = {column: spread for column, values in figures.items() if (spread := compute_spread(values)) is not None}
    return Row(variant, means, spreads, selected)


def select_scores(scores: Mapping[str, float], columns: Sequence[str]) -> dict[str, float]:
    """Select the scores of `columns` that exist."""
    return {column: scores[column] for column in columns if column in scores}


def judge_trend(study: Study, rows: Sequence[Row]) -> tuple[Judgement, ...]:
    """Judge every expectation of the study."""
    by_name = {row.name: row for row in rows}
    return tuple(
        judge(one, by_name[one.better].list_values(one.column), by_name[one.worse].list_values(one.column))
        for one in study.trend
    )


def score_history(history: History) -> dict[str, float]:
    """Return the scores of the best validation, the last training loss and the seconds of the whole training."""
    best = find_best_row(history)
    scores = {key.removeprefix("val/"): value for key, value in best.items() if key.startswith("val/")}
    return scores | {"loss": history[-1]["train/loss"], "seconds": sum(row["seconds"] for row in history)}


def build_curve(history: History, iterations: int) -> tuple[Point, ...]:
    """Build the curve of the training loss, a point per epoch of `iterations` steps."""
    seconds, points = 0.0, []
    for row in history:
        seconds += row["seconds"]
        if math.isfinite(row["train/loss"]):
            points.append(Point(iteration=row["epoch"] * iterations, seconds=seconds, loss=row["train/loss"]))
    return tuple(points)


def read_measured(file: Path) -> Measured:
    """Read the record of an earlier run. Raises DataError if the file is missing or damaged."""
    measured: Measured = read_json(file, f"what `pixelwise study {file.stem}` writes", Measured)
    return measured
