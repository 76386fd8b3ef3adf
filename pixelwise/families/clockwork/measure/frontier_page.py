"""The page of a frontier: score against speed and against the share of full frames (thesis figure 3.6)."""

from collections.abc import Callable
from html import escape
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixelwise.families.clockwork.measure.frontier import Frontier, Point
from pixelwise.families.clockwork.runtime.schedules import INT8, SCHEDULES
from pixelwise.files import write_bytes, write_json, write_text
from pixelwise.metrics.measurement import MEASUREMENTS, write_measurements
from pixelwise.reporting import html_page
from pixelwise.reporting.plots import BLUE, FAINT, INK, ORANGE, STYLE, encode_figure

# Strong colours for the reference and the two best schedules.
STRONG = {"oracle": INK, "carry": BLUE, "motion": ORANGE}
OTHERS = ("#2a9d8f", "#8ab17d", "#b56576", "#6d597a", "#e5989b", "#457b9d", "#9aa3b0", "#bc9c5c")


def write_frontier(out: Path, frontier: Frontier) -> None:
    """Write metrics.json, measurements.npz, frontier.png and frontier.html under `out`."""
    write_json(out / "metrics.json", frontier.metrics())
    write_measurements(out / MEASUREMENTS, frontier.measurements)
    plot = draw_frontier(frontier)
    write_bytes(out / "frontier.png", plot)
    write_text(out / "frontier.html", render_frontier(frontier, plot))


def render_frontier(frontier: Frontier, plot: bytes) -> str:
    """Render the HTML page."""
    best = {point.schedule for point in frontier.select_best()}
    lead = f"{frontier.dataset}, split {frontier.split} · {frontier.frames} frames · {frontier.provider}"
    note = "Speeds are paired with the frame oracle in one run, without decoding. Bold: no other is faster and better."
    return html_page.render_page(
        "Score against speed",
        lead,
        [
            html_page.render_section("Frontier", html_page.render_image(plot, "score against speed")),
            html_page.render_section("Schedules", render_schedules(frontier, best), note=note),
        ],
    )


def render_schedules(frontier: Frontier, best: set[str]) -> str:
    """Render an HTML table with one row per schedule."""
    head = ("schedule", "#mean IU %", "#lost", "#frames per second", "#speed", "#range", "#p95 ms", "#stages run")
    return html_page.render_table(head, [render_cells(point, point.schedule in best) for point in frontier.points])


def render_cells(point: Point, is_best: bool) -> list[str]:
    """Render the table cells of one schedule."""
    name = point.schedule.partition(":")[0]
    schedule = escape(point.schedule)
    return [
        (f"<b>{schedule}</b>" if is_best else schedule) + f'<div class="note">{escape(SCHEDULES[name].words)}</div>',
        f"{100 * point.mean_iu:.1f}",
        f"{100 * point.lost:.1f}",
        f"{point.frames_per_second:.1f}",
        f"{point.speed_up:.2f}×",
        f"{min(point.speed_ups):.2f}–{max(point.speed_ups):.2f}",
        f"{point.slowest:.1f}",
        " ".join(f"{share:.0%}" for share in point.stage_share),
    ]


def draw_frontier(frontier: Frontier) -> bytes:
    """Draw a PNG: mean IU over speed, and over the share of frames on which all stages ran; one line per schedule."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.4, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        draw_panel(left, frontier, lambda point: point.speed_up)
        draw_panel(right, frontier, lambda point: 100 * min(point.stage_share))
        left.set(title="Mean IU over speed", xlabel="speed relative to the frame oracle", ylabel="mean IU %")
        right.set(title="Mean IU over work", xlabel="% of frames on which every stage ran")
        figure.legend(
            *left.get_legend_handles_labels(), loc="outside lower center", ncols=11, frameon=False, fontsize=9
        )
        return encode_figure(figure)


def draw_panel(axes: Axes, frontier: Frontier, locate: Callable[[Point], float]) -> None:
    """Draw one panel; `locate` gives a point's horizontal position."""
    lines: dict[str, list[Point]] = {}
    for point in frontier.points:
        lines.setdefault(point.schedule.partition(":")[0], []).append(point)
    for number, (name, points) in enumerate(lines.items()):
        ordered = sorted(points, key=locate)
        # In int8 a schedule has the colour that it has in float32.
        plain = name.removeprefix(INT8)
        axes.plot(
            [locate(point) for point in ordered],
            [100 * point.mean_iu for point in ordered],
            marker="o",
            markersize=5,
            linewidth=2.2 if plain in STRONG else 1.0,
            linestyle="-" if plain == name else "--",
            color=STRONG.get(plain, OTHERS[number % len(OTHERS)]),
            label=name,
            zorder=3 if plain in STRONG else 2,
        )
    axes.axhline(100 * frontier.points[0].mean_iu, color=FAINT, linewidth=0.8, linestyle=":")
    axes.grid()
