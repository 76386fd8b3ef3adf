"""The page of a frontier: score against speed and against the share of full frames (thesis figure 3.6)."""

from collections.abc import Callable
from html import escape
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixelwise.families.clockwork.measure.frontier import Frontier, Point
from pixelwise.families.clockwork.runtime.schedules import SCHEDULES
from pixelwise.files import write_bytes, write_json, write_text
from pixelwise.reporting import html_page
from pixelwise.reporting.plots import BLUE, FAINT, INK, ORANGE, STYLE, encode_figure

# Strong colours for the reference and the two best schedules.
STRONG = {"oracle": INK, "carry": BLUE, "motion": ORANGE}
OTHERS = ("#2a9d8f", "#8ab17d", "#b56576", "#6d597a", "#e5989b", "#457b9d", "#9aa3b0", "#bc9c5c")


def write_frontier(out: Path, found: Frontier) -> None:
    """Write frontier.json, .png and .html under `out`."""
    write_json(out / "frontier.json", found.metrics())
    drawn = frontier_plot(found)
    write_bytes(out / "frontier.png", drawn)
    write_text(out / "frontier.html", frontier_page(found, drawn))


def frontier_page(found: Frontier, drawn: bytes) -> str:
    """Return the HTML page."""
    best = {point.schedule for point in found.best()}
    lead = f"{found.dataset}, split {found.split} · {found.frames} frames · {found.provider}"
    note = "Speed is paired with the frame oracle in one run, decoding left out. Bold: no other is faster and better."
    return html_page.render_page(
        "Score against speed",
        lead,
        [
            html_page.render_section("Frontier", html_page.render_image(drawn, "score against speed")),
            html_page.render_section("Schedules", table(found, best), note=note),
        ],
    )


def table(found: Frontier, best: set[str]) -> str:
    """Return an HTML table with one row per schedule."""
    head = ("schedule", "#mean IU %", "#lost", "#frames a second", "#speed", "#range", "#p95 ms", "#stages run")
    return html_page.render_table(head, [row(point, point.schedule in best) for point in found.points])


def row(point: Point, is_best: bool) -> list[str]:
    """Return the table cells of one schedule."""
    name = point.schedule.partition(":")[0]
    words = escape(point.schedule)
    return [
        (f"<b>{words}</b>" if is_best else words) + f'<div class="note">{escape(SCHEDULES[name].words)}</div>',
        f"{100 * point.mean_iu:.1f}",
        f"{100 * point.lost:.1f}",
        f"{point.frames_per_second:.1f}",
        f"{point.speed_up:.2f}×",
        f"{min(point.speed_ups):.2f}–{max(point.speed_ups):.2f}",
        f"{point.slowest:.1f}",
        " ".join(f"{share:.0%}" for share in point.stage_share),
    ]


def frontier_plot(found: Frontier) -> bytes:
    """Return a PNG: mean IU over speed, and over the share of frames on which all stages ran; one line per schedule."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.4, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        draw(left, found, lambda point: point.speed_up)
        draw(right, found, lambda point: 100 * min(point.stage_share))
        left.set(title="Mean IU over speed", xlabel="times the frame oracle's frames a second", ylabel="mean IU %")
        right.set(title="Mean IU over work", xlabel="% of frames on which every stage ran")
        figure.legend(
            *left.get_legend_handles_labels(), loc="outside lower center", ncols=11, frameon=False, fontsize=9
        )
        return encode_figure(figure)


def draw(axes: Axes, found: Frontier, place: Callable[[Point], float]) -> None:
    """Draw one panel; `place` gives a point's horizontal position."""
    lines: dict[str, list[Point]] = {}
    for point in found.points:
        lines.setdefault(point.schedule.partition(":")[0], []).append(point)
    for number, (name, points) in enumerate(lines.items()):
        ordered = sorted(points, key=place)
        axes.plot(
            [place(point) for point in ordered],
            [100 * point.mean_iu for point in ordered],
            marker="o",
            markersize=5,
            linewidth=2.2 if name in STRONG else 1.0,
            color=STRONG.get(name, OTHERS[number % len(OTHERS)]),
            label=name,
            zorder=3 if name in STRONG else 2,
        )
    axes.axhline(100 * found.points[0].mean_iu, color=FAINT, linewidth=0.8, linestyle=":")
    axes.grid()
