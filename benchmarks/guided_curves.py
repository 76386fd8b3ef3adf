"""Draw positive IU over points and over shots, with the foreground–background baseline (thesis figure 4.5).

    python -m benchmarks.guided_curves SCORES.json … --out FILE.png

reads files that `pixelwise evaluate … --json` wrote, and writes the same numbers to FILE.json.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pixelwise import command
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.files import write_atomically, write_json

Scores = Mapping[str, Any]
# Stands for a dense mask when sorting: more points than any picture has.
MANY = 10**6


def draw(found: Sequence[Scores], file: Path) -> None:
    """Draw the scores `found` to the PNG `file`, and write their numbers to a JSON file beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    of_points, of_shots = figure.subplots(1, 2, sharey=True)
    single = sorted((scores for scores in found if scores["shots"] == 1), key=rank_annotation)
    draw_line(of_points, [name_points(scores["points"]) for scores in single], single, "one picture")
    shots = sorted({scores["shots"] for scores in found})
    # Set the ticks first, so that a line without the lowest count does not reorder the axis.
    of_shots.set_xticks(range(len(shots)), [str(count) for count in shots])
    for points in sorted({scores["points"] for scores in found if scores["shots"] > 1}, key=lambda each: each or MANY):
        line = sorted((scores for scores in found if scores["points"] == points), key=lambda each: each["shots"])
        label = "dense masks" if points is None else f"{points} points a class"
        draw_line(of_shots, [shots.index(scores["shots"]) for scores in line], line, label)
    of_points.set(xlabel="points of each class in one picture", ylabel="positive IU")
    of_shots.set(xlabel="annotated pictures")
    floor = sum(scores["foreground_background"]["positive_iu"] for scores in found) / len(found)
    for axes in (of_points, of_shots):
        axes.axhline(floor, color="grey", linestyle="--", label="foreground–background")
        axes.set_ylim(bottom=0)
        axes.legend()
    with write_atomically(file) as target:
        figure.savefig(target, format="png", dpi=120)
    kept = ("shots", "points", "positive_iu", "foreground_background", "mean_iu", "tasks")
    write_json(file.with_suffix(".json"), [{name: scores[name] for name in kept} for scores in found])


def draw_line(axes: Any, places: Sequence[Any], line: Sequence[Scores], label: str) -> None:
    """Draw one line of scores at `places` along the x axis."""
    axes.plot(places, [scores["positive_iu"] for scores in line], "o-", label=label)


def rank_annotation(scores: Scores) -> int:
    """Sort key by the amount of annotation; a dense mask counts as more than any number of points."""
    return int(scores["points"] or MANY)


def name_points(points: int | None) -> str:
    """Return the number of points as text, or `dense`."""
    return "dense" if points is None else str(points)


def run(
    scores: Annotated[Sequence[Path], "files that `pixelwise evaluate … --json` wrote"],
    out: Annotated[Path, "PNG to draw; the same numbers go to a JSON file beside it"],
) -> str:
    """Draw curves of positive IU over points and over shots. Raises DataError for a file of other scores."""
    draw([read(file) for file in scores], out)
    return f"{out}, {out.with_suffix('.json')}"


def read(file: Path) -> Scores:
    """Read the scores in `file`. Raises DataError where it is missing or holds other scores, such as those of clips."""
    found: Scores = read_json(file, "what `pixelwise evaluate … --json` writes")
    if "foreground_background" not in found:
        raise DataError(f"{file}: found no foreground_background, expected scores of categories")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
