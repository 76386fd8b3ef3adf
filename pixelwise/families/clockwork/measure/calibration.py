"""Find the value of a schedule that gives a wanted speed or loss, on clips without labels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.families.clockwork.measure.expected_loss import ClassOdds, compute_loss, count_expected
from pixelwise.families.clockwork.measure.paired_runs import warm_up
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged
from pixelwise.families.clockwork.runtime.engines import Engine, open_engine
from pixelwise.families.clockwork.runtime.schedules import SCHEDULES
from pixelwise.families.clockwork.runtime.stream_grids import SCORES

Aim = Literal["speed", "rate", "loss"]
# First trials: multiples of the schedule's default value. Then LOOKS refinements, each of BETWEEN values inside the
# current interval.
LADDER = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
LOOKS, BETWEEN = 2, 3
# Schedules whose value is a number of stages: it does not trade score for speed.
COUNTS = ("pipeline", "truncated")
# Yields a clip's pictures, (H, W, 3) uint8 each; None where frames were lost, as the rest counts as another clip.
Clip = Callable[[], Iterator[np.ndarray | None]]


@dataclass(frozen=True)
class Goal:
    """The goal: at least `amount` times the oracle's speed or frames per second, or at most `amount` mean IU lost."""

    aim: Aim
    amount: float

    def __str__(self) -> str:
        texts = {
            "speed": f"at least {self.amount:g} times as fast",
            "rate": f"at least {self.amount:g} frames per second",
            "loss": f"at most {100 * self.amount:g} points of mean IU lost",
        }
        return texts[self.aim]


@dataclass(frozen=True)
class Trial:
    """The result of a schedule on the clips. loss: expected, a fraction of mean IU. stage_share: shallow to deep."""

    schedule: str
    speed_up: float
    frames_per_second: float
    loss: float
    stage_share: tuple[float, ...]

    @property
    def value(self) -> float:
        """The schedule's value."""
        return float(self.schedule.partition(":")[2])

    def is_beyond(self, goal: Goal) -> bool:
        """Whether the trial is fast enough for a goal of speed or rate, or loses too much for a goal of loss."""
        if goal.aim == "loss":
            return self.loss > goal.amount
        return (self.speed_up if goal.aim == "speed" else self.frames_per_second) >= goal.amount


@dataclass
class Tally:
    """Sums over all frames of one engine."""

    engine: Engine
    seconds: float = 0.0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(()))
    fired: list[tuple[bool, ...]] = field(default_factory=list)


def calibrate(model: Staged, name: str, clips: Sequence[Clip], goal: Goal) -> tuple[Trial, list[Trial]]:
    """Return the trial that meets `goal`, and all trials by value.

    A wide search is followed by closer ones around the value where trials cross `goal`. The result is the smallest
    value that is fast enough, or the largest that loses no more. Raises ParamsError if schedule `name` has no value to
    calibrate, or no trial meets `goal`.
    """
    trials = try_schedules(model, format_schedules(name, list_first_values(name)), clips)
    for _ in range(LOOKS):
        closer = refine_schedules(name, *find_crossing(trials, goal))
        trials += try_schedules(model, closer, clips) if closer else []
        trials.sort(key=lambda trial: trial.value)
    below, beyond = find_crossing(trials, goal)
    chosen, best = (below, beyond) if goal.aim == "loss" else (beyond, below)
    if chosen is None:
        assert best is not None
        raise ParamsError(f"{goal.aim}: expected {goal}, found {describe_trial(best)} at best, with {best.schedule}")
    return chosen, trials


def describe_trial(trial: Trial) -> str:
    """Describe the result of a trial in words."""
    return (
        f"{trial.speed_up:.2f} times as fast, {trial.frames_per_second:.1f} frames per second and "
        f"{100 * trial.loss:.1f} points lost"
    )


def find_crossing(trials: Sequence[Trial], goal: Goal) -> tuple[Trial | None, Trial | None]:
    """Return the two neighbours by value between which trials cross `goal`; None for a side without trials.

    Noisy trials may cross it more than once. For speed the last crossing is taken, so that no larger value is too slow;
    for loss the first, so that no smaller value loses too much.
    """
    beyond = [trial.is_beyond(goal) for trial in trials]
    if goal.aim == "loss":
        first = beyond.index(True) if True in beyond else len(trials)
    else:
        first = len(trials) - beyond[::-1].index(False) if False in beyond else 0
    return (trials[first - 1] if first else None, trials[first] if first < len(trials) else None)


def is_whole(name: str) -> bool:
    """Whether the values of schedule `name` are numbers of frames."""
    return SCHEDULES[name].default.isdecimal()


def list_first_values(name: str) -> list[float]:
    """List the values of the wide search. Raises ParamsError if `name` is no schedule with a value to calibrate."""
    choices = [known for known, schedule in SCHEDULES.items() if schedule.default and known not in COUNTS]
    if name not in choices:
        raise ParamsError(f"schedule: found {name!r}, expected one whose value can be chosen: {', '.join(choices)}")
    return [factor * float(SCHEDULES[name].default) for factor in LADDER]


def refine_schedules(name: str, below: Trial | None, beyond: Trial | None) -> list[str]:
    """List schedules with values between those of two trials, in equal ratios; none if there is no value between."""
    if below is None or beyond is None:
        return []
    inside = format_schedules(name, np.geomspace(below.value, beyond.value, BETWEEN + 2)[1:-1])
    return [schedule for schedule in inside if schedule not in (below.schedule, beyond.schedule)]


def format_schedules(name: str, values: Iterable[float]) -> list[str]:
    """Format the schedules NAME:VALUE without repeats; values have three digits or are whole numbers from 1."""
    texts = [str(max(round(value), 1)) if is_whole(name) else f"{value:.3g}" for value in values]
    return [f"{name}:{text}" for text in dict.fromkeys(texts)]


def try_schedules(model: Staged, schedules: Sequence[str], clips: Sequence[Clip]) -> list[Trial]:
    """Run all schedules over all clips, in turns with the oracle on each frame, so that other load affects all."""
    oracle, class_odds = Tally(open_engine(model, "oracle")), ClassOdds(model)
    tallies = [oracle, *(Tally(open_engine(model, schedule)) for schedule in schedules)]
    engines = [tally.engine for tally in tallies]
    warm_up(engines, next(image for image in clips[0]() if image is not None))
    size: tuple[int, ...] = ()
    for clip in clips:
        for image in chain([None], clip()):
            if image is None or image.shape != size:
                class_odds.reset()
                for engine in engines:
                    engine.reset()
            if image is not None:
                size, odds = image.shape, class_odds.step(image)
                for tally in tallies:
                    add_frame(tally, image, odds)
    return [make_trial(schedule, tally, oracle) for schedule, tally in zip(schedules, tallies[1:], strict=True)]


def add_frame(tally: Tally, image: np.ndarray, odds: np.ndarray) -> None:
    """Label the next frame; add its time, the stages that fired and its expected confusion."""
    frame = tally.engine.step(image)
    tally.seconds += frame.seconds
    tally.counts = tally.counts + count_expected(odds, frame.prediction, tally.engine.model.grids[SCORES])
    tally.fired.append(frame.fired)


def make_trial(schedule: str, tally: Tally, oracle: Tally) -> Trial:
    """Return the trial of a schedule, compared with the oracle."""
    return Trial(
        schedule=schedule,
        speed_up=oracle.seconds / tally.seconds,
        frames_per_second=len(tally.fired) / tally.seconds,
        loss=compute_loss(oracle.counts, tally.counts),
        stage_share=tuple(float(share) for share in np.mean(tally.fired, axis=0)),
    )
