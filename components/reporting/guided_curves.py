"""Curves of guidance: positive IU over points and over shots, beside foreground–background (figure 4.5).

    python -m components.reporting.guided_curves SCORES.json … FILE.png

draws what `pixelwise evaluate … --json` wrote, and the same numbers as FILE.json.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.files import atomic_path, write_json

Scores = Mapping[str, Any]


def draw(found: Sequence[Scores], file: Path) -> None:
    """Write the PNG `file` of the scores `found`, and their numbers beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    of_points, of_shots = figure.subplots(1, 2, sharey=True)
    floor = sum(scores["foreground_background"]["positive_iu"] for scores in found) / len(found)
    rows = sorted((scores for scores in found if scores["shots"] == 1), key=lambda scores: scores["points"] or 10**6)
    of_points.plot([named(scores["points"]) for scores in rows], [scores["positive_iu"] for scores in rows], "o-")
    of_points.set(xlabel="points of each class, one shot", ylabel="positive IU")
    for points in dict.fromkeys(scores["points"] for scores in found if scores["shots"] > 1):
        line = sorted((scores for scores in found if scores["points"] == points), key=lambda scores: scores["shots"])
        places = [str(scores["shots"]) for scores in line]
        of_shots.plot(places, [scores["positive_iu"] for scores in line], "o-", label=named(points))
    of_shots.set(xlabel="shots")
    for axes in (of_points, of_shots):
        axes.axhline(floor, color="grey", linestyle="--", label="foreground–background")
        axes.set_ylim(bottom=0)
        axes.legend()
    with atomic_path(file) as target:
        figure.savefig(target, format="png", dpi=120)
    kept = ("shots", "points", "positive_iu", "foreground_background", "mean_iu", "tasks")
    write_json(file.with_suffix(".json"), [{name: scores[name] for name in kept} for scores in found])


def named(points: int | None) -> str:
    """`5`, or `dense`."""
    return "dense" if points is None else str(points)


if __name__ == "__main__":
    *sources, target = map(Path, sys.argv[1:])
    draw([json.loads(source.read_text()) for source in sources], target)
