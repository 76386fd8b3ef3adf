"""Charts of studies of video as PNG bytes (thesis figures 3.2, 3.6 and 3.7). Import it only where charts are drawn."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixelwise.families.clockwork.measure.frontier_page import OTHERS, STRONG
from pixelwise.reporting.plots import FAINT, INK, ORANGE, STYLE, encode_figure
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, Row

# Clips in a chart of differences, and frames of each, as in the thesis.
PANELS, FRAMES = 2, 75


def draw_chart(outcome: Outcome) -> bytes:
    """Draw the study over other columns if it sets `along`, otherwise over the frames of clips."""
    if outcome.study.along:
        return draw_along(outcome)
    return draw_strips(outcome) if outcome.study.kind == "schedule" else draw_differences(outcome)


def draw_along(outcome: Outcome) -> bytes:
    """Draw the chart's column over each of `along`: a line per schedule, and the thesis's points (figure 3.6)."""
    study = outcome.study
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2 * len(study.along), 4.8), layout="constrained")
        panels = figure.subplots(1, len(study.along), sharey=True, squeeze=False)[0]
        for axes, key in zip(panels, study.along, strict=True):
            draw_lines(axes, outcome, key)
            axes.set(xlabel=COLUMNS[key].title, ylabel=COLUMNS[study.chart].title)
            axes.grid()
        # The first panel has all lines.
        handles, labels = panels[0].get_legend_handles_labels()
        figure.suptitle(study.title)
        figure.legend(handles, labels, loc="outside lower center", ncols=8, frameon=False, fontsize=9)
        return encode_figure(figure)


def draw_lines(axes: Axes, outcome: Outcome, key: str) -> None:
    """Draw one panel: the chart's column over the column `key`."""
    lines: dict[str, list[Row]] = {}
    for row in outcome.rows:
        if {key, outcome.study.chart} <= set(row.means):
            lines.setdefault(str(row.variant.overrides["schedule"]).partition(":")[0], []).append(row)
    for number, (name, rows) in enumerate(lines.items()):
        ordered = sorted((row.means[key], row.means[outcome.study.chart]) for row in rows)
        colour = STRONG.get(name, OTHERS[number % len(OTHERS)])
        axes.plot(*zip(*ordered, strict=True), marker="o", markersize=5, color=colour, label=name)
    thesis = sorted(
        (row.thesis[key], row.thesis[outcome.study.chart])
        for row in outcome.rows
        if {key, outcome.study.chart} <= set(row.thesis)
    )
    if thesis:
        axes.plot(*zip(*thesis, strict=True), "x--", color=ORANGE, alpha=0.55, label="thesis")


def draw_strips(outcome: Outcome) -> bytes:
    """Draw a line per schedule over the longest clip, dark on frames on which the whole net ran (figure 3.7)."""
    rows = [(row, max(row.runs[0].frames, key=len)) for row in outcome.rows if row.runs and row.runs[0].frames]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.42 * len(rows) + 1.2), layout="constrained")
        axes = figure.add_subplot(title=outcome.study.title, xlabel="frame")
        for position, (row, frames) in enumerate(rows):
            full = [(number - 0.5, 1.0) for number, value in enumerate(frames) if value]
            axes.broken_barh([(-0.5, len(frames))], (position - 0.36, 0.72), color="#e2e5ec")
            axes.broken_barh(full, (position - 0.36, 0.72), color=INK)
            text = f"{row.format('full_frames')} %   {row.format(outcome.study.chart)}"
            axes.annotate(text, (len(frames), position), (4, 0), textcoords="offset points", va="center", fontsize=9)
        axes.set_yticks(range(len(rows)), [row.name for row, _ in rows])
        axes.set(ylim=(len(rows) - 0.4, -0.6), xmargin=0)
        axes.set_title(f"full frames and {COLUMNS[outcome.study.chart].title}", loc="right", fontsize=9, color=FAINT)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        return encode_figure(figure)


def draw_differences(outcome: Outcome) -> bytes:
    """Draw a line per layer over the first frames of the clips with the most and the least motion (figure 3.2)."""
    rows = [row for row in outcome.rows if row.runs and row.runs[0].frames]
    motion = [float(np.mean(clip)) for clip in rows[0].runs[0].frames]
    clips = list(dict.fromkeys([int(np.argmax(motion)), int(np.argmin(motion))]))[:PANELS]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2 * len(clips) + 1.5, 3.8), layout="constrained")
        panels = figure.subplots(1, len(clips), sharey=True, squeeze=False)[0]
        for axes, clip in zip(panels, clips, strict=True):
            for row, colour in zip(rows, mpl.color_sequences["tab10"], strict=False):
                values = 100 * np.array(row.runs[0].frames[clip][:FRAMES])
                axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=row.name)
            name = "clip" if len(clips) == 1 else "most motion" if clip == clips[0] else "least motion"
            axes.set(title=name, xlabel="frame", ylabel="% changed since the previous frame")
            axes.grid()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(rows), frameon=False, fontsize=9)
        figure.suptitle(outcome.study.title)
        return encode_figure(figure)
