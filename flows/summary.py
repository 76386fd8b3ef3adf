"""Summary of a pipeline run: its stages and their states, the scores, and where the results are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.dvc_stage import StageResult
from pixelwise.documents import read_json
from pixelwise.model_folder import find_labelling_models

SCORES = ("mean_iu", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iu")
Scores = Mapping[str, Mapping[str, float]]


def read_scores(project: Path) -> Scores:
    """Read family -> score -> value from DVC's metrics, reports/FAMILY/metrics.json; empty before an evaluation."""
    scores = {}
    for path in sorted(project.glob("reports/*/metrics.json")):
        metrics = read_json(path, "scores of evaluate")
        numbers = {name: metrics.get(name) for name in SCORES}
        scores[path.parent.name] = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
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
        head = f"| model | {' | '.join(SCORES)} |\n| --- |{' ---: |' * len(SCORES)}\n"
        sections += ["## Scores", head + "\n".join(f"| {' | '.join(format_row(f, scores[f]))} |" for f in scores)]
    return "\n\n".join(sections) + "\n"


def format_row(family: str, scores: Mapping[str, float]) -> list[str]:
    """Format one row of the table of scores."""
    return [family, *(f"{scores[name]:.4f}" if name in scores else "–" for name in SCORES)]


def format_scores(scores: Scores) -> str:
    """Format the scores as an aligned table for the terminal."""
    rows = [["model", *SCORES], *(format_row(family, scores[family]) for family in scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def list_places(project: Path) -> str:
    """List the paths of the existing models and report pages, and the commands that open the two UIs."""
    paths = [
        *(("model", path) for path in find_labelling_models(project)),
        *(("report", path) for path in sorted(project.glob("reports/*/evaluate/*.html"))),
    ]
    lines = [f"{kind:<11} {path.relative_to(project)}" for kind, path in paths]
    lines.append("MLflow UI   mlflow ui --backend-store-uri sqlite:///mlflow.db")
    lines.append("Prefect UI  prefect server start")
    return "\n".join(lines)
