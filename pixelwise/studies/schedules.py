"""Schedules of a net in stages over the clips of a split, or over translated scenes, all paired (thesis §3.4)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field, NonNegativeInt

from pixelwise.data.class_mapping import make_class_table
from pixelwise.data.prepared import Sample
from pixelwise.data.translated_scenes import FRAMES, TranslatedScenes
from pixelwise.families.clockwork.measure.clips import clips_of
from pixelwise.families.clockwork.measure.frontier import ORACLE, ROUNDS
from pixelwise.families.clockwork.measure.paired_runs import CHUNK, Ran, run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.schedules import parse_schedule
from pixelwise.metrics.boundary import find_boundary_band, find_class_boundary_band, void_outside
from pixelwise.metrics.confusion import Counts, compute_scores, count_pixels
from pixelwise.params import Params, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.predictions import choose_indices
from pixelwise.studies.staged_net import staged_net
from pixelwise.studies.study import Study, Variant

# Steps of the bisection for a threshold.
HALVINGS = 8


class ScheduleParams(Params):
    """What a variant of a study of kind schedule overrides."""

    schedule: str = Field(description="as for predict and evaluate; without its threshold where one is sought")
    shift: NonNegativeInt | None = Field(None, description="pixels a frame of translated scenes; none: the clips")
    full_frames: float | None = Field(
        None, gt=0, lt=1, description="seek the threshold that runs the whole net on this share of the frames"
    )


@dataclass(frozen=True)
class Together:
    """What variants that ran together found: a run each, and predictions for a few pictures, or another drawing."""

    runs: dict[str, Run]
    pictures: Sequence[Sample] = ()
    predictions: dict[str, list[np.ndarray]] = field(default_factory=dict)
    sheet: Image.Image | None = None


def overrides_of(study: Study, variant: Variant) -> ScheduleParams:
    """The schedule of a variant. Raises ParamsError naming the study, the variant and the first bad key."""
    return parse(ScheduleParams, variant.overrides, f"study {study.name}: {variant.name}")


def require_schedule(study: Study, variant: Variant, stages: int = 3) -> None:
    """Raise ParamsError where a variant names no schedule of a net with so many stages."""
    wanted = overrides_of(study, variant)
    parse_schedule(f"{wanted.schedule}:0.5" if wanted.full_frames else wanted.schedule, stages)


def scheduled(study: Study, bench: Bench) -> Together:
    """Run every variant of the study; variants on the same frames take turns with the frame oracle."""
    model, split = staged_net(study, bench), bench.data.split(bench.val_split(study))
    wanted = {variant.name: overrides_of(study, variant) for variant in study.variants}
    found: list[Together] = []
    for shift in dict.fromkeys(params.shift for params in wanted.values()):
        samples = split if shift is None else TranslatedScenes(split, shift)
        group = {name: params for name, params in wanted.items() if params.shift == shift}
        found.append(on_same_frames(study, group, model, samples, bench.data.classes.names))
    runs = {name: run for together in found for name, run in together.runs.items()}
    return Together({name: runs[name] for name in wanted}, found[0].pictures, found[0].predictions)


def on_same_frames(
    study: Study, group: dict[str, ScheduleParams], model: Staged, samples: Any, classes: Sequence[str]
) -> Together:
    """The variants of a group, by name, on the same `samples` of these `classes`."""
    words = {name: tuned(params, model, samples) for name, params in group.items()}
    pictures = [samples[place] for place in places(samples)]
    notes = Notes(classes, {sample.id for sample in pictures})
    schedules = list(dict.fromkeys([ORACLE, *words.values()]))
    table = make_class_table(model.plain.names, classes)
    # Translated scenes are six times as many frames as there are pictures: one round tells the time.
    rounds = 1 if isinstance(samples, TranslatedScenes) else ROUNDS
    by_words = {ran.schedule: ran for ran in run_schedules(model, samples, schedules, rounds, notes, table)}
    oracle, fingerprint = by_words[ORACLE], model.plain.metadata["fingerprint"]
    runs = {
        name: Run(
            seed=study.seeds[0],
            scores=scores(by_words[each], oracle, notes.near[each]),
            fingerprint=fingerprint,
            frames=fired(by_words[each], samples) if study.over_time else (),
            remark=said(by_words[each]),
        )
        for name, each in words.items()
    }
    predictions = {name: [notes.predictions[each][sample.id] for sample in pictures] for name, each in words.items()}
    return Together(runs, pictures, predictions)


def places(samples: Any) -> list[int]:
    """Indices of the shown frames; for translated scenes, the last frames of some clips."""
    if isinstance(samples, TranslatedScenes):
        return [index * FRAMES + FRAMES - 1 for index in choose_indices(len(samples) // FRAMES)]
    return choose_indices(len(samples))


def tuned(params: ScheduleParams, model: Staged, samples: Any) -> str:
    """Find the threshold that runs the whole net on the wanted share of these frames (thesis table 3.6).

    Like the thesis, the search uses the scored frames themselves.
    """
    if params.full_frames is None:
        return params.schedule
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        (ran,) = run_schedules(model, samples, [f"{params.schedule}:{middle:.4f}"], rounds=1)
        low, high = (middle, high) if full_frames(ran) > params.full_frames else (low, middle)
    return f"{params.schedule}:{high:.4f}"


class Notes:
    """Collects, for every schedule, the counts near boundaries and a few predictions."""

    def __init__(self, classes: Sequence[str], shown: Collection[str]) -> None:
        self.classes, self.shown = len(classes), shown
        # Without a background there is no outline of all foreground.
        self.band = find_boundary_band if classes[0] == "background" else find_class_boundary_band
        self.near: dict[str, Counts] = {}
        self.predictions: dict[str, dict[str, np.ndarray]] = {}
        self.labels: dict[str, np.ndarray] = {}

    def __call__(self, schedule: str, sample: Sample, prediction: np.ndarray) -> None:
        """Collect one frame of a schedule."""
        counts = count_pixels(self.label(sample), prediction, self.classes)
        self.near[schedule] = self.near.get(schedule, 0) + counts
        if sample.id in self.shown:
            self.predictions.setdefault(schedule, {})[sample.id] = prediction

    def label(self, sample: Sample) -> np.ndarray:
        """The label near boundaries, void elsewhere; cached until all schedules have used it."""
        if sample.id not in self.labels:
            if len(self.labels) == CHUNK:
                self.labels.clear()
            self.labels[sample.id] = void_outside(sample.label, self.band)
        return self.labels[sample.id]


def scores(ran: Ran, oracle: Ran, near: Counts) -> dict[str, float]:
    """The figures of one schedule. Times are medians over the rounds, of a frame or in parts of the oracle's."""
    whole = compute_scores(np.sum(ran.counts, axis=0))
    speed_up = float(np.median(ran.speed_ups(oracle)))
    found = {
        "mean_iu": whole.mean_iu,
        "pixel_accuracy": whole.pixel_accuracy,
        "frequency_weighted_iu": whole.frequency_weighted_iu,
        "full_frames": full_frames(ran),
        "milliseconds": 1000 / ran.frames_per_second,
        "time_share": 1 / speed_up,
        "speed_up": speed_up,
    }
    if near.any():
        band = compute_scores(near)
        found["boundary_mean_iu"] = band.mean_iu
        found["boundary_frequency_weighted_iu"] = band.frequency_weighted_iu
    return found


def full_frames(ran: Ran) -> float:
    """The share of the frames on which every stage ran, the first one of a clip among them."""
    return float(np.mean([all(stages) for stages in ran.fired]))


def fired(ran: Ran, samples: Any) -> tuple[tuple[float, ...], ...]:
    """By clip: 1 for a frame on which the deepest stage ran, else 0."""
    stages = iter(ran.fired)
    return tuple(tuple(float(next(stages)[-1]) for _ in clip) for clip in clips_of(samples))


def said(ran: Ran) -> str:
    """The schedule, and how often each stage ran."""
    return f"{ran.schedule}: stages on {', '.join(f'{share:.0%}' for share in ran.stage_share)} of the frames"
