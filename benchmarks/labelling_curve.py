"""The curves of a labelling loop: scores over the number of labelled pictures, and what ranking saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pixelwise.reporting.html_page import (
    flatten_facts,
    render_facts,
    render_image,
    render_page,
    render_section,
    render_table,
)

# The share of pictures that ranking should save.
WANTED = 0.3


class Point(NamedTuple):
    """The mean IU of one training, as a fraction, after `pictures` were labelled."""

    strategy: str
    seed: int
    pictures: int
    mean_iu: float


@dataclass(frozen=True)
class Verdict:
    """What ranking saves. final: random's last mean IU over seeds. needed: pictures with which ranking has it."""

    pictures: int
    final: float
    needed: float | None
    page: Path

    @property
    def saving(self) -> float | None:
        """The share of the pictures that ranking saves; None where it never has random's final score."""
        return None if self.needed is None else 1 - self.needed / self.pictures

    def __str__(self) -> str:
        goal = f"random's final mean IU {self.final:.3f} with {self.pictures} pictures"
        if self.needed is None or self.saving is None:
            found = f"ranking does not reach {goal}"
        else:
            met = "at least" if self.saving >= WANTED else "less than"
            found = f"ranking reaches {goal} after {self.needed:.0f}: {self.saving:.0%} fewer, {met} {WANTED:.0%}"
        return f"{found}\npage: {self.page}"


def average(points: Sequence[Point], strategy: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of pictures (R,), and the scores (R, S) of a strategy after each round, by seed."""
    mine = sorted(
        (point for point in points if point.strategy == strategy), key=lambda each: (each.pictures, each.seed)
    )
    pictures = np.unique([point.pictures for point in mine])
    return pictures, np.array([point.mean_iu for point in mine]).reshape(len(pictures), -1)


def judge(points: Sequence[Point], page: Path) -> Verdict:
    """Find how many pictures ranking needs for the final score of random, between rounds on a straight line."""
    pictures, random = average(points, "random")
    _, ranked = average(points, "ranked")
    final, means = float(random[-1].mean()), ranked.mean(axis=1)
    return Verdict(int(pictures[-1]), final, find_crossing(pictures, means, final), page)


def find_crossing(pictures: np.ndarray, means: np.ndarray, goal: float) -> float | None:
    """Find where a curve first has the value `goal`; None if it stays below."""
    above = np.flatnonzero(means >= goal)
    if not len(above):
        return None
    place = int(above[0])
    if place == 0:
        return float(pictures[0])
    part = slice(place - 1, place + 1)
    return float(np.interp(goal, means[part], pictures[part]))


def render_curves(points: Sequence[Point], verdict: Verdict, settings: Mapping[str, Any], data: str) -> str:
    """Render the page: the verdict, both curves, and the score of every training. settings: of the run, by name."""
    seeds = sorted({point.seed for point in points})
    rows = [
        [strategy, str(count), f"{scores.mean():.3f}", *(f"{score:.3f}" for score in scores)]
        for strategy in ("ranked", "random")
        for count, scores in zip(*average(points, strategy), strict=True)
    ]
    head = ["chosen", "#labelled pictures", "#mean IU", *(f"#seed {seed}" for seed in seeds)]
    facts = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    return render_page(
        "Does ranking save labels?",
        str(verdict).partition("\n")[0],
        [
            render_section(f"Mean IU on {data}", render_image(draw(points, verdict), "mean IU over labelled pictures")),
            render_section("Every training", render_table(head, rows)),
            render_section("Settings", render_facts(flatten_facts(facts))),
        ],
    )


def draw(points: Sequence[Point], verdict: Verdict) -> bytes:
    """Draw both curves as PNG: the mean over seeds, and the range of the seeds around it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from pixelwise.reporting.plots import BLUE, FAINT, ORANGE, STYLE, encode_figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel="labelled pictures", ylabel="mean IU")
        for strategy, colour in (("ranked", BLUE), ("random", ORANGE)):
            pictures, scores = average(points, strategy)
            axes.plot(pictures, scores.mean(axis=1), "o-", color=colour, label=strategy)
            axes.fill_between(pictures, scores.min(axis=1), scores.max(axis=1), color=colour, alpha=0.15, linewidth=0)
        axes.axhline(verdict.final, color=FAINT, linestyle=":", label="random's final score")
        axes.grid(axis="y")
        axes.legend(frameon=False)
        return encode_figure(figure)
