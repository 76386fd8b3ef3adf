"""Plots of an evaluation and its training, as PNG bytes. Import it only where plots are made: it loads Matplotlib."""

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixelwise.reporting.label_images import Palette

INK, FAINT, BLUE, ORANGE = "#20242c", "#6e7480", "#2f6fde", "#d9822b"
# White box behind text that a line may cross.
PATCH = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
STYLE = {
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": "#c3c8d1",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e8eaef",
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "lines.linewidth": 1.8,
}
# With more classes, the numbers in the cells are too small to read.
MOST_NUMBERED = 25
LARGEST_SIDE = 13  # inches


def encode_figure(figure: Figure) -> bytes:
    """Encode the figure as PNG, without Matplotlib's version in its metadata, so that equal plots give equal bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    return file.getvalue()


def plot_confusion(counts: np.ndarray, names: Sequence[str]) -> bytes:
    """Plot the (K, K) counts as percentages of each true class, as PNG; rows = truth."""
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(4.5, 0.44 * len(names) + 1.6), LARGEST_SIDE)
    letters = min(11, 230 / len(names))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.add_subplot(title="Share of each true class predicted as … (%)")
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=letters)
        axes.set_yticks(range(len(names)), names, fontsize=letters)
        axes.set(xlabel="prediction", ylabel="truth")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(names) <= MOST_NUMBERED:
            write_cells(axes, share)
        return encode_figure(figure)


def write_cells(axes: Axes, share: np.ndarray) -> None:
    """Write each share of at least half a percent into its cell."""
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.5:
            colour = "white" if value > 55 else INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=9, color=colour)


def plot_per_class(per_class: Sequence[float], mean_iu: float, names: Sequence[str], palette: Palette) -> bytes:
    """Plot one bar per class, its IU in %, in the class's colour, as PNG; nan = absent."""
    values = [0 if math.isnan(value) else 100 * value for value in per_class]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, max(2.2, 0.34 * len(names) + 1)), layout="constrained")
        axes = figure.add_subplot(title="Intersection over union of each class (%)")
        colours = [tuple(part / 255 for part in colour) for colour in palette]
        axes.barh(range(len(names)), values, color=colours, edgecolor=FAINT, linewidth=0.6, height=0.68)
        for row, (value, iu) in enumerate(zip(values, per_class, strict=True)):
            text = "absent" if math.isnan(iu) else f"{value:.1f}"
            axes.text(value + 1, row, text, va="center", fontsize=10, bbox=PATCH)
        axes.axvline(100 * mean_iu, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(100 * mean_iu, -0.75, f"mean {100 * mean_iu:.1f}", ha="center", va="bottom", fontsize=9, bbox=PATCH)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, 106), ylim=(len(names) - 0.4, -1.2))
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="x")
        return encode_figure(figure)


def plot_reliability(reliability: np.ndarray) -> bytes:
    """Plot the share of right pixels in each bin of confidence, and the share of the pixels in it, as PNG.

    reliability: (B, 3) pixels, sum of confidence and right pixels of B bins of equal width. Empty bins have no bar.
    """
    pixels, _, right = reliability.T
    width = 100 / len(reliability)
    centres = (np.arange(len(reliability)) + 0.5) * width
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.3, 3.1), layout="constrained")
        accuracy, share = figure.subplots(1, 2, sharex=True)
        accuracy.bar(centres, 100 * right / np.maximum(pixels, 1), 0.92 * width, color=BLUE)
        accuracy.plot((0, 100), (0, 100), color=INK, linewidth=1, linestyle=(0, (4, 3)))
        accuracy.set(title="Right pixels (%); dashed: calibrated", ylim=(0, 102))
        share.bar(centres, 100 * pixels / max(pixels.sum(), 1), 0.92 * width, color=FAINT)
        share.set(title="Share of the pixels (%)", xlim=(0, 100))
        for axes in (accuracy, share):
            axes.set_xlabel("confidence (%)")
            axes.grid(axis="y")
        return encode_figure(figure)


def plot_clicks(curves: Mapping[str, Sequence[float]]) -> bytes:
    """Plot the mean IoU after each click, a line a method, as PNG. curves: the IoU after 1, 2, … clicks by method."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot(title="IoU after each click (%)", xlabel="clicks", ylim=(0, 100))
        for (name, values), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
            places = range(1, len(values) + 1)
            axes.plot(places, [100 * value for value in values], label=name, color=colour, marker=".")
        axes.grid(visible=True)
        axes.legend(frameon=False, fontsize=9)
        return encode_figure(figure)


def plot_curves(history: Sequence[Mapping[str, float]]) -> bytes:
    """Plot losses, validation scores and learning rate over epochs, one panel each, as PNG.

    history: one mapping per epoch, {"epoch", "train/loss", "val/mean_iu", "learning_rate", …}.
    """
    panels = choose_panels(history)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.1 * len(panels), 3.1), layout="constrained")
        for number, (title, names) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(1, len(panels), number, title=title, xlabel="epoch")
            for name, colour in zip(names, mpl.color_sequences["tab10"], strict=False):
                points = [(row["epoch"], row[name]) for row in history if row.get(name) is not None]
                axes.plot(
                    *zip(*points, strict=True), label=name, color=colour, marker="." if len(points) < 30 else None
                )
            axes.grid(visible=True)
            if len(names) > 1:
                axes.legend(frameon=False, fontsize=9)
        return encode_figure(figure)


def choose_panels(history: Sequence[Mapping[str, float]]) -> dict[str, list[str]]:
    """Panel title -> the keys of `history` drawn in it; panels without keys are left out."""
    keys = list(dict.fromkeys(key for row in history for key in row if row[key] is not None))
    panels = {
        "Loss": [key for key in keys if key.endswith("loss")],
        "Validation scores": [key for key in keys if key.startswith("val/") and not key.endswith("loss")],
        "Learning rate": [key for key in keys if key.startswith("learning_rate")],
    }
    return {title: names for title, names in panels.items() if names}
