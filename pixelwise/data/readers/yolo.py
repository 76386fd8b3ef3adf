"""YOLO segmentation: a text file of outlines a picture, in fractions of its size, and a `data.yaml` that names classes.

Pictures lie in `images/train` or `train/images`, and their text files in the same place below `labels`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.data.annotation_set import AnnotatedPicture, Annotation, Polygons, Shape, Unusable
from pixelwise.data.archives import find_folder
from pixelwise.data.class_tables import BACKGROUND, merge_class_tables
from pixelwise.data.items import RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import split_name
from pixelwise.data.walk import find_files, require_text, walk
from pixelwise.documents import read_text, read_yaml
from pixelwise.errors import DataError

NAMES_FILE = "classes.txt"
IMAGES, LABELS = "images", "labels"
SPLITS = ("train", "val", "test")
# Fractions may exceed the picture by rounding.
MOST_FRACTION = 1.01


def find_description(folder: Path) -> Path | None:
    """Find the YAML file that names classes and splits, or else classes.txt beside `labels`; None without both."""
    for file in [*find_files(folder, "data.yaml"), *find_files(folder, "*.yaml"), *find_files(folder, "*.yml")]:
        # A damaged data.yaml is reported by the reader; other YAML files may be anything.
        with suppress(*(() if file.name == "data.yaml" else (DataError,))):
            found = read_yaml(file, "YOLO's names")
            if "names" in found and found.keys() & {*SPLITS, "nc"}:
                return file
    file = folder / NAMES_FILE
    return file if file.is_file() and (folder / LABELS).is_dir() else None


def read(root: Path) -> RawData:
    """Read YOLO's layout under `root`. The classes are background and the names; pictures without text are background.

    Raises DataError if data.yaml has no names or its folders do not exist.
    """
    folder = find_folder(root, lambda path: find_description(path) is not None, "YOLO's data.yaml with names")
    file = find_description(folder) or folder / NAMES_FILE
    notes = Notes()
    if file.name == NAMES_FILE:
        names: list[Any] = [line for line in read_text(file).splitlines() if line.strip()]
        splits = {"": [folder / IMAGES]}
    else:
        described = read_yaml(file, "YOLO's names")
        names, splits = read_names(described["names"], file), find_splits(described, file, notes)
        if (count := described.get("nc", len(names))) != len(names):
            raise DataError(f"{file}: found nc {count} and {len(names)} names, expected a name a class")
    classes = merge_class_tables({file: names}, notes)
    pictures = [
        picture for split, places in splits.items() for place in places
        for picture in read_pictures(folder, place, split, [str(name) for name in names], notes)
    ]  # fmt: skip
    return make_raw_data("yolo", classes, pictures, notes)


def read_names(names: Any, file: Path) -> list[Any]:
    """The class names in the order of their numbers, from a list or from number -> name. Raises DataError."""
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        return [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(f"{file}: names: found {names!r}, expected a list, or numbers from 0 and their names")
    return names


def find_splits(described: dict[str, Any], file: Path, notes: Notes) -> dict[str, list[Path]]:
    """Find the folders, or lists of files, of each split. Raises DataError if none exists, or one is of two splits."""
    found: dict[str, list[Path]] = {}
    for split in SPLITS:
        given = described.get(split) or []
        for entry in given if isinstance(given, list) else [given]:
            place = find_place(file.parent, f"{described.get('path') or ''}/{entry}")
            if place is None:
                notes.add(f"places of {file.name} that do not exist, left out", f"{split}: {entry}")
            else:
                if other := next((name for name, places in found.items() if place in places), ""):
                    raise DataError(f"{file}: {other} and {split} are both {place}, expected pictures of their own")
                found.setdefault(split, []).append(place)
    if not found:
        raise DataError(f"{file}: found none of the places of {', '.join(SPLITS)}, expected folders of pictures")
    return found


def find_place(folder: Path, given: str) -> Path | None:
    """Find a place that data.yaml names: it is relative to various folders, or absolute on another machine."""
    parts = split_name(given)
    places = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    # Path.exists raises at names that no file system takes.
    return next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110


def read_pictures(folder: Path, place: Path, split: str, names: list[str], notes: Notes) -> Iterator[AnnotatedPicture]:
    """Read the pictures of a folder, or of a list of files, with their text files."""
    if place.is_file():
        files = [found for line in read_text(place).split() if (found := find_place(folder, line))]
    else:
        walked = walk(place, ["picture"])
        files = list(walked.files)
        if passed := {kind: n for kind, n in walked.passed_over.items() if kind != ".txt"}:
            notes.add(f"{place.name}: passed over {', '.join(f'{n} {kind}' for kind, n in passed.items())}")
    require_text(folder, [str(file) for file in files])
    for image in files:
        path = PurePosixPath(image.relative_to(folder).as_posix())
        text = find_label_file(folder, path)
        annotations = read_lines(text, names) if text.is_file() else []
        yield AnnotatedPicture(drop_part(path, IMAGES).as_posix(), split, image, annotations, text)


def find_label_file(folder: Path, path: PurePosixPath) -> Path:
    """The text file of the picture `path`, relative to `folder`: below `labels` in place of `images`, or beside it."""
    parts = list(path.parts)
    if IMAGES in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index(IMAGES)] = LABELS
    return folder.joinpath(*parts).with_suffix(".txt")


def drop_part(path: PurePosixPath, part: str) -> PurePosixPath:
    """`path` without the folder `part`."""
    return PurePosixPath(*(each for each in path.parts[:-1] if each != part), path.name)


def read_lines(file: Path, names: list[str]) -> list[Annotation]:
    """Read the annotations of a text file, one a line: the number of the class, then pairs of x and y."""
    found = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if words := line.split():
            name, shape = read_words(words, names)
            found.append(Annotation(f"line {number}", name, shape))
    return found


def read_words(words: list[str], names: list[str]) -> tuple[str, Shape]:
    """Read the class and the shape of a line; a fault makes the shape unusable."""
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return BACKGROUND, Unusable(f"found {' '.join(words)[:30]!r}, expected numbers")
    if numbers[0] not in range(len(names)):
        return BACKGROUND, Unusable(f"class {words[0]}, expected 0 to {len(names) - 1}")
    name, outline = names[int(numbers[0])], numbers[1:]
    if len(outline) == 4:
        return name, Unusable("a box of 4 numbers, expected an outline of at least 3 points")
    if any(not -MOST_FRACTION + 1 <= value <= MOST_FRACTION for value in outline):
        return name, Unusable("a number that is no fraction of the picture's size, expected 0 to 1")
    return name, Polygons([outline], is_relative=True)
