"""The output of `pixelwise study`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, Row
from pixelwise.studies.study import list_studies, load_study


@dataclass(frozen=True)
class Listing:
    """The list of all studies."""

    def __str__(self) -> str:
        names = list_studies()
        width = max(map(len, names))
        lines = [f"  {name:<{width}}  {load_study(name).title}" for name in names]
        return "\n".join([*lines, "next: pixelwise study NAME --data data/prepared"])


@dataclass(frozen=True)
class StudyReport:
    """The studies that ran, and the folder of their pages. inputs: the options of the next command."""

    out: Path
    outcomes: tuple[Outcome, ...]
    inputs: str

    def __str__(self) -> str:
        """The next command. Each study's own report was printed when the study ended."""
        return f"next: {self.following}"

    @property
    def following(self) -> str:
        """The next command: a full run after a quick one, more seeds after one seed, otherwise MLflow's page."""
        last = self.outcomes[-1]
        if last.measured.is_quick:
            return f"pixelwise study {last.study.name} {self.inputs}"
        if last.study.is_seeded and len(last.rows[0].runs) == 1:
            return f"pixelwise study {last.study.name} {self.inputs} --seeds 0,1,2"
        return f"mlflow ui, or see {self.out / 'README.md'}"


def format_outcome(outcome: Outcome) -> str:
    """Format a study's table and verdicts, with the thesis's figures in brackets."""
    keys = outcome.study.columns
    lines = [["", *(COLUMNS[key].title for key in keys)]]
    lines += [format_cells(row, keys) for row in outcome.rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    table = "\n".join(align_cells(cells, widths) for cells in lines)
    verdicts = [f"  {one.full}: {one} ({one.measured})" for one in outcome.trend]
    title = f"{outcome.study.title}, on {outcome.measured.dataset} {outcome.measured.split} (in brackets: thesis)"
    return "\n".join([title, "", table, "", *verdicts])


def align_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Join the cells of a line: the name left-aligned, the figures right-aligned."""
    figures = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([f"  {cells[0]:<{widths[0]}}", *figures])


def format_cells(row: Row, keys: tuple[str, ...]) -> list[str]:
    """Format a row's name and figures, with the thesis's figures in brackets."""
    thesis = {key: f" ({COLUMNS[key].format(value)})" for key, value in row.thesis.items()}
    return [row.name, *(row.format(key) + thesis.get(key, "") for key in keys)]
