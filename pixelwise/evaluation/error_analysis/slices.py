"""The pictures of a split by clip, size, brightness and the columns of a user's table, each with its counts."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.errors import DataError
from pixelwise.metrics.confusion import Counts
from pixelwise.reporting.errors.analysis import Slice

# Every so many pixels of a row and of a column count for the brightness.
STRIDE = 4
THIRDS = ("lowest third", "middle third", "highest third")


@dataclass(frozen=True)
class PictureFacts:
    """What a picture is sliced by. shape: height and width. brightness: the mean of all channels, 0 to 255."""

    clip: str
    shape: tuple[int, int]
    brightness: float

    @classmethod
    def measure(cls, clip: str, image: np.ndarray) -> "PictureFacts":
        """Measure the `image` (H, W, 3) uint8 of a `clip`, "" for a still."""
        return cls(clip, (image.shape[0], image.shape[1]), float(image[::STRIDE, ::STRIDE].mean()))


def slice_pictures(
    facts: Sequence[PictureFacts], counts: Counts, columns: Mapping[str, Sequence[str]]
) -> dict[str, list[Slice]]:
    """What the slices are by -> the slices; whatever is the same in all pictures is left out.

    counts: (M, K, K). columns: name of a user's column -> its value for each picture, "" for none.
    """
    values: dict[str, Sequence[str]] = {
        "clip": [each.clip for each in facts],
        "size": name_thirds([math.prod(each.shape) for each in facts], "pixels"),
        "brightness": name_thirds([each.brightness for each in facts], "of 255"),
        **columns,
    }
    return {by: group(names, counts) for by, names in values.items() if len(set(names)) > 1}


def name_thirds(values: Sequence[float], unit: str) -> list[str]:
    """Name the third of the split that each value is in, with the range of the third; one name if all are equal."""
    if len(set(values)) < len(THIRDS):
        return [f"{value:,.0f} {unit}" for value in values]
    limits = np.quantile(values, [1 / 3, 2 / 3])
    third = np.searchsorted(limits, values)
    names = {}
    for index in np.unique(third):
        inside = np.asarray(values)[third == index]
        names[index] = f"{THIRDS[index]}: {inside.min():,.0f} to {inside.max():,.0f} {unit}"
    return [names[index] for index in third]


def group(names: Sequence[str], counts: Counts) -> list[Slice]:
    """Sum the counts (M, K, K) of the pictures of each name; names without a labelled pixel are left out."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    slices = [Slice(name, len(found), counts[found].sum(axis=0)) for name, found in sorted(places.items())]
    return [each for each in slices if each.counts.any()]


def read_rows(file: Path) -> list[dict[str, str]]:
    """Read the lines of a CSV file by column: the column `path` and others.

    Raises DataError if the file cannot be read, lacks these columns or has no line.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            columns = list(reader.fieldnames or ())
            rows = [{name: value for name, value in row.items() if name} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: {error}, expected a CSV file with the column path and others") from None
    if not rows or "path" not in columns or len(columns) == 1:
        found = ", ".join(columns) or "nothing"
        raise DataError(f"{file}: found {found} and {len(rows)} lines, expected the column path, others, and lines")
    return rows


def match_columns(rows: Sequence[Mapping[str, str]], ids: Sequence[str]) -> dict[str, list[str]]:
    """The columns of `rows` other than `path`, each with its value for each of the pictures `ids`, or "none".

    A path stands for the picture whose id it ends in, with or without a suffix. Raises DataError if no path does.
    """
    by_id = {name: row for row in rows for name in list_names(PurePosixPath(row["path"]))}
    found = [by_id.get(PurePosixPath(id_), {}) for id_ in ids]
    if rows and not any(found):
        raise DataError(f"slices: found the path {rows[0]['path']}, expected pictures of the split, such as {ids[0]}")
    columns = [name for name in (rows[0] if rows else ()) if name != "path"]
    return {name: [row.get(name) or "none" for row in found] for name in columns}


def list_names(path: PurePosixPath) -> Iterator[PurePosixPath]:
    """List the ids that `path` may stand for: its last parts, with and without the suffix."""
    for start in range(len(path.parts)):
        end = PurePosixPath(*path.parts[start:])
        yield from (end, end.with_suffix(""))
