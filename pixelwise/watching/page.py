"""The page of `pixelwise watch`: what drifted, every statistic, the classes, the course of requests, the challenger."""

from collections.abc import Sequence
from html import escape

import numpy as np

from pixelwise.reporting.html_page import render_bar, render_page, render_section, render_table
from pixelwise.watching.disagreement import Disagreement
from pixelwise.watching.drift import SHARES, Judged
from pixelwise.watching.reference import Reference
from pixelwise.watching.rows import Seen
from pixelwise.watching.watched import Watched, describe

RED, GREEN, BLUE, GREY = "#c62f3b", "#2b8a4b", "#2f6fde", "#6e7480"
WIDTH, HEIGHT = 720, 90
LIMIT_NOTE = (
    "A statistic has drifted where it moved beyond its limit: that of validate, or the larger one below which chance "
    "may explain it. Moved is in standard deviations of pictures; for class shares it is their population stability "
    "index; for one class it is the part of its share that is lost. “–”: the scenes are too few to exclude chance."
)


def render_watch_page(watched: Watched, reference: Reference, seen: Sequence[Seen]) -> str:
    """Render the HTML page; it needs no network. seen: every request in the files, of which the newest were judged."""
    sections = [
        render_banner(watched),
        render_section("Statistics", render_judged_table(watched.judged), note=LIMIT_NOTE),
        *(
            [render_section("Classes", render_share_table(reference, seen[-watched.requests :]))]
            * bool(reference.classes)
        ),
        render_section(
            "Brightness of the requests", render_course([float(np.mean(row.mean)) for row in seen], watched)
        ),
        *([render_disagreement(watched.disagreement)] if watched.disagreement else []),
    ]
    requests = f"{watched.requests} requests, {watched.first} to {watched.last}"
    accepted = f"{watched.accepted} accepted pictures of {watched.scenes} scenes"
    return render_page("Has production drifted?", f"{watched.model} · {requests} · against {accepted}", sections)


def render_banner(watched: Watched) -> str:
    """Render the outcome on a green or red background."""
    words = "; ".join(describe(one) for one in watched.drifted[:3])
    colour, text = (RED, f"Drift: {words}") if words else (GREEN, "No drift from the accepted data.")
    style = f"background:{colour};color:#fff;border-radius:12px;padding:14px 22px;margin-bottom:18px;font-weight:600"
    return f'<div role="status" style="{style}">{escape(text)}</div>'


def render_judged_table(judged: Sequence[Judged]) -> str:
    """Render one line per statistic."""
    rows = []
    for one in judged:
        colour, word = (RED, "drifted") if one.has_drifted else (GREEN, "as accepted")
        means = ["", ""] if one.name == SHARES else [f"{one.accepted:.4g}", f"{one.live:.4g}"]
        limit = f"{one.limit:.2f}" if np.isfinite(one.limit) else "–"
        rows.append(
            [f'<span style="color:{colour}">{word}</span>', escape(one.name), *means, f"{one.moved:.2f}", limit]
        )
    return render_table(["", "statistic", "#accepted", "#live", "#moved", "#limit"], rows)


def render_share_table(reference: Reference, newest: Sequence[Seen]) -> str:
    """Render the share of each class, accepted and live, as bars."""
    accepted, live = (np.mean([row.shares for row in rows], axis=0) for rows in (reference.rows, newest))
    largest = max(float(accepted.max()), float(live.max()))
    rows = [
        [
            escape(name),
            render_bar(accepted[k] / largest),
            f"{accepted[k]:.2%}",
            render_bar(live[k] / largest),
            f"{live[k]:.2%}",
        ]
        for k, name in enumerate(reference.classes)
    ]
    return render_table(["class", "accepted", "#", "live", "#"], rows)


def render_course(values: Sequence[float], watched: Watched) -> str:
    """Render the mean grey level of every request, the oldest first; those that were judged are coloured."""
    step, judged_from = WIDTH / max(1, len(values)), len(values) - watched.requests
    bars = "".join(
        f'<rect x="{place * step:.1f}" y="{HEIGHT * (1 - value / 255):.1f}" width="{max(step, 0.4):.2f}" '
        f'height="{HEIGHT * value / 255:.1f}" fill="{BLUE if place >= judged_from else GREY}"/>'
        for place, value in enumerate(values)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width:100%" role="img" '
        f'aria-label="brightness of {len(values)} requests">{bars}</svg>'
        f'<p class="note">Mean grey level, 0 to 255. Blue: the {watched.requests} newest, which were judged.</p>'
    )


def render_disagreement(found: Disagreement) -> str:
    """Render how far the challenger differs, by class."""
    rows = [[escape(name), render_bar(share), f"{share:.2%}"] for name, share in found.by_class.items()]
    note = (
        f"The challenger {found.rival[:12]} labels {found.share:.2%} of the pixels of {found.pictures} pictures "
        "differently. By class: of the pixels that either model labels so, those that only one does."
    )
    return render_section("Challenger", render_table(["class", "disagreement", "#"], rows), note=note)
