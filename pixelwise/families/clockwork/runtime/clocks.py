"""Clocks decide on which frames a stage runs (thesis §3.3.1, §3.3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.inference.binding import Value
from pixelwise.metrics.frame_change import measure_label_change, measure_pixel_change


@dataclass(frozen=True)
class Seen:
    """The input of a stage's clock.

    frame: number since the last reset. image: (H, W, 3) uint8. before: whether the shallower stage fired. scores: the
    shallower stage's finest stream, (K, h, w). features: its features, (1, C, h, w). Both are None for the first stage.
    unexplained: the share of change since the key frame that motion does not explain, as in `Motion`.
    """

    frame: int
    image: np.ndarray
    before: bool = True
    scores: np.ndarray | None = None
    features: Value | None = None
    unexplained: float = 0.0


NOTHING_BEFORE = "clock: found nothing before the first stage, expected a clock on pixels or motion there"


class Clock(Protocol):
    """Decides when a stage runs. On the first frame the engine runs every stage but `Off` ones without asking."""

    def fires(self, seen: Seen) -> bool:
        """Whether the stage runs on this frame."""

    def ran(self, seen: Seen) -> None:
        """Note that the stage ran on this frame, by this clock's decision or as the first frame."""


class Stateless:
    """A clock without state."""

    def ran(self, seen: Seen) -> None:
        """Do nothing: there is no state."""


class Always(Stateless):
    """Clock 1: fires on every frame."""

    def fires(self, seen: Seen) -> bool:  # noqa: ARG002
        """Whether the stage runs: always."""
        return True


class Never(Stateless):
    """Clock 0: the stage runs on the first frame only."""

    def fires(self, seen: Seen) -> bool:  # noqa: ARG002
        """Whether the stage runs: never."""
        return False


class Off(Never):
    """The stage does not even run on the first frame: the net ends before it."""


class WithBefore(Stateless):
    """Fires with the shallower stage."""

    def fires(self, seen: Seen) -> bool:
        """Whether the shallower stage fired."""
        return seen.before


@dataclass(frozen=True)
class Every(Stateless):
    """Fires where t ≡ phase (mod period)."""

    period: int
    phase: int = 0

    def fires(self, seen: Seen) -> bool:
        """Whether the frame is one of every `period`-th."""
        return (seen.frame - self.phase) % self.period == 0


@dataclass(frozen=True)
class Over(Stateless):
    """Fires where `measure` of the current frame reaches the threshold."""

    threshold: float
    measure: Callable[[Seen], float]

    def fires(self, seen: Seen) -> bool:
        """Whether the measure reaches the threshold; always with threshold 0."""
        return self.measure(seen) >= self.threshold


@dataclass
class Changed:
    """Fires where the watched value has changed since the stage last ran: always with threshold 0, never above 1.

    The thesis text compares with the previous frame. Its code, as here, compares with the frame on which the clock last
    fired, so that slow change adds up.
    """

    threshold: float
    watch: Callable[[Seen], Any]
    change: Callable[[Any, Any], float]
    then: Any = None

    def fires(self, seen: Seen) -> bool:
        """Whether the change reaches the threshold."""
        return self.change(self.watch(seen), self.then) >= self.threshold

    def ran(self, seen: Seen) -> None:
        """Compare with this frame from now on."""
        self.then = self.watch(seen)


def compute_shallow_labels(seen: Seen) -> np.ndarray:
    """Return the most probable class of each cell, (h, w), by the shallower stages only.

    Raises ParamsError for the first stage.
    """
    if seen.scores is None:
        raise ParamsError(NOTHING_BEFORE)
    labels: np.ndarray = seen.scores.argmax(axis=0)
    return labels


def require_features(seen: Seen) -> Value:
    """Return the shallower stage's features. Raises ParamsError for the first stage."""
    if seen.features is None:
        raise ParamsError(NOTHING_BEFORE)
    return seen.features


def doubt(seen: Seen) -> float:
    """Return 1 minus the mean probability of the best class, by the shallower stages only: 0 if all cells are sure."""
    labels, scores = compute_shallow_labels(seen), seen.scores
    assert scores is not None
    odds = np.exp(scores - np.take_along_axis(scores, labels[None], axis=0))
    return float(1 - np.mean(1 / odds.sum(axis=0)))


def make_clock(words: str, learned: Callable[[Any, Any], float]) -> Clock:
    """Return the clock named by `words`, one of KNOWN.

    learned: predicts the share of the output that changes, from features now and then. Raises ParamsError if the clock
    is unknown or its number is bad.
    """
    name, *values = words.split(":")
    if name in PLAIN and not values:
        return PLAIN[name]()
    if name == "every" and len(values) in (1, 2) and all(value.isdecimal() for value in values) and int(values[0]):
        return Every(*(int(value) for value in values))
    try:
        (threshold,) = (float(value) for value in values)
    except ValueError:
        raise ParamsError(f"clock {words!r}: expected {KNOWN}") from None
    if name == "scores":
        return Changed(threshold, compute_shallow_labels, measure_label_change)
    if name == "pixels":
        return Changed(threshold, lambda seen: seen.image, measure_pixel_change)
    if name == "learned":
        return Changed(threshold, require_features, learned)
    if name in ("confidence", "motion"):
        return Over(threshold, doubt if name == "confidence" else lambda seen: seen.unexplained)
    raise ParamsError(f"clock {words!r}: expected {KNOWN}")


PLAIN: dict[str, type[Clock]] = {"always": Always, "never": Never, "off": Off, "before": WithBefore}
KNOWN = "always, never, off, before, every:N[:PHASE], scores:θ, pixels:θ, confidence:θ, motion:θ or learned:θ"
