"""The frontier of a clockwork: score against speed of each schedule, paired with the frame oracle in one run."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pixelwise.evaluation.scoring import Scoring
from pixelwise.families.clockwork.measure.clips import split_into_clips
from pixelwise.families.clockwork.measure.judged import LOST, SPEED_UP, measure_schedule
from pixelwise.families.clockwork.measure.paired_runs import ScheduleRun, run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.engines import with_value
from pixelwise.families.clockwork.runtime.schedules import list_frontier_schedules, parse_schedule
from pixelwise.inference.exported_models import identify
from pixelwise.metrics.confusion import Absent, Scores, compute_scores
from pixelwise.metrics.measurement import Measurement

ROUNDS = 3
ORACLE = "oracle"


@dataclass(frozen=True)
class Point:
    """One schedule on the curve.

    scores: over all frames. lost: mean IU below the oracle's. speed_ups: multiples of the oracle's speed, by round.
    stage_share: shallow to deep. slowest: the 95th percentile of a frame's milliseconds.
    """

    schedule: str
    scores: Scores
    lost: float
    frames_per_second: float
    speed_ups: tuple[float, ...]
    stage_share: tuple[float, ...]
    slowest: float

    @property
    def mean_iu(self) -> float:
        """The mean IU over all frames."""
        return self.scores.mean_iu

    @property
    def speed_up(self) -> float:
        """The median speed-up over the rounds."""
        return median(self.speed_ups)

    def metrics(self) -> dict[str, Any]:
        """Return the point as JSON, in fractions and milliseconds."""
        return {
            "mean_iu": self.mean_iu,
            "lost": self.lost,
            "frames_per_second": self.frames_per_second,
            "speed_up": self.speed_up,
            "speed_up_range": [min(self.speed_ups), max(self.speed_ups)],
            "stage_share": list(self.stage_share),
            "milliseconds_p95": self.slowest,
        }


@dataclass(frozen=True)
class Frontier:
    """The oracle and all schedules of the curve on one split, and what the release gate judges of one of them."""

    model: Path
    model_sha256: str
    dataset: str
    data_sha256: str | None
    split: str
    provider: str
    frames: int
    points: tuple[Point, ...]
    judged: Point
    measurements: tuple[Measurement, ...]
    out: Path | None

    def metrics(self) -> dict[str, Any]:
        """Return the content of metrics.json: the scores of the judged schedule, then every schedule."""
        return {
            "mean_iu": self.judged.mean_iu,
            "pixel_accuracy": self.judged.scores.pixel_accuracy,
            "mean_iu_lost": self.judged.lost,
            "speed_up": self.judged.speed_up,
            "schedule": self.judged.schedule,
            "dataset": self.dataset,
            "split": self.split,
            "data": self.data_sha256,
            "model_sha256": self.model_sha256,
            "measures": {
                "mean IU": "mean_iu",
                "pixel accuracy": "pixel_accuracy",
                LOST: "mean_iu_lost",
                SPEED_UP: "speed_up",
            },
            "scored_on": f"{self.measurements[0].extent}, schedule {self.judged.schedule}",
            "frames": self.frames,
            "rounds": ROUNDS,
            "provider": self.provider,
            "schedules": {point.schedule: point.metrics() for point in self.points},
        }

    def select_best(self) -> list[Point]:
        """Return the schedules that no other beats in both speed and score, fastest last."""
        ordered = sorted(self.points, key=lambda point: point.speed_up)
        return [
            point
            for rank, point in enumerate(ordered)
            if all(point.mean_iu > faster.mean_iu for faster in ordered[rank + 1 :])
        ]

    def __str__(self) -> str:
        width = max(len(point.schedule) for point in self.points)
        best = {point.schedule for point in self.select_best()}
        lines = [
            f"  {'*' if point.schedule in best else ' '} {point.schedule:<{width}}  {100 * point.mean_iu:5.1f}  "
            f"{-100 * point.lost:+5.1f}  {point.frames_per_second:6.1f}  {point.speed_up:5.2f}×  "
            f"{' '.join(f'{share:4.0%}' for share in point.stage_share)}"
            for point in self.points
        ]
        page = f"page: {self.out / 'frontier.html'}\n" if self.out else ""
        return (
            f"{self.dataset} {self.split}: {self.frames} frames on {self.provider}, {ROUNDS} rounds, all paired\n\n"
            f"    {'schedule':<{width}}  IU %   lost     fps   speed  share of frames on which each stage ran\n"
            + "\n".join(lines)
            + f"\n\n* no other is both faster and better\n{page}"
            f"next: pixelwise predict --model {self.model} --schedule motion CLIP --output predictions"
        )


def measure_frontier(
    model: Staged,
    scoring: Scoring,
    split: str,
    judged_schedule: str,
    absent: Absent,
    classes: np.ndarray | None = None,
    out: Path | None = None,
) -> Frontier:
    """Measure the oracle, all schedules of the curve and the `judged_schedule` on the split named `split`.

    classes: (K,) bool, the classes in the mean. out: the folder to which the frontier will be written. Raises
    ParamsError if the judged schedule is unknown.
    """
    samples = scoring.split.samples
    judged = parse_schedule(with_value(model, judged_schedule), len(model.stages)).name
    schedules = list(dict.fromkeys([ORACLE, *list_frontier_schedules(model.has_int8), judged]))
    runs = run_schedules(model, samples, schedules, ROUNDS, table=scoring.table)
    scores = [compute_scores(np.sum(run.counts, axis=0), absent, classes) for run in runs]
    points = tuple(make_point(run, score, scores[0], runs[0]) for run, score in zip(runs, scores, strict=True))
    place = schedules.index(judged)
    return Frontier(
        model=scoring.model,
        model_sha256=identify(scoring.model),
        dataset=scoring.split.dataset,
        data_sha256=scoring.split.data_sha256,
        split=split,
        provider=model.plain.provider,
        frames=len(runs[0].ids),
        points=points,
        judged=points[place],
        measurements=measure_schedule(runs[place], runs[0], split_into_clips(samples), scoring.classes.names),
        out=out,
    )


def make_point(run: ScheduleRun, scores: Scores, best: Scores, oracle: ScheduleRun) -> Point:
    """Return the point of one schedule."""
    return Point(
        schedule=run.schedule,
        scores=scores,
        lost=best.mean_iu - scores.mean_iu,
        frames_per_second=run.frames_per_second,
        speed_ups=tuple(run.compute_speed_ups(oracle)),
        stage_share=tuple(run.stage_share),
        slowest=1000 * float(np.percentile(np.concatenate(run.seconds), 95)),
    )
