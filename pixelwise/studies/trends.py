"""Judge the expectations of a study: the gap between two rows against the spread over seeds."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Literal

from pixelwise.params import Params
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.study import Expectation

Verdict = Literal["holds", "holds within the spread", "does not hold", "not measured"]


class Judgement(Params):
    """An expectation and its verdict. gap: by how much `better` is ahead; spread: the gap's standard deviation
    over seeds, None of a single one; both in the column's unit.
    """

    expected: Expectation
    gap: float | None = None
    spread: float | None = None
    verdict: Verdict = "not measured"

    def __str__(self) -> str:
        """What was expected, in words."""
        wish, column = self.expected, COLUMNS[self.expected.column]
        if wish.within is not None:
            bound = column.format_gap(wish.within)
            return f"{wish.better} and {wish.worse} are alike in {column.heading}, within {bound}"
        if wish.at_most is not None:
            least = column.format_gap(wish.at_most)
            return f"{wish.better} is at most {least} worse than {wish.worse} in {column.heading}"
        less = f" by at least {column.format_gap(wish.by)}" if wish.by else ""
        return f"{wish.better} beats {wish.worse} in {column.heading}{less}"

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

    A gap that meets its bound by more than the spread holds; one that meets it by less holds within the
    spread, so that another choice of seeds might say otherwise.
    """
    if not better or not worse:
        return Judgement(expected=expected)
    gap = mean(better) - mean(worse)
    if COLUMNS[expected.column].is_lower_better:
        gap = -gap
    spread = spread_of_gap(better, worse)
    margin = margin_of(expected, gap)
    # Two equal rows are alike, but neither beats the other.
    is_win = expected.within is None and expected.at_most is None and expected.by == 0
    is_met = margin > 0 or (margin == 0 and not is_win)
    verdict: Verdict = "does not hold"
    if is_met:
        verdict = "holds" if margin > (spread or 0.0) or spread is None else "holds within the spread"
    return Judgement(expected=expected, gap=gap, spread=spread, verdict=verdict)


def margin_of(expected: Expectation, gap: float) -> float:
    """By how much a gap is beyond the least one, or within the bound; negative where it is not."""
    if expected.within is not None:
        return expected.within - abs(gap)
    return gap + expected.at_most if expected.at_most is not None else gap - expected.by


def spread_of(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds; None of fewer than two."""
    return stdev(values) if len(values) > 1 else None


def spread_of_gap(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Standard deviation of the difference of two independent figures; None where neither is known."""
    known = [spread for spread in (spread_of(left), spread_of(right)) if spread is not None]
    return math.hypot(*known) if known else None
