"""Studies of kind schedule: schedules of a staged net over clips or over translated scenes, paired (thesis §3.4)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field, NonNegativeInt, model_validator

from pixelwise.data.class_mapping import make_class_table
from pixelwise.data.items import Classes
from pixelwise.data.prepared import Sample
from pixelwise.data.translated_scenes import FRAMES, TranslatedScenes
from pixelwise.families.clockwork.measure.clips import split_into_clips
from pixelwise.families.clockwork.measure.frontier import ORACLE, ROUNDS
from pixelwise.families.clockwork.measure.paired_runs import CHUNK, ScheduleRun, run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.schedules import parse_schedule
from pixelwise.families.clockwork.studies.staged_net import open_staged_net, require_staged_study
from pixelwise.metrics.boundary import fill_void_outside, find_boundary_band, find_class_boundary_band
from pixelwise.metrics.confusion import Counts, compute_scores, count_pixels
from pixelwise.metrics.tallies import tally
from pixelwise.params import Params
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements
from pixelwise.studies.predictions import choose_indices
from pixelwise.studies.records import Run, Units
from pixelwise.studies.sheets import draw_sheet
from pixelwise.studies.study import Study, parse_overrides
from pixelwise.studies.units import pack_rounds, pack_tallies, pack_values

# Steps of the bisection for a threshold.
HALVINGS = 8
# Stages of the nets that studies use.
STAGES = 3


class ScheduleParams(Params):
    """The overrides of a variant."""

    schedule: str = Field(description="as for predict and evaluate; without its threshold if full_frames is set")
    shift: NonNegativeInt | None = Field(None, description="pixels per frame of translated scenes; none: the clips")
    full_frames: float | None = Field(
        None, gt=0, lt=1, description="search the threshold that runs the whole net on this share of the frames"
    )

    @model_validator(mode="after")
    def require_schedule(self) -> "ScheduleParams":
        """Raise ParamsError if `schedule` is not a schedule of a net of three stages."""
        parse_schedule(f"{self.schedule}:0.5" if self.full_frames else self.schedule, STAGES)
        return self


def require(study: Study, bench: Bench) -> None:
    """Raise an error as `require_staged_study`."""
    require_staged_study(study, bench, ScheduleParams)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Run every variant of the study. Variants on the same frames take turns with the frame oracle."""
    model, split = open_staged_net(study, seeds[0], bench), bench.data.split(bench.find_val_split(study))
    variants = {variant.name: parse_overrides(study, variant, ScheduleParams) for variant in study.variants}
    groups = []
    for shift in dict.fromkeys(params.shift for params in variants.values()):
        samples = split if shift is None else TranslatedScenes(split, shift)
        group = {name: params for name, params in variants.items() if params.shift == shift}
        schedules = {name: find_schedule(params, model, samples) for name, params in group.items()}
        groups.append(measure_on_same_frames(schedules, model, samples, bench.data.classes, seeds[0], study.over_time))
    by_name = {name: runs for group in groups for name, runs in group.runs.items()}
    return Measurements({name: by_name[name] for name in variants}, groups[0].sheet)


def measure_on_same_frames(
    schedules: Mapping[str, str], model: Staged, samples: Any, classes: Classes, seed: int, with_frames: bool
) -> Measurements:
    """Run the schedules, by variant, on the same `samples`. with_frames: record on which frames all stages ran."""
    shown = [samples[index] for index in choose_shown(samples)]
    results = FrameResults(classes.names, {sample.id for sample in shown})
    table = make_class_table(model.plain.names, classes.names)
    unique = list(dict.fromkeys([ORACLE, *schedules.values()]))
    by_schedule = {run.schedule: run for run in run_schedules(model, samples, unique, ROUNDS, results.add, table)}
    runs = {
        name: Run(
            seed=seed,
            scores=score_schedule(by_schedule[schedule], by_schedule[ORACLE], results.boundary_counts[schedule]),
            units=pack_schedule(by_schedule[schedule], by_schedule[ORACLE], results.boundary_counts[schedule], samples),
            fingerprint=model.plain.metadata["fingerprint"],
            frames=list_full_frames(by_schedule[schedule], samples) if with_frames else (),
            remark=describe_run(by_schedule[schedule]),
        )
        for name, schedule in schedules.items()
    }
    predictions = {
        name: [results.predictions[schedule][sample.id] for sample in shown] for name, schedule in schedules.items()
    }
    return Measurements({name: [run] for name, run in runs.items()}, draw_sheet(shown, predictions, {}, classes))


def choose_shown(samples: Any) -> list[int]:
    """Choose the indices of the shown frames; for translated scenes, the last frames of some clips."""
    if isinstance(samples, TranslatedScenes):
        return [index * FRAMES + FRAMES - 1 for index in choose_indices(len(samples) // FRAMES)]
    return choose_indices(len(samples))


def find_schedule(params: ScheduleParams, model: Staged, samples: Any) -> str:
    """Find the threshold that runs the whole net on the wanted share of these frames (thesis table 3.6).

    As in the thesis, the search uses the scored frames themselves. Without a wanted share, return the variant's
    schedule.
    """
    if params.full_frames is None:
        return params.schedule
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        (run,) = run_schedules(model, samples, [f"{params.schedule}:{middle:.4f}"], rounds=1)
        low, high = (middle, high) if share_full_frames(run) > params.full_frames else (low, middle)
    return f"{params.schedule}:{high:.4f}"


class FrameResults:
    """Collects, for every schedule, the pixel counts near boundaries and the predictions of the shown frames."""

    def __init__(self, classes: Sequence[str], shown: Collection[str]) -> None:
        self.classes, self.shown = len(classes), shown
        # Without a background there is no outline of all foreground.
        self.band = find_boundary_band if classes[0] == "background" else find_class_boundary_band
        self.boundary_counts: dict[str, list[Counts]] = {}
        self.predictions: dict[str, dict[str, np.ndarray]] = {}
        self.labels: dict[str, np.ndarray] = {}

    def add(self, schedule: str, sample: Sample, prediction: np.ndarray) -> None:
        """Add one frame of a schedule."""
        counts = count_pixels(self.mask_label(sample), prediction, self.classes)
        self.boundary_counts.setdefault(schedule, []).append(counts)
        if sample.id in self.shown:
            self.predictions.setdefault(schedule, {})[sample.id] = prediction

    def mask_label(self, sample: Sample) -> np.ndarray:
        """Return the label near boundaries, void elsewhere; cached until all schedules have used it."""
        if sample.id not in self.labels:
            if len(self.labels) == CHUNK:
                self.labels.clear()
            self.labels[sample.id] = fill_void_outside(sample.label, self.band)
        return self.labels[sample.id]


def score_schedule(run: ScheduleRun, oracle: ScheduleRun, boundary_counts: Sequence[Counts]) -> dict[str, float]:
    """Return the figures of one schedule. Times are medians over the rounds, per frame or relative to the oracle's."""
    near = np.sum(boundary_counts, axis=0)
    whole = compute_scores(np.sum(run.counts, axis=0))
    speed_up = float(np.median(run.compute_speed_ups(oracle)))
    scores = {
        "mean_iu": whole.mean_iu,
        "pixel_accuracy": whole.pixel_accuracy,
        "frequency_weighted_iu": whole.frequency_weighted_iu,
        "full_frames": share_full_frames(run),
        "milliseconds": 1000 / run.frames_per_second,
        "time_share": 1 / speed_up,
        "speed_up": speed_up,
    }
    if near.any():
        band = compute_scores(near)
        scores["boundary_mean_iu"] = band.mean_iu
        scores["boundary_frequency_weighted_iu"] = band.frequency_weighted_iu
    return scores


def pack_schedule(
    run: ScheduleRun, oracle: ScheduleRun, boundary_counts: Sequence[Counts], samples: Any
) -> dict[str, Units]:
    """Pack what the figures are computed from: pixel counts and full frames by clip, times by round.

    A clip is one unit, however many frames it has, since its frames are much alike.
    """
    unit = "scene" if isinstance(samples, TranslatedScenes) else "clip"
    starts = np.cumsum([0, *map(len, split_into_clips(samples))])[:-1]
    labels, near = (tally(np.add.reduceat(np.stack(counts), starts)) for counts in (run.counts, boundary_counts))
    full = np.add.reduceat([[all(stages), 1] for stages in run.fired], starts, dtype=np.int64)
    speed_ups = run.compute_speed_ups(oracle)
    return {
        "labels": pack_tallies(unit, labels),
        "boundary": pack_tallies(unit, near),
        "full_frames": pack_values(unit, full, labels[:, 1]),
        "milliseconds": pack_rounds([1000 * sum(seconds) / len(seconds) for seconds in run.seconds]),
        "speed_up": pack_rounds(speed_ups),
        "time_share": pack_rounds([1 / speed_up for speed_up in speed_ups]),
    }


def share_full_frames(run: ScheduleRun) -> float:
    """Return the share of frames on which every stage ran, which includes the first frame of each clip."""
    return float(np.mean([all(stages) for stages in run.fired]))


def list_full_frames(run: ScheduleRun, samples: Any) -> tuple[tuple[float, ...], ...]:
    """Return for each clip 1 for a frame on which the deepest stage ran, and 0 for other frames."""
    stages = iter(run.fired)
    return tuple(tuple(float(next(stages)[-1]) for _ in clip) for clip in split_into_clips(samples))


def describe_run(run: ScheduleRun) -> str:
    """Describe the schedule and the share of frames on which each stage ran."""
    return f"{run.schedule}: stages on {', '.join(f'{share:.0%}' for share in run.stage_share)} of the frames"
