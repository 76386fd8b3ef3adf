"""Judge the expectations of a study by the gap between two rows and the spread over seeds."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Literal

from pixelwise.params import Params
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.study import Expectation

Verdict = Literal["holds", "holds within the spread", "does not hold", "not measured"]


class Judgement(Params):
    """An expectation and its verdict.

    gap: how far `better` is ahead. spread: the gap's standard deviation over seeds, None for a single seed. Both are in
    the column's unit.
    """

    expected: Expectation
    gap: float | None = None
    spread: float | None = None
    verdict: Verdict = "not measured"

    def __str__(self) -> str:
        """The expectation in words."""
        expected, column = self.expected, COLUMNS[self.expected.column]
        if expected.within is not None:
            bound = column.format_gap(expected.within)
            return f"{expected.better} and {expected.worse} are alike in {column.heading}, within {bound}"
        if expected.at_most is not None:
            bound = column.format_gap(expected.at_most)
            return f"{expected.better} is at most {bound} worse than {expected.worse} in {column.heading}"
        bound = f" by at least {column.format_gap(expected.by)}" if expected.by else ""
        return f"{expected.better} beats {expected.worse} in {column.heading}{bound}"

    @property
    def measured(self) -> str:
        """The gap and its spread."""
        if self.gap is None:
            return "–"
        digits = COLUMNS[self.expected.column].digits
        around = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.gap:+.{digits}f}{around}"


def judge(expected: Expectation, better: Sequence[float], worse: Sequence[float]) -> Judgement:
    """Judge the figures of two rows, one figure per seed, in the column's unit.

    An expectation holds if its gap meets the bound by more than the spread. If the gap meets the bound by less, the
    expectation holds within the spread: other seeds may give another verdict.
    """
    if not better or not worse:
        return Judgement(expected=expected)
    gap = mean(better) - mean(worse)
    if COLUMNS[expected.column].is_lower_better:
        gap = -gap
    spread = compute_gap_spread(better, worse)
    margin = compute_margin(expected, gap)
    # Two equal rows are alike, but none of them beats the other.
    is_win = expected.within is None and expected.at_most is None and expected.by == 0
    is_met = margin > 0 or (margin == 0 and not is_win)
    verdict: Verdict = "does not hold"
    if is_met:
        verdict = "holds" if margin > (spread or 0.0) or spread is None else "holds within the spread"
    return Judgement(expected=expected, gap=gap, spread=spread, verdict=verdict)


def compute_margin(expected: Expectation, gap: float) -> float:
    """Return how far a gap is beyond its least value or inside its bound; negative if it is not."""
    if expected.within is not None:
        return expected.within - abs(gap)
    return gap + expected.at_most if expected.at_most is not None else gap - expected.by


def compute_spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation over seeds; None for fewer than two seeds."""
    return stdev(values) if len(values) > 1 else None


def compute_gap_spread(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return the standard deviation of the difference of two independent figures; None if neither spread is known."""
    known = [spread for spread in (compute_spread(left), compute_spread(right)) if spread is not None]
    return math.hypot(*known) if known else None
