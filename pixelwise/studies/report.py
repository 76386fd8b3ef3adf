"""The output of `pixelwise study`."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.outcome import Outcome, Row
from pixelwise.studies.study import load, names


@dataclass(frozen=True)
class Listing:
    """The studies that there are."""

    def __str__(self) -> str:
        wide = max(map(len, names()))
        lines = [f"  {name:<{wide}}  {load(name).title}" for name in names()]
        return "\n".join([*lines, "next: pixelwise study NAME --data data/prepared"])


@dataclass(frozen=True)
class StudyReport:
    """The studies that ran, and where their pages are. inputs: the options of the next command."""

    out: Path
    outcomes: tuple[Outcome, ...]
    inputs: str

    def __str__(self) -> str:
        """The next command: the studies' own reports were printed as each ended."""
        return f"next: {self.following}"

    @property
    def following(self) -> str:
        """The next command: a full run after a quick one, more seeds after one seed, else a look at the runs."""
        last = self.outcomes[-1]
        if last.measured.is_quick:
            return f"pixelwise study {last.study.name} {self.inputs}"
        if last.study.kind == "train" and len(last.rows[0].runs) == 1:
            return f"pixelwise study {last.study.name} {self.inputs} --seeds 0,1,2"
        return f"mlflow ui, or see {self.out / 'README.md'}"


def format_outcome(outcome: Outcome) -> str:
    """Format a study's table and verdicts, with the thesis's figures in brackets."""
    keys = outcome.study.columns
    lines = [["", *(COLUMNS[key].title for key in keys)]]
    lines += [format_cells(row, keys) for row in outcome.rows]
    wide = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    table = "\n".join(
        f"  {first:<{wide[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(rest, wide[1:], strict=True))
        for first, *rest in lines
    )
    verdicts = [f"  {outcome.verdict_of(judged)}: {judged} ({judged.measured})" for judged in outcome.trend]
    title = f"{outcome.study.title}, on {outcome.measured.dataset} {outcome.measured.split} (in brackets: thesis)"
    return "\n".join([title, "", table, "", *verdicts])


def format_cells(row: Row, keys: tuple[str, ...]) -> list[str]:
    """Format a row's name and figures, with the thesis's figures in brackets."""
    known = {key: f" ({COLUMNS[key].format(value)})" for key, value in row.thesis.items()}
    return [row.name, *(row.format(key) + known.get(key, "") for key in keys)]
