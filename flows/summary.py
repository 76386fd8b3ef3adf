"""Summary of a pipeline run: its stages and their states, the scores, and where the results are."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.dvc_stage import StageResult
from pixelwise.documents import read_json
from pixelwise.inference.exported_models import find_exported_models
from pixelwise.tracking.store import OFF, redact_uri, resolve_store_uri


@dataclass(frozen=True)
class Score:
    """The scores of one model by the name of their measure, and what they were found on: `40 images`."""

    by_measure: Mapping[str, float]
    scored_on: str


Scores = Mapping[str, Score]


def read_scores(project: Path) -> Scores:
    """Read family -> scores from DVC's metrics, reports/FAMILY/metrics.json; empty before an evaluation."""
    scores = {}
    for path in sorted(project.glob("reports/*/metrics.json")):
        metrics = read_json(path, "scores of evaluate")
        found = {name: metrics.get(key) for name, key in metrics.get("measures", {}).items()}
        by_measure = {name: value for name, value in found.items() if isinstance(value, int | float)}
        scores[path.parent.name] = Score(by_measure, metrics.get("scored_on", ""))
    return scores


def count_states(results: Sequence[StageResult]) -> str:
    """Count the results by state: `pipeline: 2 ran, 5 unchanged`."""
    states = [result.state for result in results]
    return "pipeline: " + ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def format_markdown(results: Sequence[StageResult], actions: Sequence[StageResult], scores: Scores) -> str:
    """Format the Markdown artifact of a run: a table of stages and actions, and a table of scores."""
    rows = [
        f"| {result.name} | {result.state} | {result.seconds:.1f} | {result.error.replace('|', chr(92) + '|')} |"
        for result in (*results, *actions)
    ]
    sections = ["## Stages", "| stage | state | seconds | error |\n| --- | --- | ---: | --- |\n" + "\n".join(rows)]
    if scores:
        head, *body = [f"| {' | '.join(row)} |" for row in tabulate(scores)]
        rule = f"| --- |{' ---: |' * (head.count('|') - 3)} --- |"
        sections += ["## Scores", "\n".join([head, rule, *body])]
    return "\n\n".join(sections) + "\n"


def tabulate(scores: Scores) -> list[list[str]]:
    """Tabulate the scores: a head, and a row per model. A column holds one measure, so its numbers can be compared."""
    measures = list(dict.fromkeys(name for score in scores.values() for name in score.by_measure))
    rows = [["model", *measures, "scored on"]]
    for family, score in scores.items():
        found = score.by_measure
        rows.append([family, *(f"{found[name]:.4f}" if name in found else "–" for name in measures), score.scored_on])
    return rows


def format_scores(scores: Scores) -> str:
    """Format the scores as an aligned table for the terminal."""
    rows = tabulate(scores)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def list_places(project: Path) -> str:
    """List the paths of the existing models and report pages, and the commands that open the two UIs."""
    paths = [
        *(("model", path) for path in find_exported_models(project)),
        *(("report", path) for path in sorted(project.glob("reports/*/evaluate/*.html"))),
    ]
    lines = [f"{kind:<11} {path.relative_to(project)}" for kind, path in paths]
    if (uri := resolve_store_uri(None)) != OFF:
        store = shlex.quote(redact_uri(uri))
        lines.append(f"MLflow UI   {store if uri.startswith('http') else f'mlflow ui --backend-store-uri {store}'}")
    lines.append("Prefect UI  prefect server start")
    return "\n".join(lines)
