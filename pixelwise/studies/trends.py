"""Judge the expectations of a study by the interval of the paired difference of two figures."""

import math
from collections.abc import Sequence
from statistics import stdev
from typing import Literal

from pixelwise.params import Params
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.pairs import Comparison, compare
from pixelwise.studies.records import Run
from pixelwise.studies.study import Expectation

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
# More than this many times the units that there are is no number to advise.
FARTHEST = 1000


class Judgement(Params):
    """An expectation and its verdict.

    gap: how far `better` is ahead. low, high: the ends of the gap's 95 % interval, None where it has none. All are in
    the column's unit. doubt: why it is undecided; needed: how many seeds and units would decide.
    """

    expected: Expectation
    gap: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Verdict = "not measured"
    doubt: str = ""
    needed: str = ""

    def __str__(self) -> str:
        """The expectation in words."""
        expected, column = self.expected, COLUMNS[self.expected.column]
        better, worse, of = expected.better, expected.worse, f" in {column.heading}"
        if expected.worse_column:
            better = f"{column.heading} of {better}"
            worse, of = f"{COLUMNS[expected.worse_column].heading} of {worse}", ""
        if expected.within is not None:
            return f"{better} and {worse} are alike{of}, within {column.format_gap(expected.within)}"
        if expected.at_most is not None:
            return f"{better} is at most {column.format_gap(expected.at_most)} worse than {worse}{of}"
        bound = f" by at least {column.format_gap(expected.by)}" if expected.by else ""
        return f"{better} beats {worse}{of}{bound}"

    @property
    def measured(self) -> str:
        """The gap and its interval."""
        if self.gap is None:
            return "–"
        digits = COLUMNS[self.expected.column].digits
        if self.low is None:
            return f"{self.gap:+.{digits}f}"
        return f"{self.gap:+.{digits}f} ({self.low:+.{digits}f} to {self.high:+.{digits}f})"

    @property
    def short(self) -> str:
        """The verdict and the doubt."""
        return f"{self.verdict}: {self.doubt}" if self.doubt else self.verdict

    @property
    def full(self) -> str:
        """The verdict, and why it is undecided or what would decide."""
        return f"{self.short}: {self.needed}" if self.needed else self.short


def judge(
    expected: Expectation, better: Sequence[Run], worse: Sequence[Run], is_seeded: bool = True, is_quiet: bool = False
) -> Judgement:
    """Judge the runs of two rows.

    The expectation holds if every value of the gap's interval meets its bound, and does not hold if none does.
    Otherwise it is undecided. So is what was measured once: with one seed, without units in common, or a time without
    paired rounds on a quiet machine.
    """
    ours, theirs = (better, expected.column), (worse, expected.worse_column or expected.column)
    found = compare(ours, theirs, is_seeded, is_quiet)
    if found is None:
        return Judgement(expected=expected)
    gap, low, high = found.difference.gap, found.difference.low, found.difference.high
    has_interval = high > low
    verdict: Verdict = "undecided" if found.doubt else decide(expected, low, high)
    return Judgement(
        expected=expected,
        gap=gap,
        low=low if has_interval else None,
        high=high if has_interval else None,
        verdict=verdict,
        doubt=found.doubt,
        needed=count_needed(expected, found, is_seeded) if verdict == "undecided" and not found.doubt else "",
    )


def decide(expected: Expectation, low: float, high: float) -> Verdict:
    """Decide by the ends of the interval."""
    if is_met(expected, low) and is_met(expected, high):
        return "holds"
    best = min(max(low, 0.0), high) if expected.within is not None else high
    return "undecided" if is_met(expected, best) else "does not hold"


def is_met(expected: Expectation, gap: float) -> bool:
    """Whether a gap meets the bound. Two equal rows are alike, but none of them beats the other."""
    margin = compute_margin(expected, gap)
    is_win = expected.within is None and expected.at_most is None and expected.by == 0
    return margin > 0 or (margin == 0 and not is_win)


def compute_margin(expected: Expectation, gap: float) -> float:
    """Return how far a gap is beyond its least value or inside its bound; negative if it is not."""
    if expected.within is not None:
        return expected.within - abs(gap)
    return gap + expected.at_most if expected.at_most is not None else gap - expected.by


def count_needed(expected: Expectation, found: Comparison, is_seeded: bool) -> str:
    """Say how many seeds and units would decide if the gap stayed, as the interval narrows with their root."""
    margin = abs(compute_margin(expected, found.difference.gap))
    times = (found.difference.half_width / margin) ** 2 if margin else math.inf
    if times > FARTHEST:
        return "too close for any number of them"
    of_units = f"{math.ceil(found.units * times):,} {found.unit}s"
    if not is_seeded or found.unit == "round":
        return f"about {of_units} would decide"
    seeds = f"{math.ceil(found.seeds * times):,} seeds"
    return f"about {seeds}{f' of {of_units}' if found.units > 1 else ''} would decide"


def compute_spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation over seeds; None for fewer than two seeds."""
    return stdev(values) if len(values) > 1 else None
