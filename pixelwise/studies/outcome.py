"""The outcome of a study: the measurements in its JSON file, judged by the study's current expectations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.records import Measured, Point, Run
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trends import Judgement, compute_spread, judge
from pixelwise.training.history import find_best_row

# One mapping per epoch, as training writes them to history.json.
History = Sequence[Mapping[str, float]]


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
        """All verdicts in a few words."""
        if not self.trend:
            return "no trend expected"
        verdicts = [judgement.short for judgement in self.trend]
        if len(verdicts) == 1:
            return verdicts[0]
        return ", ".join(f"{verdicts.count(one)} of {len(verdicts)}: {one}" for one in dict.fromkeys(verdicts))


# Processor cores that other programs may keep busy while times are compared.
QUIET = 0.1


def judge_study(study: Study, measured: Measured) -> Outcome:
    """Judge the measurements by the study's expectations. A variant that did not run has no figures."""
    runs = {figures.name: figures.runs for figures in measured.rows}
    rows = tuple(build_row(study, variant, runs.get(variant.name, ())) for variant in study.variants)
    is_quiet = measured.other_work is not None and measured.other_work <= QUIET
    return Outcome(study, measured, rows, judge_trend(study, rows, is_quiet))


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


def judge_trend(study: Study, rows: Sequence[Row], is_quiet: bool) -> tuple[Judgement, ...]:
    """Judge every expectation of the study. is_quiet: whether the machine had no other work."""
    runs = {row.name: row.runs for row in rows}
    return tuple(judge(one, runs[one.better], runs[one.worse], study.is_seeded, is_quiet) for one in study.trend)


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
