"""Run schedules over clips, paired: all schedules on the same frames, which are decoded before timing starts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError
from pixelwise.families.clockwork.measure.clips import split_into_clips
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.engines import Engine, open_engine
from pixelwise.metrics.confusion import Counts, count_pixels
from pixelwise.progress import progress

# Most decoded frames in memory at once.
CHUNK = 64
# Frames that every engine labels before it is timed.
WARM_UP = 3
# Called for each scored frame with the schedule, the frame and its prediction.
Observe = Callable[[str, Sample, np.ndarray], None]


@dataclass
class ScheduleRun:
    """The results of one schedule. counts: (K, K) per frame. fired: by frame and stage. seconds: by round and frame."""

    schedule: str
    ids: list[str] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)
    fired: list[tuple[bool, ...]] = field(default_factory=list)
    seconds: list[list[float]] = field(default_factory=list)

    @property
    def stage_share(self) -> list[float]:
        """The share of frames on which each stage ran, shallow to deep."""
        return [float(share) for share in np.mean(self.fired, axis=0)]

    @property
    def frames_per_second(self) -> float:
        """The median over the rounds, without the time of decoding frames."""
        return float(np.median([len(seconds) / sum(seconds) for seconds in self.seconds]))

    def summarise_speed(self) -> dict[str, Any]:
        """Return the entries that a schedule adds to the scores: frames per second, stage shares, milliseconds."""
        milliseconds = 1000 * np.concatenate(self.seconds)
        return {
            "schedule": self.schedule,
            "frames_per_second": self.frames_per_second,
            "stage_share": {f"stage{number}": share for number, share in enumerate(self.stage_share, start=1)},
            "milliseconds": {"median": float(np.median(milliseconds)), "p95": float(np.percentile(milliseconds, 95))},
        }

    def compute_speed_ups(self, oracle: "ScheduleRun") -> list[float]:
        """Return the speed as a multiple of `oracle`'s, for each round."""
        return [sum(oracles) / sum(own) for oracles, own in zip(oracle.seconds, self.seconds, strict=True)]


def run_schedules(
    model: Staged,
    samples: Sequence[Sample],
    schedules: Sequence[str],
    rounds: int,
    observe: Observe | None = None,
    table: np.ndarray | None = None,
) -> list[ScheduleRun]:
    """Run every schedule over every clip of a split, `rounds` times. The first round gives the scores.

    All schedules take turns on each chunk of frames, so that other load on the machine slows them equally. table: the
    data's class for each class of the model, if they differ.
    """
    engines = [open_engine(model, schedule) for schedule in schedules]
    runs = [ScheduleRun(schedule) for schedule in schedules]
    table = np.arange(len(model.plain.names), dtype=np.uint8) if table is None else table
    clips = split_into_clips(samples)
    warm_up(engines, samples[clips[0][0]].image)
    bar = progress(range(rounds * sum(map(len, clips))), "schedules")
    for round_ in range(rounds):
        for run in runs:
            run.seconds.append([])
        for clip in clips:
            for engine in engines:
                engine.reset()
            for frames in read_chunks(samples, clip):
                for engine, run in zip(engines, runs, strict=True):
                    label_frames(engine, frames, run, round_ == 0, table, observe)
                bar.update(len(frames))
    return runs


def warm_up(engines: Sequence[Engine], image: np.ndarray) -> None:
    """Run every engine a few times, so that allocations are not timed."""
    for engine in engines:
        for _ in range(WARM_UP):
            engine.step(image)


def read_chunks(samples: Sequence[Sample], clip: Sequence[int]) -> Iterator[list[Sample]]:
    """Yield the frames of a clip in lists of at most CHUNK."""
    indices = iter(clip)
    while chunk := list(islice(indices, CHUNK)):
        yield [samples[index] for index in chunk]


def label_frames(
    engine: Engine,
    frames: Sequence[Sample],
    run: ScheduleRun,
    is_scored: bool,
    table: np.ndarray,
    observe: Observe | None,
) -> None:
    """Label the next frames of a clip; add times and, if `is_scored`, results to `run`.

    Raises DataError naming the frame if a label and a prediction cannot be compared.
    """
    for sample in frames:
        frame = engine.step(sample.image)
        run.seconds[-1].append(frame.seconds)
        if is_scored:
            prediction = table[frame.prediction]
            run.fired.append(frame.fired)
            run.ids.append(sample.id)
            try:
                run.counts.append(count_pixels(sample.label, prediction, int(table.max()) + 1))
            except DataError as error:
                raise DataError(f"{sample.id}: {error}") from None
            if observe:
                observe(run.schedule, sample, prediction)
