"""The HTML page of a study: our figures beside the thesis's, the verdicts, a chart and pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import Classes
from pixelwise.files import write_bytes, write_text
from pixelwise.params import flatten
from pixelwise.reporting import html_page
from pixelwise.reporting.comparison_sheet import SheetRow, draw_sheet
from pixelwise.reporting.label_images import VOID_COLOUR, Picture, colourise
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, Row
from pixelwise.studies.study import Variant

# How figures came about that no seeds vary, by the kind of study.
UNSEEDED = {
    "oracle": "Computed from the labels alone, without randomness.",
    "recovery": "Computed from one picture, without randomness.",
    "dense": "One picture, one net of random weights, and the median of three runs that took turns.",
    "velocity": "One net. The share of cells whose label changes, averaged over adjacent frames, then over shots.",
    "schedule": (
        "One net measures every schedule in turns in one process. Times exclude picture decoding; on clips they are "
        "medians of three rounds. Near boundaries means within 5 pixels of the outline of all foreground, or of a "
        "border between two classes where the data has no background."
    ),
}
# The pictures are kept in git: this quality makes a sheet about 100 kB, and class colours stay apart.
QUALITY = 75


def sheet_file(out: Path, name: str) -> Path:
    """The file that holds the pictures of a study, which its JSON file cannot hold."""
    return out / f"{name}-pictures.webp"


def write_sheet(out: Path, name: str, sheet: Image.Image) -> None:
    """Write the pictures of a study under `out` as WebP."""
    write_bytes(sheet_file(out, name), encode_picture(sheet.convert("RGB"), "WEBP", quality=QUALITY, method=6))


def draw_study(out: Path, outcome: Outcome) -> None:
    """Write the chart NAME.png and the page NAME.html of a study under `out`, with the pictures that lie there."""
    from pixelwise.studies.plots import draw_chart

    name, chart = outcome.study.name, draw_chart(outcome)
    sheet = sheet_file(out, name)
    write_bytes(out / f"{name}.png", chart)
    write_text(out / f"{name}.html", render_study(outcome, chart, sheet.read_bytes() if sheet.exists() else None))


def render_study(outcome: Outcome, chart: bytes, sheet: bytes | None) -> str:
    """The HTML page. chart: a PNG; sheet: the pictures as WebP, if there are any."""
    study, measured = outcome.study, outcome.measured
    lead = f"{study.thesis} · {measured.dataset}, split {measured.split} · {outcome.verdict}"
    if measured.is_quick:
        lead += " · quick run, without meaningful figures"
    parts = [html_page.render_section("Claim", f"<p>{escape(study.claim)}</p>")]
    parts.append(html_page.render_section("Figures", tabulate_figures(outcome), note=describe_seeds(outcome)))
    if outcome.trend:
        parts.append(html_page.render_section("Expected", tabulate_trend(outcome)))
    if measured.dataset in study.remarks:
        parts.append(html_page.render_section("Remarks", f"<p>{escape(study.remarks[measured.dataset])}</p>"))
    parts.append(html_page.render_section("Chart", html_page.render_image(chart, "chart")))
    if sheet:
        parts.append(html_page.render_section("Pictures", html_page.render_image(sheet, "pictures", "webp")))
    if not study.is_computed:
        parts.append(html_page.render_section("Trainings" if study.is_trained else "Net", tabulate_runs(outcome)))
    parts.append(html_page.render_section("Made by", html_page.render_facts(describe_origin(outcome))))
    return html_page.render_page(study.title, lead, parts)


def tabulate_figures(outcome: Outcome) -> str:
    """A row per variant. Each column holds our figure, then the thesis's figure where the thesis has the column."""
    keys = outcome.study.columns
    with_thesis = [key for key in keys if any(key in row.thesis for row in outcome.rows)]
    head = ["variant"]
    for key in keys:
        head += [f"#{COLUMNS[key].title}", *(["#thesis"] if key in with_thesis else [])]
    return html_page.render_table(head, [tabulate_variant(row, keys, with_thesis) for row in outcome.rows])


def tabulate_variant(row: Row, keys: Sequence[str], with_thesis: Sequence[str]) -> list[str]:
    """The cells of one variant."""
    remarks = [row.variant.note, describe_settings(row.variant), *(run.remark for run in row.runs)]
    remarks += [] if row.runs else ["not run"]
    cells = [escape(row.name) + "".join(render_note(text) for text in dict.fromkeys(remarks))]
    for key in keys:
        cells.append(row.format(key))
        if key in with_thesis:
            cells.append(COLUMNS[key].format(row.thesis.get(key)))
    return cells


def describe_settings(variant: Variant) -> str:
    """The parameters that a variant changes in training, then those that it changes in scoring."""
    trained = ", ".join(f"{key}: {value}" for key, value in flatten(variant.overrides).items())
    scored = ", ".join(f"{key}: {value}" for key, value in flatten(variant.evaluate).items())
    return "; ".join(filter(None, [trained, f"scored with {scored}" if scored else ""]))


def describe_seeds(outcome: Outcome) -> str:
    """How many runs the figures average."""
    if words := UNSEEDED.get(outcome.study.kind):
        return words
    seeds = sorted({run.seed for row in outcome.rows for run in row.runs})
    if len(seeds) > 1:
        return f"Mean ± standard deviation over n = {len(seeds)} seeds: {', '.join(map(str, seeds))}."
    spread = " The spread over seeds is unknown." if outcome.study.kind == "train" else ""
    return f"One run each (n = 1, seed {', '.join(map(str, seeds))}).{spread}"


def tabulate_trend(outcome: Outcome) -> str:
    """A row per expectation: gap, spread and verdict."""
    return html_page.render_table(
        ("expected", "#gap", "verdict"),
        (
            (
                escape(str(judged)) + render_note(judged.expected.note),
                judged.measured,
                f"<b>{outcome.verdict_of(judged)}</b>",
            )
            for judged in outcome.trend
        ),
    )


def render_note(text: str) -> str:
    """HTML of a note below a cell's text; empty for an empty text."""
    return f'<div class="note">{escape(text)}</div>' if text else ""


def tabulate_runs(outcome: Outcome) -> str:
    """A row per run: seed, fingerprint of the training, MLflow experiment and run."""
    return html_page.render_table(
        ("variant", "#seed", "fingerprint", "MLflow experiment", "MLflow run"),
        (
            (escape(row.name), str(run.seed), (run.fingerprint or "–")[:16], run.experiment or "–", run.run_id or "–")
            for row in outcome.rows
            for run in row.runs
        ),
    )


def describe_origin(outcome: Outcome) -> Mapping[str, str]:
    """The data, the parameters and the command that made the figures."""
    measured, study = outcome.measured, outcome.study
    images = ", ".join(f"{count:,} {split}" for split, count in measured.images.items())
    facts = {
        "data": f"{measured.dataset} ({images})",
        "dataset.json sha256": measured.data_sha256,
        "meant for": study.data,
        "command": measured.command,
    }
    if study.is_computed:
        return facts
    base = f"in all variants: {study.family}.train of the parameters file, overridden by the study's base"
    return {**facts, "parameters": base, **flatten(measured.parameters)}


def build_sheet(
    images: Sequence[tuple[str, Picture, np.ndarray]],
    predictions: Mapping[str, Sequence[np.ndarray]],
    maps: Mapping[str, Sequence[Picture]],
    classes: Classes,
) -> Image.Image:
    """One picture that shows, for each (id, image, label), the image, the truth, all predictions and further maps.

    predictions: (H, W) label maps by variant, one per image. maps: (H, W, 3) pictures by title, one per image.
    """
    rows = [
        SheetRow(
            id_,
            [
                ("image", image),
                ("truth", colourise(label, classes.palette)),
                *((name, colourise(found[place], classes.palette)) for name, found in predictions.items()),
                *((name, found[place]) for name, found in maps.items()),
            ],
        )
        for place, (id_, image, label) in enumerate(images)
    ]
    entries = [*zip(classes.names, classes.palette, strict=True), ("void", VOID_COLOUR)]
    return draw_sheet(rows, entries)
