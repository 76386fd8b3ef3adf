"""A study's page, and the index of all studies: our figures beside the thesis's."""

import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.items import Classes
from pixelwise.errors import DataError
from pixelwise.files import write_bytes, write_json, write_text
from pixelwise.reporting import page
from pixelwise.reporting.pictures import VOID_COLOUR, Picture, colourise
from pixelwise.reporting.results import encode
from pixelwise.reporting.sheet import SheetRow, picture_sheet
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, Row, outcome_of, read_measured
from pixelwise.studies.report import cells
from pixelwise.studies.study import Variant, load, names
from pixelwise.tracking.runs import flatten_params

VIDEO = (
    "One net. All schedules take turns in one process; times leave out the decoding of pictures and are, on clips, "
    "medians of three rounds. Near boundaries: within 5 pixels of the outline of all foreground, or of two classes "
    "where the data has no background."
)
INDEX_FILE, INDEX_TITLE = "README.md", "# Studies"


def require_own_index(out: Path) -> None:
    """Raise DataError where `out` has a README.md that is not the index of studies, which would be lost."""
    file = out / INDEX_FILE
    if file.exists() and not file.read_text(errors="replace").startswith(f"{INDEX_TITLE}\n"):
        raise DataError(f"{file}: found another file, expected none or one that begins with {INDEX_TITLE!r}")


def write_study(out: Path, outcome: Outcome, pictures: bytes | None) -> None:
    """Write NAME.json, .png, -pictures.png and .html under `out`, and the index of all studies there.

    pictures: a PNG; None keeps what an earlier run left.
    """
    from pixelwise.studies.plots import chart

    name = outcome.study.name
    write_json(out / f"{name}.json", outcome.measured.model_dump(mode="json"))
    drawn = chart(outcome)
    write_bytes(out / f"{name}.png", drawn)
    sheet = out / f"{name}-pictures.png"
    if pictures:
        write_bytes(sheet, pictures)
    write_text(out / f"{name}.html", study_page(outcome, drawn, sheet.read_bytes() if sheet.exists() else None))
    write_text(out / INDEX_FILE, index(out))


def study_page(outcome: Outcome, drawn: bytes, pictures: bytes | None) -> str:
    """The HTML page."""
    study, measured = outcome.study, outcome.measured
    lead = f"{study.thesis} · {measured.dataset}, split {measured.split} · {outcome.verdict}"
    if measured.is_quick:
        lead += " · a quick run: only whether it runs through"
    parts = [page.section("Claim", f"<p>{escape(study.claim)}</p>")]
    parts.append(page.section("Figures", figures_table(outcome), note=seeds_note(outcome)))
    if outcome.trend:
        parts.append(page.section("Expected", trend_table(outcome)))
    if measured.dataset in study.remarks:
        parts.append(page.section("Remarks", f"<p>{escape(study.remarks[measured.dataset])}</p>"))
    parts.append(page.section("Chart", page.picture(drawn, "chart")))
    if pictures:
        # WebP as on the evaluation's page: a sixth of the bytes.
        with Image.open(io.BytesIO(pictures)) as sheet:
            parts.append(page.section("Pictures", page.picture(encode(sheet, "WEBP", quality=88), "pictures", "webp")))
    if not study.is_computed:
        parts.append(page.section("Trainings" if study.is_trained else "Net", runs_table(outcome)))
    parts.append(page.section("Made by", page.facts(origin(outcome))))
    return page.page(study.title, lead, parts)


def figures_table(outcome: Outcome) -> str:
    """A line a variant: ours, then the thesis's in each column that the thesis has."""
    keys = outcome.study.columns
    with_thesis = [key for key in keys if any(key in row.thesis for row in outcome.rows)]
    head = ["variant"]
    for key in keys:
        head += [f"#{COLUMNS[key].title}", *(["#thesis"] if key in with_thesis else [])]
    return page.table(head, [figures_row(row, keys, with_thesis) for row in outcome.rows])


def figures_row(row: Row, keys: Sequence[str], with_thesis: Sequence[str]) -> list[str]:
    """The cells of one variant."""
    remarks = [row.variant.note, own_settings(row.variant), *(run.remark for run in row.runs)]
    remarks += [] if row.runs else ["not run"]
    cells = [escape(row.name) + "".join(note(text) for text in dict.fromkeys(remarks))]
    for key in keys:
        cells.append(row.shown(key))
        if key in with_thesis:
            cells.append(COLUMNS[key].shown(row.thesis.get(key)))
    return cells


def own_settings(variant: Variant) -> str:
    """The parameters in which a variant differs from the others, and those that differ as it is scored."""
    trained = ", ".join(f"{key}: {value}" for key, value in flatten_params(variant.overrides))
    scored = ", ".join(f"{key}: {value}" for key, value in flatten_params(variant.evaluate))
    return "; ".join(filter(None, [trained, f"scored with {scored}" if scored else ""]))


def seeds_note(outcome: Outcome) -> str:
    """What the numbers are means of."""
    if outcome.study.kind == "oracle":
        return "Computed from the labels alone: chance has no part in it."
    if outcome.study.kind == "recovery":
        return "Computed from one picture: chance has no part in it."
    if outcome.study.kind == "velocity":
        return "One net. The share of cells whose label changes, averaged over neighbouring frames and then over shots."
    if outcome.study.kind == "schedule":
        return VIDEO
    seeds = sorted({run.seed for row in outcome.rows for run in row.runs})
    if len(seeds) > 1:
        return f"Mean ± standard deviation over n = {len(seeds)} seeds: {', '.join(map(str, seeds))}."
    spread = ", so that the spread is not known" if outcome.study.kind == "train" else ""
    return f"One run each (n = 1, seed {', '.join(map(str, seeds))}){spread}."


def trend_table(outcome: Outcome) -> str:
    """A line an expectation: gap, spread and verdict."""
    return page.table(
        ("expected", "#gap", "verdict"),
        (
            (escape(str(judged)) + note(judged.expected.note), judged.measured, f"<b>{outcome.verdict_of(judged)}</b>")
            for judged in outcome.trend
        ),
    )


def note(text: str) -> str:
    """A note below a cell's text, or nothing."""
    return f'<div class="note">{escape(text)}</div>' if text else ""


def runs_table(outcome: Outcome) -> str:
    """A line a run: seed, fingerprint of its training, and where MLflow has it."""
    return page.table(
        ("variant", "#seed", "fingerprint", "MLflow experiment", "MLflow run"),
        (
            (escape(row.name), str(run.seed), (run.fingerprint or "–")[:16], run.experiment or "–", run.run_id or "–")
            for row in outcome.rows
            for run in row.runs
        ),
    )


def origin(outcome: Outcome) -> Mapping[str, str]:
    """Data, parameters and command."""
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
    base = f"{study.family}.train of the parameters file and the study's own over it, in all variants:"
    return {**facts, "parameters": base, **dict(flatten_params(measured.parameters))}


def pictures_sheet(
    images: Sequence[tuple[str, Picture, np.ndarray]],
    predictions: Mapping[str, Sequence[np.ndarray]],
    maps: Mapping[str, Sequence[Picture]],
    classes: Classes,
) -> bytes:
    """A PNG: of each (id, image, label) the image, the truth, what every variant predicts, and what else is mapped."""
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
    return encode(picture_sheet(rows, entries), "PNG", optimize=True)


def index(out: Path) -> str:
    """The README of the folder: every study with its claim and verdict, then the charts of those that ran."""
    found = {name: found_in(out, name) for name in names()}
    lines = [INDEX_TITLE, "", "`pixelwise study NAME --data data/prepared` runs one; without a name it lists them.", ""]
    lines += ["| study | thesis | claim | data | verdict |", "| --- | --- | --- | --- | --- |"]
    for name, outcome in found.items():
        study = load(name)
        link, verdict = name, f"– | {outcome}"
        if isinstance(outcome, Outcome):
            link, verdict = f"[{name}]({name}.html)", f"{outcome.measured.dataset} | {outcome.verdict}"
        lines.append(f"| {link} | {study.thesis} | {study.claim} | {verdict} |")
    for name, outcome in found.items():
        if isinstance(outcome, Outcome):
            lines += ["", f"## {outcome.study.title}", "", *markdown_table(outcome), "", f"![{name}]({name}.png)"]
            if (out / f"{name}-pictures.png").exists():
                lines += ["", f"![pictures of {name}]({name}-pictures.png)"]
    return "\n".join(lines) + "\n"


def found_in(out: Path, name: str) -> Outcome | str:
    """What a study found, or why that is not known."""
    file = out / f"{name}.json"
    if not file.is_file():
        return "not run here"
    try:
        return outcome_of(load(name), read_measured(file))
    except DataError:
        # Another study's damaged file is no reason to lose this one's page.
        return "unreadable"


def markdown_table(outcome: Outcome) -> list[str]:
    """Our figures, the thesis's in brackets."""
    keys = outcome.study.columns
    head = ["variant", *(COLUMNS[key].title for key in keys)]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * len(keys)]
    return [*lines, *(f"| {' | '.join(cells(row, keys))} |" for row in outcome.rows)]
