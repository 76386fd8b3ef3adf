"""The files of suggested pictures: a table of all, and what the studio needs to open the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.inputs import Input
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.files import write_json, write_text
from pixelwise.labelling.doubt import Doubt
from pixelwise.labelling.ranking import Ranked
from pixelwise.reporting.csv_text import format_csv
from pixelwise.reporting.label_images import Palette

TABLE, LIST = "ranking.csv", "suggestions.json"
COLUMNS = ("rank", "picture", "doubt", "uncertainty", "disagreement", "novelty", "distance")


@dataclass(frozen=True)
class Suggestion:
    """A picture that should be labelled, and why. ranked: its place by the ranking."""

    picture: Input
    doubt: Doubt
    ranked: Ranked

    def describe(self) -> str:
        """Say in a few words why the picture stands where it does."""
        is_new = np.isfinite(self.ranked.novelty)
        new = f", {self.ranked.novelty:.2f} from the nearest labelled picture" if is_new else ""
        return f"doubted more than {100 * self.ranked.doubt:.0f} % of the pictures{new}"


@dataclass(frozen=True)
class Opened:
    """Suggested pictures as the studio opens them: the classes, and each picture's file, name and label in order."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    pictures: tuple[tuple[Path, str, Path], ...]


def write_table(file: Path, suggestions: Sequence[Suggestion]) -> None:
    """Write a row of every picture in the order of the ranking; a measure that there is none of is empty."""
    rows = []
    for number, each in enumerate(suggestions, start=1):
        measures = (each.ranked.doubt, *each.doubt, each.ranked.novelty, each.ranked.distance)
        shown = [None if value is None or np.isinf(value) else f"{value:.4f}" for value in measures]
        rows.append([number, each.picture.path, *shown])
    write_text(file, format_csv(COLUMNS, rows))


def write_list(folder: Path, suggestions: Sequence[Suggestion], names: Sequence[str], palette: Palette) -> None:
    """Write the list that the studio opens; the label of a picture is `folder`/NAME.label.png."""
    pictures = [
        {
            "file": str(each.picture.path.absolute()),
            "name": f"{each.picture.name.as_posix()}{each.picture.path.suffix}",
            "label": f"{each.picture.name.as_posix()}.label.png",
        }
        for each in suggestions
    ]
    write_json(folder / LIST, {"classes": list(names), "palette": [list(c) for c in palette], "pictures": pictures})


def read_list(folder: Path) -> Opened:
    """Read what `write_list` wrote. Raises DataError where it is missing or damaged."""
    if not (folder / LIST).is_file():
        raise DataError(f"{folder}: no {LIST}, expected the output of `pixelwise suggest`")
    found: dict[str, Any] = read_json(folder / LIST, "what `pixelwise suggest` writes")
    try:
        return Opened(
            tuple(map(str, found["classes"])),
            tuple((red, green, blue) for red, green, blue in found["palette"]),
            tuple((Path(each["file"]), each["name"], folder / each["label"]) for each in found["pictures"]),
        )
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{folder / LIST}: damaged, expected what `pixelwise suggest` writes") from None
