"""The frontier of a clockwork: score against speed of each schedule, paired with the frame oracle in one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.families.clockwork.measure.paired_runs import ScheduleRun, run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.schedules import curve
from pixelwise.metrics.confusion import Absent, compute_scores

ROUNDS = 3
ORACLE = "oracle"


@dataclass(frozen=True)
class Point:
    """One schedule on the curve.

    lost: mean IU below the oracle's. speed_ups: multiples of the oracle's speed, by round. stage_share: shallow to
    deep. slowest: the 95th percentile of a frame's milliseconds.
    """

    schedule: str
    mean_iu: float
    lost: float
    frames_per_second: float
    speed_ups: tuple[float, ...]
    stage_share: tuple[float, ...]
    slowest: float

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
    """The oracle and all schedules of the curve on one split."""

    model: Path
    dataset: str
    split: str
    provider: str
    frames: int
    points: tuple[Point, ...]
    out: Path | None

    def metrics(self) -> dict[str, Any]:
        """Return the content of frontier.json."""
        return {
            "dataset": self.dataset,
            "split": self.split,
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
    samples: Sequence[Sample],
    absent: Absent,
    classes: np.ndarray | None = None,
    table: np.ndarray | None = None,
) -> tuple[int, tuple[Point, ...]]:
    """Return the number of frames, and one point per schedule, the oracle first.

    classes: (K,) bool, the classes in the mean. table: as for `run_schedules`.
    """
    runs = run_schedules(model, samples, [ORACLE, *curve()], ROUNDS, table=table)
    scores = [compute_scores(np.sum(run.counts, axis=0), absent, classes).mean_iu for run in runs]
    points = [make_point(run, score, scores[0], runs[0]) for run, score in zip(runs, scores, strict=True)]
    return len(runs[0].ids), tuple(points)


def make_point(run: ScheduleRun, score: float, best: float, oracle: ScheduleRun) -> Point:
    """Return the point of one schedule."""
    return Point(
        schedule=run.schedule,
        mean_iu=score,
        lost=best - score,
        frames_per_second=run.frames_per_second,
        speed_ups=tuple(run.compute_speed_ups(oracle)),
        stage_share=tuple(run.stage_share),
        slowest=1000 * float(np.percentile(np.concatenate(run.seconds), 95)),
    )
