"""Charts of a study as PNG bytes. Import it only where plots are made: it loads matplotlib."""

from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixelwise.reporting.plots import BLUE, FAINT, INK, ORANGE, PATCH, STYLE, encode_figure
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.kinds import find_kind
from pixelwise.studies.outcome import Outcome
from pixelwise.studies.records import Point

BAR = 0.38
# Letters per line of the title of a bar chart.
TITLE_WIDTH = 76


def draw_chart(outcome: Outcome) -> bytes:
    """Draw a PNG: the chart of the study's kind if the study sets one, loss curves, or a bar per variant."""
    study = outcome.study
    if study.along or study.over_time:
        return find_kind(study.kind).load_charts().draw_chart(outcome)
    return draw_curves(outcome) if study.curves else draw_bars(outcome)


def draw_bars(outcome: Outcome) -> bytes:
    """Draw a bar per variant of the study's main column, with its spread over seeds, and the thesis's bar below it."""
    column, rows = COLUMNS[outcome.study.chart], outcome.rows
    has_thesis = any(outcome.study.chart in row.thesis for row in rows)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, max(2.4, (0.62 if has_thesis else 0.42) * len(rows) + 1.3)), layout="constrained")
        # Above the whole figure: the title needs more room than there is beside the names.
        figure.suptitle(fill(outcome.study.title, TITLE_WIDTH), x=0.01, ha="left")
        axes = figure.add_subplot(xlabel=column.title)
        for position, row in enumerate(rows):
            mean, spread = row.means.get(outcome.study.chart), row.spreads.get(outcome.study.chart)
            shift = BAR / 2 if has_thesis else 0.0
            draw_bar(axes, position - shift, mean, row.format(outcome.study.chart), BLUE, spread)
            if has_thesis:
                thesis = row.thesis.get(outcome.study.chart)
                draw_bar(axes, position + shift, thesis, column.format(thesis), ORANGE)
        axes.barh([0], [0], color=BLUE, label=f"here, {outcome.measured.dataset} {outcome.measured.split}")
        if has_thesis:
            axes.barh([0], [0], color=ORANGE, alpha=0.55, label="thesis")
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set(ylim=(len(rows) - 0.4, -0.6), xmargin=0.16)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="x")
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
        return encode_figure(figure)


def draw_bar(
    axes: Axes, position: float, value: float | None, text: str, colour: str, spread: float | None = None
) -> None:
    """Draw one bar with its number, or only a dash if there is no value."""
    alpha = 0.55 if colour == ORANGE else 1.0
    if value is not None:
        axes.barh(position, value, height=BAR, color=colour, alpha=alpha, xerr=spread, error_kw={"ecolor": INK})
    end = (value or 0.0) + (spread or 0.0)
    axes.annotate(
        text, (end, position), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK, bbox=PATCH
    )


def draw_curves(outcome: Outcome) -> bytes:
    """Draw the training loss over iterations and over seconds, a line per variant, averaged over seeds (figure 2.5)."""
    panels = {"iterations": lambda point: point.iteration, "seconds": lambda point: point.seconds}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        for number, (title, along) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(1, len(panels), number, title=f"Training loss over {title}", xlabel=title)
            for row, colour in zip(outcome.rows, mpl.color_sequences["tab10"], strict=False):
                points = average_curves([run.curve for run in row.runs if run.curve])
                axes.plot([along(point) for point in points], [p.loss for p in points], label=row.name, color=colour)
            axes.grid(visible=True)
            axes.legend(frameon=False, fontsize=9, labelcolor=FAINT)
        return encode_figure(figure)


def average_curves(curves: list[tuple[Point, ...]]) -> list[Point]:
    """Average the curves of the seeds, up to the end of the shortest."""
    length = min((len(curve) for curve in curves), default=0)
    return [
        Point(
            iteration=curves[0][index].iteration,
            seconds=float(np.mean([curve[index].seconds for curve in curves])),
            loss=float(np.mean([curve[index].loss for curve in curves])),
        )
        for index in range(length)
    ]
