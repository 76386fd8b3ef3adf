"""Evaluate a clockwork: on single frames, on a schedule over clips, or on all schedules (thesis §3.4)."""

from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.evaluation import images
from pixelwise.evaluation.counting import Counted
from pixelwise.evaluation.images import score, select_classes
from pixelwise.evaluation.scoring import Scoring, make_scoring
from pixelwise.families.clockwork.measure.frontier import Frontier, measure_frontier
from pixelwise.families.clockwork.measure.paired_runs import run_schedules
from pixelwise.families.clockwork.options import EvaluateParams
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.engines import with_value
from pixelwise.families.hooks import OpenSplit
from pixelwise.inference.session import PREDICTION
from pixelwise.reporting.evaluation import Evaluation
from pixelwise.tracking import record_measures

EVERY_SCHEDULE = "frontier"


def evaluate(params: EvaluateParams, model: Path, open_split: OpenSplit, out: Path | None) -> Evaluation | Frontier:
    """Return the scores of an exported clockwork on a split.

    Raises ModelError if `params` has a schedule and the model is not in stages, ParamsError if the schedule is unknown
    or there is something for the error page, which shows single frames; otherwise as `images.evaluate`.
    """
    if params.schedule is None:
        return images.evaluate(params, model, open_split, out)
    if params.beside or params.slices:
        raise ParamsError(f"schedule: found {params.schedule}, expected none with beside or slices")
    staged = open_staged(model, params.provider)
    scoring = make_scoring(model, staged.plain, open_split(staged.plain.layers))
    if params.schedule == EVERY_SCHEDULE:
        return evaluate_frontier(params, staged, scoring, out)
    return score(params, scoring, partial(count_clips, staged, with_value(staged, params.schedule)), out)


def count_clips(staged: Staged, schedule: str, scoring: Scoring) -> Counted:
    """Run a schedule over all clips; return its confusion counts and its speed."""
    (run,) = run_schedules(staged, scoring.split.samples, [schedule], rounds=1, table=scoring.table)
    return Counted(tuple(run.ids), {PREDICTION: np.stack(run.counts)}, run.summarise_speed())


def evaluate_frontier(params: EvaluateParams, staged: Staged, scoring: Scoring, out: Path | None) -> Frontier:
    """Return each schedule's score and speed, paired with the frame oracle's. With `out`, write the frontier there."""
    mean_over = select_classes(scoring.classes.names, params.classes)
    frontier = measure_frontier(staged, scoring, params.split, params.judged_schedule, params.absent, mean_over, out)
    if out:
        # Imported here because plots take a second to import.
        from pixelwise.families.clockwork.measure.frontier_page import write_frontier

        write_frontier(out, frontier)
        record_measures(scoring.model, frontier.metrics())
    return frontier
