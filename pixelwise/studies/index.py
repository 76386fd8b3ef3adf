"""The README.md of a folder of studies: each study's claim, verdict and figures, readable on a git host."""

from collections.abc import Mapping
from pathlib import Path

from pixelwise.errors import DataError
from pixelwise.files import write_text
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, judge_study
from pixelwise.studies.pages import locate_sheet
from pixelwise.studies.records import read_measured
from pixelwise.studies.report import format_cells
from pixelwise.studies.study import list_studies, load_study

INDEX_FILE, INDEX_TITLE = "README.md", "# Studies"
INTRODUCTION = """
Each study tests a claim of Evan Shelhamer's thesis on available data. `NAME.json` records the measurements, and
`NAME-pictures.webp` shows predictions. Everything else is computed from the records. In the tables of variants, our
figure comes first and the thesis's figure follows in brackets. Mean IU is the mean over classes of intersection over
union.

    pixelwise study                                   # list the studies
    pixelwise study NAME --data data/prepared         # run one
    pixelwise study --redraw --out FOLDER             # draw the charts and HTML pages of FOLDER from its JSON files
"""


def require_own_index(out: Path) -> None:
    """Raise DataError if `out` has a README.md that is not an index of studies and would be overwritten."""
    file = out / INDEX_FILE
    if file.exists() and not file.read_text(errors="replace").startswith(f"{INDEX_TITLE}\n"):
        raise DataError(f"{file}: found another file, expected none or one that begins with {INDEX_TITLE!r}")


def write_index(out: Path) -> None:
    """Write the index of the studies whose JSON files lie under `out`."""
    write_text(out / INDEX_FILE, render_index(out))


def render_index(out: Path) -> str:
    """Render the index as Markdown: a table of all studies, then a section for each study that ran."""
    outcomes = {name: read_outcome(out, name) for name in list_studies()}
    lines = [INDEX_TITLE, INTRODUCTION, *tabulate_verdicts(outcomes)]
    for name, outcome in outcomes.items():
        if isinstance(outcome, Outcome):
            lines += ["", *render_section(outcome)]
            if locate_sheet(out, name).exists():
                lines += ["", f"![Pictures of {name}]({locate_sheet(out, name).name})"]
    return "\n".join(lines) + "\n"


def read_outcome(out: Path, name: str) -> Outcome | str:
    """Read the outcome of a study; return the reason as text if there is none."""
    file = out / f"{name}.json"
    if not file.is_file():
        return "not run here"
    try:
        return judge_study(load_study(name), read_measured(file))
    except DataError:
        # The damaged file of one study must not cost the index of the others.
        return "unreadable"


def tabulate_verdicts(outcomes: Mapping[str, Outcome | str]) -> list[str]:
    """Return a row per study: its name, its part of the thesis, its claim, the data, and the verdict."""
    lines = ["| study | thesis | claim | data | verdict |", "| --- | --- | --- | --- | --- |"]
    for name, outcome in outcomes.items():
        study = load_study(name)
        link, data, verdict = name, "–", outcome
        if isinstance(outcome, Outcome):
            # GitHub and GitLab drop the dots of a heading from its anchor.
            link = f"[{name}](#{name.replace('.', '')})"
            data, verdict = outcome.measured.dataset, outcome.verdict
        lines.append(f"| {link} | {study.thesis} | {study.claim} | {data} | {verdict} |")
    return lines


def render_section(outcome: Outcome) -> list[str]:
    """Return the section of one study: title, claim, figures, a verdict for each expectation, and the remark."""
    study, measured = outcome.study, outcome.measured
    lines = [f"## {study.name}", "", f"**{study.title}** ({study.thesis}, {measured.dataset} {measured.split})"]
    lines += ["", f"Claim: {study.claim}", "", *tabulate_figures(outcome)]
    if outcome.trend:
        lines += ["", "| expected | gap (95 % interval) | verdict |", "| --- | ---: | --- |"]
        lines += [f"| {one} | {one.measured} | {one.full} |" for one in outcome.trend]
    remark = study.remarks.get(measured.dataset)
    return [*lines, "", remark.strip()] if remark else lines


def tabulate_figures(outcome: Outcome) -> list[str]:
    """Return a row per variant: our figures, with the thesis's figures in brackets."""
    keys = outcome.study.columns
    head = ["variant", *(COLUMNS[key].title for key in keys)]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * len(keys)]
    return [*lines, *(f"| {' | '.join(format_cells(row, keys))} |" for row in outcome.rows)]
