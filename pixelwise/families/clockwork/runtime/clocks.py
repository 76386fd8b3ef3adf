"""Clocks: which frames a stage runs on (thesis §3.3.1, §3.3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.metrics.frame_change import label_change, pixel_change


@dataclass(frozen=True)
class Seen:
    """What a clock may look at when its stage's turn comes.

    frame: counted from the last reset. image: (H, W, 3) uint8. before: whether the shallower stage fired. scores: the
    shallower stage's finest stream, (K, h, w), and `features` its features, (1, C, h, w); None before the first stage.
    unexplained: what motion since the key frame does not explain.
    """

    frame: int
    image: np.ndarray
    before: bool = True
    scores: np.ndarray | None = None
    features: np.ndarray | None = None
    unexplained: float = 0.0


class Clock(Protocol):
    """Decides when a stage runs. The engine runs every stage on the first frame and tells no clock."""

    def fires(self, seen: Seen) -> bool:
        """Whether the stage runs on this frame."""

    def ran(self, seen: Seen) -> None:
        """The stage ran on this frame, whoever decided it."""


class Stateless:
    """A clock that remembers nothing."""

    def ran(self, seen: Seen) -> None:
        """Nothing to remember."""


class Always(Stateless):
    """1: on every frame."""

    def fires(self, seen: Seen) -> bool:  # noqa: ARG002
        """Always."""
        return True


class Never(Stateless):
    """0: on the first frame alone."""

    def fires(self, seen: Seen) -> bool:  # noqa: ARG002
        """Never."""
        return False


class Off(Never):
    """Not even on the first frame: the net ends before this stage."""


class WithBefore(Stateless):
    """With the shallower stage."""

    def fires(self, seen: Seen) -> bool:
        """As the stage before."""
        return seen.before


@dataclass(frozen=True)
class Every(Stateless):
    """t ≡ phase (mod n)."""

    period: int
    phase: int = 0

    def fires(self, seen: Seen) -> bool:
        """On every `period`-th frame."""
        return (seen.frame - self.phase) % self.period == 0


@dataclass(frozen=True)
class Over(Stateless):
    """Where what `measure` finds in the current frame reaches the threshold."""

    threshold: float
    measure: Callable[[Seen], float]

    def fires(self, seen: Seen) -> bool:
        """Threshold 0 fires always."""
        return self.measure(seen) >= self.threshold


@dataclass
class Changed:
    """Where what is watched has changed since the stage last ran: threshold 0 fires always, above 1 never.

    The thesis writes the change since the frame before; its code compares with the frame on which the clock last fired,
    as here, so that slow change adds up.
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


def shallow_labels(seen: Seen) -> np.ndarray:
    """The most probable class of every cell, by the shallower stages alone, (h, w)."""
    if seen.scores is None:
        raise ParamsError("clock: found nothing before the first stage, expected a clock on pixels or motion there")
    labels: np.ndarray = seen.scores.argmax(axis=0)
    return labels


def doubt(seen: Seen) -> float:
    """One less the mean probability of the best class, by the shallower stages alone: 0 where all cells are sure."""
    labels, scores = shallow_labels(seen), seen.scores
    assert scores is not None
    odds = np.exp(scores - np.take_along_axis(scores, labels[None], axis=0))
    return float(1 - np.mean(1 / odds.sum(axis=0)))


def make_clock(words: str, learned: Callable[[Any, Any], float]) -> Clock:
    """The clock that `words` name, one of KNOWN. learned: what share of the output changes, from features now and then.

    Raises ParamsError where there is none such or the number is bad.
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
        return Changed(threshold, shallow_labels, label_change)
    if name == "pixels":
        return Changed(threshold, lambda seen: seen.image, pixel_change)
    if name == "learned":
        return Changed(threshold, lambda seen: seen.features, learned)
    if name in ("confidence", "motion"):
        return Over(threshold, doubt if name == "confidence" else lambda seen: seen.unexplained)
    raise ParamsError(f"clock {words!r}: expected {KNOWN}")


PLAIN: dict[str, type[Clock]] = {"always": Always, "never": Never, "off": Off, "before": WithBefore}
KNOWN = "always, never, off, before, every:N[:PHASE], scores:θ, pixels:θ, confidence:θ, motion:θ or learned:θ"
