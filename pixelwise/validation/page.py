"""The validation page: the verdict, every check, and statistics of the data."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from pixelwise.reporting.html_page import (
    render_bar,
    render_cards,
    render_image,
    render_page,
    render_patch,
    render_section,
    render_table,
)
from pixelwise.validation.data_summary import DataSummary
from pixelwise.validation.drift import compute_shares
from pixelwise.validation.expectations import EXAMPLES
from pixelwise.validation.tables import Tables
from pixelwise.validation.thumbnails import choose_failing_items
from pixelwise.validation.verdict import NAMED_ITEMS, Finding, Verdict

RED, AMBER, GREEN, BLUE = "#c62f3b", "#b7791f", "#2b8a4b", "#2f6fde"
BINS = 24
SPLIT_NUMBERS = {"void_share": "{:.1%}", "psi": "{:.2f}"}
DRIFT_NOTE = "Against the last accepted data. To accept this data, copy statistics.json over the --accepted file."


def render_validation_page(verdict: Verdict, data: DataSummary, tables: Tables, pictures: Mapping[str, bytes]) -> str:
    """Render the HTML page; it needs no network. pictures: JPEGs of failed items by id."""
    sections = [
        render_banner(verdict),
        render_overview(verdict, data),
        render_section("Checks", render_check_table(order_findings(verdict.findings))),
        *render_failing_section(verdict, pictures),
        render_section("Splits", render_split_table(data, tables["splits"])),
        render_section(
            "Class balance", render_class_table(data, tables["classes"]), note="Share of each split's labelled pixels."
        ),
        render_section(
            "Void",
            render_void_histogram(data.manifest["void_share"]),
            note="Images by the share of their label that is void.",
        ),
        render_section("Drift", render_drift_table(tables), note=DRIFT_NOTE),
        *render_quarantine_section(data),
    ]
    lead = f"{data.name}, manifest {data.manifest_sha256[:12]}"
    return render_page("Is the data fit to train on?", lead, sections)


def render_banner(verdict: Verdict) -> str:
    """Render the outcome as one sentence on a green or red background."""
    warnings = f" {pluralise(len(verdict.warnings), 'warning')} to look at." if verdict.warnings else ""
    if verdict.passed:
        colour, words = GREEN, f"Passed: the data may be trained on.{warnings}"
    else:
        failed = pluralise(len(verdict.errors), "check")
        colour, words = RED, f"Failed: {failed} failed, so the pipeline stops here.{warnings}"
    style = f"background:{colour};color:#fff;border-radius:12px;padding:14px 22px;margin-bottom:18px;font-weight:600"
    return f'<div role="status" style="{style}">{escape(words)}</div>'


def pluralise(number: int, noun: str) -> str:
    """Format a number and its noun: `1 check`, `2 checks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def render_overview(verdict: Verdict, data: DataSummary) -> str:
    """Render cards of the main counts."""
    passed = sum(finding.passed for finding in verdict.findings)
    return render_cards(
        {
            "checks passed": f"{passed} of {len(verdict.findings)}",
            "images": f"{len(data.manifest):,}",
            "classes": str(len(data.classes)),
            "files in quarantine": f"{len(data.quarantine):,}",
        }
    )


def order_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: failed errors, then failed warnings, then passed checks."""
    return sorted(findings, key=lambda finding: 2 if finding.passed else finding.severity == "warning")


def render_check_table(findings: Sequence[Finding]) -> str:
    """Render a table with one line per check."""
    rows = [
        [
            render_outcome(finding),
            escape(finding.name),
            escape(finding.found) + render_names(finding.items),
            escape(finding.expected),
        ]
        for finding in findings
    ]
    return render_table(["", "check", "found", "expected"], rows)


def render_outcome(finding: Finding) -> str:
    """Render the outcome of a check as a coloured word: passed, failed or warning."""
    words = {"error": ("failed", RED), "warning": ("warning", AMBER)}
    word, colour = ("passed", GREEN) if finding.passed else words[finding.severity]
    style = f"color:{colour};border:1px solid {colour};border-radius:999px;padding:0 9px;font-size:13px"
    return f'<span style="{style}">{word}</span>'


def render_names(items: Sequence[str]) -> str:
    """Render the ids of failed rows in a closed <details>; "" if the finding already names all of them."""
    if len(items) <= EXAMPLES:
        return ""
    more = f" and {len(items) - NAMED_ITEMS} more" if len(items) > NAMED_ITEMS else ""
    return f"<details><summary>names</summary>{escape(', '.join(items[:NAMED_ITEMS]) + more)}</details>"


def render_failing_section(verdict: Verdict, pictures: Mapping[str, bytes]) -> list[str]:
    """Render pictures of failed items with the names of the failed checks; an empty list if there are none."""
    failed = choose_failing_items(order_findings(verdict.findings))
    tiles = [
        f'<figure style="margin:0">{render_image(content, item, "jpeg")}<figcaption class="note">'
        f"<b>{escape(item)}</b><br>{escape('; '.join(failed[item]))}</figcaption></figure>"
        for item, content in pictures.items()
    ]
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:18px"
    return [render_section("Images that failed", f'<div style="{grid}">{"".join(tiles)}</div>')] if tiles else []


def render_split_table(data: DataSummary, splits: pd.DataFrame) -> str:
    """Render one line per split: images, clips, sizes, void share, PSI of its class balance against train's."""
    rows = []
    for row in splits.to_dict("records"):
        items = data.manifest[data.manifest["split"] == row["id"]]
        values = [f"{row['images']:,}", f"{items['clip'][items['clip'] != ''].nunique():,}", format_size_range(items)]
        numbers = ["" if pd.isna(row[key]) else form.format(row[key]) for key, form in SPLIT_NUMBERS.items()]
        rows.append([escape(row["id"]), *values, *numbers])
    return render_table(["split", "#images", "#clips", "#pixels", "#void", "#class balance (PSI)"], rows)


def format_size_range(items: pd.DataFrame) -> str:
    """Format the sizes of the smallest and the largest image, as `480×360 to 960×720`."""
    if items.empty:
        return ""
    by_area = items.iloc[(items["width"] * items["height"]).argsort()]
    ends = [f"{row['width']}×{row['height']}" for _, row in by_area.iloc[[0, -1]].iterrows()]
    return " to ".join(dict.fromkeys(ends))


def render_class_table(data: DataSummary, classes: pd.DataFrame) -> str:
    """Render one line per class: training images that show it, and its pixel share in each split as a bar."""
    by_split = {name: compute_shares(data.pixels(name).sum(axis=0)) for name in data.splits}
    largest = max((float(split.max()) for split in by_split.values()), default=0) or 1
    head = ["class", "#training images"] + [column for name in by_split for column in (name, "#")]
    rows = []
    for index, (name, colour) in enumerate(zip(data.classes.names, data.classes.palette, strict=True)):
        bars = [
            cell for split in by_split.values() for cell in (render_bar(split[index] / largest), f"{split[index]:.2%}")
        ]
        rows.append([render_patch(name, colour), f"{classes['train_images'][index]:,}", *bars])
    return render_table(head, rows)


def render_void_histogram(void_share: pd.Series) -> str:
    """Render an SVG histogram of the images' void shares, from 0 to the largest."""
    largest = max(0.01, float(void_share.max()))
    counts, _ = np.histogram(void_share.dropna(), bins=BINS, range=(0, largest))
    width, height, step = 720, 110, 720 / BINS
    bars = [
        f'<rect x="{i * step + 1:.1f}" y="{height - h:.1f}" width="{step - 2:.1f}" height="{h:.1f}" rx="2">'
        f"<title>{count} images</title></rect>"
        for i, count in enumerate(counts)
        if (h := height * count / max(1, counts.max()))
    ]
    style = "max-width:100%;font:12px system-ui,sans-serif"
    return (
        f'<svg viewBox="0 0 {width} {height + 22}" width="{width}" style="{style}" role="img" aria-label="void shares">'
        f'<g fill="{BLUE}">{"".join(bars)}</g><line x1="0" x2="{width}" y1="{height}" y2="{height}" stroke="#c3c8d1"/>'
        f'<g fill="#6e7480"><text x="0" y="{height + 16}">0 %</text>'
        f'<text x="{width}" y="{height + 16}" text-anchor="end">{largest:.1%}</text></g></svg>'
    )


def render_drift_table(tables: Tables) -> str:
    """Render the shift of each statistic; a sentence if no data was accepted yet."""
    if "image_drift" not in tables:
        return "<p>No data of this name was accepted yet, so there is nothing to compare with.</p>"
    shifts, psi = tables["image_drift"], tables["class_drift"]
    rows = [[escape(name), f"{value:.2f}"] for name, value in zip(shifts["id"], shifts["shift"], strict=True)]
    rows += [[escape(name), f"{value:.2f}"] for name, value in zip(psi["id"], psi["psi"], strict=True)]
    return render_table(["statistic", "#moved (standard deviations; class shares: PSI)"], rows)


def render_quarantine_section(data: DataSummary) -> list[str]:
    """Render the files that ingest rejected; an empty list if there are none."""
    columns = ["file", "split", "reason"]
    rows = [[escape(str(row[name])) for name in columns] for row in data.quarantine.to_dict("records")]
    return [render_section("Quarantine", render_table(columns, rows))] if rows else []
