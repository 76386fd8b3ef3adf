"""The HTML page of a study: our figures beside the thesis's, the verdicts, a chart and pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from pixelwise.data.image_codec import encode_picture
from pixelwise.files import write_bytes, write_text
from pixelwise.params import flatten
from pixelwise.reporting import html_page
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.kinds import find_kind
from pixelwise.studies.outcome import Outcome, Row
from pixelwise.studies.study import Variant

# Sheets are kept in git. This quality makes a sheet about 100 kB and keeps class colours apart.
QUALITY = 75
UNKNOWN = "not recorded"
JUDGED = (
    "Paired differences: both figures of a gap are of the same seeds and the same units. An expectation holds if the "
    "whole interval meets it, does not hold if no part does, and is undecided otherwise."
)


def locate_sheet(out: Path, name: str) -> Path:
    """Return the path of a study's sheet of pictures."""
    return out / f"{name}-pictures.webp"


def write_sheet(out: Path, name: str, sheet: Image.Image) -> None:
    """Write the sheet of a study under `out` as WebP."""
    write_bytes(locate_sheet(out, name), encode_picture(sheet.convert("RGB"), "WEBP", quality=QUALITY, method=6))


def draw_study(out: Path, outcome: Outcome) -> None:
    """Write the chart NAME.png and the page NAME.html of a study under `out`, with the sheet in that folder."""
    from pixelwise.studies.plots import draw_chart

    name, chart = outcome.study.name, draw_chart(outcome)
    sheet = locate_sheet(out, name)
    write_bytes(out / f"{name}.png", chart)
    write_text(out / f"{name}.html", render_study(outcome, chart, sheet.read_bytes() if sheet.exists() else None))


def render_study(outcome: Outcome, chart: bytes, sheet: bytes | None) -> str:
    """Render the HTML page. chart: a PNG. sheet: the pictures as WebP, if there are any."""
    study, measured = outcome.study, outcome.measured
    lead = f"{study.thesis} · {measured.dataset}, split {measured.split} · {outcome.verdict}"
    if measured.is_quick:
        lead += " · quick run, without meaningful figures"
    parts = [html_page.render_section("Claim", f"<p>{escape(study.claim)}</p>")]
    parts.append(html_page.render_section("Figures", tabulate_figures(outcome), note=describe_seeds(outcome)))
    if outcome.trend:
        parts.append(html_page.render_section("Expected", tabulate_trend(outcome), note=JUDGED))
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
    """Render a row per variant: for each column our figure, and the thesis's figure if the thesis has the column."""
    keys = outcome.study.columns
    with_thesis = [key for key in keys if any(key in row.thesis for row in outcome.rows)]
    head = ["variant"]
    for key in keys:
        head += [f"#{COLUMNS[key].title}", *(["#thesis"] if key in with_thesis else [])]
    return html_page.render_table(head, [tabulate_variant(row, keys, with_thesis) for row in outcome.rows])


def tabulate_variant(row: Row, keys: Sequence[str], with_thesis: Sequence[str]) -> list[str]:
    """Return the cells of one variant."""
    remarks = [row.variant.note, describe_settings(row.variant), *(run.remark for run in row.runs)]
    remarks += [] if row.runs else ["not run"]
    cells = [escape(row.name) + "".join(render_note(text) for text in dict.fromkeys(remarks))]
    for key in keys:
        cells.append(row.format(key))
        if key in with_thesis:
            cells.append(COLUMNS[key].format(row.thesis.get(key)))
    return cells


def describe_settings(variant: Variant) -> str:
    """Format the parameters that a variant changes in training, then those that it changes in scoring."""
    trained = ", ".join(f"{key}: {value}" for key, value in flatten(variant.overrides).items())
    scored = ", ".join(f"{key}: {value}" for key, value in flatten(variant.evaluate).items())
    return "; ".join(filter(None, [trained, f"scored with {scored}" if scored else ""]))


def describe_seeds(outcome: Outcome) -> str:
    """Say how the figures were measured: over how many seeds, or how without a seed."""
    if explanation := find_kind(outcome.study.kind).explanation:
        return explanation
    seeds = sorted({run.seed for row in outcome.rows for run in row.runs})
    if len(seeds) > 1:
        return f"Mean ± standard deviation over n = {len(seeds)} seeds: {', '.join(map(str, seeds))}."
    spread = " The spread over seeds is unknown." if outcome.study.is_seeded else ""
    return f"One run each (n = 1, seed {', '.join(map(str, seeds))}).{spread}"


def tabulate_trend(outcome: Outcome) -> str:
    """Render a row per expectation: gap, interval and verdict."""
    return html_page.render_table(
        ("expected", "#gap (95 % interval)", "verdict"),
        (
            (
                escape(str(judgement)) + render_note(judgement.expected.note),
                judgement.measured,
                f"<b>{judgement.full}</b>",
            )
            for judgement in outcome.trend
        ),
    )


def render_note(text: str) -> str:
    """Render a note below a cell's text; empty for an empty text."""
    return f'<div class="note">{escape(text)}</div>' if text else ""


def tabulate_runs(outcome: Outcome) -> str:
    """Render a row per run: seed, fingerprint of the training, MLflow experiment and run."""
    return html_page.render_table(
        ("variant", "#seed", "fingerprint", "MLflow experiment", "MLflow run"),
        (
            (escape(row.name), str(run.seed), (run.fingerprint or "–")[:16], run.experiment or "–", run.run_id or "–")
            for row in outcome.rows
            for run in row.runs
        ),
    )


def describe_origin(outcome: Outcome) -> Mapping[str, str]:
    """Name the data, the parameters and the command that made the figures."""
    measured, study = outcome.measured, outcome.study
    images = ", ".join(f"{count:,} {split}" for split, count in measured.images.items())
    facts = {
        "data": f"{measured.dataset} ({images})",
        "dataset.json sha256": measured.data_sha256,
        "meant for": study.data,
        "command": measured.command,
        "seeds": ", ".join(sorted({str(run.seed) for row in measured.rows for run in row.runs})),
        "commit": measured.commit or UNKNOWN,
        "machine": measured.machine or UNKNOWN,
        "minutes": UNKNOWN if measured.minutes is None else f"{measured.minutes:g}",
        "cores busy with other work": UNKNOWN if measured.other_work is None else f"{measured.other_work:g}",
    }
    facts |= {f"given model: {key}": value for key, value in flatten(measured.model).items()}
    if study.is_computed:
        return facts
    base = f"in all variants: {study.family}.train of the parameters file, overridden by the study's base"
    return {**facts, "parameters": base, **flatten(measured.parameters)}
