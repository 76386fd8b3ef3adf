"""The page of a validation: the verdict, every check, and what the data is like."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from pixelwise.reporting.page import bar, cards, page, patch, picture, section, table
from pixelwise.validation.data_summary import Described
from pixelwise.validation.drift import shares
from pixelwise.validation.judge import EXAMPLES
from pixelwise.validation.tables import Tables
from pixelwise.validation.thumbnails import failing_items
from pixelwise.validation.verdict import NAMED_ITEMS, Finding, Verdict

RED, AMBER, GREEN, BLUE = "#c62f3b", "#b7791f", "#2b8a4b", "#2f6fde"
BINS = 24
SPLIT_NUMBERS = {"void_share": "{:.1%}", "psi": "{:.2f}"}
DRIFT_NOTE = "Against the last accepted data. To accept this data, copy statistics.json over the --accepted file."


def render(verdict: Verdict, data: Described, tables: Tables, pictures: Mapping[str, bytes]) -> str:
    """The HTML page; it needs no network. `pictures`: JPEGs of failed items by id."""
    parts = [
        banner(verdict),
        overview(verdict, data),
        section("Checks", check_table(ordered(verdict.findings))),
        *failing_section(verdict, pictures),
        section("Splits", split_table(data, tables["splits"])),
        section("Class balance", class_table(data, tables["classes"]), note="Share of each split's labelled pixels."),
        section(
            "Void", void_histogram(data.manifest["void_share"]), note="Images by the share of their label that is void."
        ),
        section("Drift", drift_table(tables), note=DRIFT_NOTE),
        *quarantine_section(data),
    ]
    lead = f"{data.name}, manifest {data.manifest_sha256[:12]}"
    return page("Is the data fit to train on?", lead, parts)


def banner(verdict: Verdict) -> str:
    """The outcome in a sentence, in its colour."""
    warnings = f" {counted(len(verdict.warnings), 'warning')} to look at." if verdict.warnings else ""
    if verdict.passed:
        colour, words = GREEN, f"Passed: the data may be trained on.{warnings}"
    else:
        failed = counted(len(verdict.errors), "check")
        colour, words = RED, f"Failed: {failed} failed, so the pipeline stops here.{warnings}"
    style = f"background:{colour};color:#fff;border-radius:12px;padding:14px 22px;margin-bottom:18px;font-weight:600"
    return f'<div role="status" style="{style}">{escape(words)}</div>'


def counted(number: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def overview(verdict: Verdict, data: Described) -> str:
    """The counts at a glance."""
    passed = sum(finding.passed for finding in verdict.findings)
    return cards(
        {
            "checks passed": f"{passed} of {len(verdict.findings)}",
            "images": f"{len(data.manifest):,}",
            "classes": str(len(data.classes)),
            "files in quarantine": f"{len(data.quarantine):,}",
        }
    )


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """What failed first, errors before warnings."""
    return sorted(findings, key=lambda finding: 2 if finding.passed else finding.severity == "warning")


def check_table(findings: Sequence[Finding]) -> str:
    """One line a check."""
    rows = [
        [mark(finding), escape(finding.name), escape(finding.found) + names(finding.items), escape(finding.expected)]
        for finding in findings
    ]
    return table(["", "check", "found", "expected"], rows)


def mark(finding: Finding) -> str:
    """The outcome of a check as a coloured word; a check that only warns says so."""
    words = {"error": ("failed", RED), "warning": ("warning", AMBER)}
    word, colour = ("passed", GREEN) if finding.passed else words[finding.severity]
    style = f"color:{colour};border:1px solid {colour};border-radius:999px;padding:0 9px;font-size:13px"
    return f'<span style="{style}">{word}</span>'


def names(items: Sequence[str]) -> str:
    """The ids of failed rows, folded away, where there are more than were already named."""
    if len(items) <= EXAMPLES:
        return ""
    more = f" and {len(items) - NAMED_ITEMS} more" if len(items) > NAMED_ITEMS else ""
    return f"<details><summary>names</summary>{escape(', '.join(items[:NAMED_ITEMS]) + more)}</details>"


def failing_section(verdict: Verdict, pictures: Mapping[str, bytes]) -> list[str]:
    """Pictures of failed items with the checks they failed, where there are any."""
    failed = failing_items(ordered(verdict.findings))
    tiles = [
        f'<figure style="margin:0">{picture(content, item, "jpeg")}<figcaption class="note">'
        f"<b>{escape(item)}</b><br>{escape('; '.join(failed[item]))}</figcaption></figure>"
        for item, content in pictures.items()
    ]
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:18px"
    return [section("Images that failed", f'<div style="{grid}">{"".join(tiles)}</div>')] if tiles else []


def split_table(data: Described, splits: pd.DataFrame) -> str:
    """One line a split: images, clips, sizes, void, distance of its class balance from train's."""
    rows = []
    for row in splits.to_dict("records"):
        items = data.manifest[data.manifest["split"] == row["id"]]
        values = [f"{row['images']:,}", f"{items['clip'][items['clip'] != ''].nunique():,}", size_range(items)]
        numbers = ["" if pd.isna(row[key]) else form.format(row[key]) for key, form in SPLIT_NUMBERS.items()]
        rows.append([escape(row["id"]), *values, *numbers])
    return table(["split", "#images", "#clips", "#pixels", "#void", "#class balance (PSI)"], rows)


def size_range(items: pd.DataFrame) -> str:
    """The smallest and the largest image, as width × height."""
    if items.empty:
        return ""
    by_area = items.iloc[(items["width"] * items["height"]).argsort()]
    ends = [f"{row['width']}×{row['height']}" for _, row in by_area.iloc[[0, -1]].iterrows()]
    return " to ".join(dict.fromkeys(ends))


def class_table(data: Described, classes: pd.DataFrame) -> str:
    """One line a class: training images that show it, and a bar a split."""
    by_split = {name: shares(data.pixels(name).sum(axis=0)) for name in data.splits}
    largest = max((float(split.max()) for split in by_split.values()), default=0) or 1
    head = ["class", "#training images"] + [column for name in by_split for column in (name, "#")]
    rows = []
    for index, (name, colour) in enumerate(zip(data.classes.names, data.classes.palette, strict=True)):
        bars = [cell for split in by_split.values() for cell in (bar(split[index] / largest), f"{split[index]:.2%}")]
        rows.append([patch(name, colour), f"{classes['train_images'][index]:,}", *bars])
    return table(head, rows)


def void_histogram(void_share: pd.Series) -> str:
    """An SVG of how many images have which void share, from 0 to the largest."""
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


def drift_table(tables: Tables) -> str:
    """How far each statistic moved, where there was something to compare with."""
    if "image_drift" not in tables:
        return "<p>No data of this name was accepted yet, so there is nothing to compare with.</p>"
    shifts, psi = tables["image_drift"], tables["class_drift"]
    rows = [[escape(name), f"{value:.2f}"] for name, value in zip(shifts["id"], shifts["shift"], strict=True)]
    rows += [[escape(name), f"{value:.2f}"] for name, value in zip(psi["id"], psi["psi"], strict=True)]
    return table(["statistic", "#moved (standard deviations; class shares: PSI)"], rows)


def quarantine_section(data: Described) -> list[str]:
    """The files that ingest refused, where there are any."""
    columns = ["file", "split", "reason"]
    rows = [[escape(str(row[name])) for name in columns] for row in data.quarantine.to_dict("records")]
    return [section("Quarantine", table(columns, rows))] if rows else []
