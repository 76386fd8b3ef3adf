"""Read one JSON file of COCO: its lists, checked for ids that contradict each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.shapes import describe_value
from pixelwise.documents import read_json
from pixelwise.errors import DataError

LISTS = ("images", "annotations", "categories")
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class CocoFile:
    """The lists of a file. images, categories: id -> entry."""

    path: Path
    images: Mapping[Any, Entry]
    annotations: list[Entry]
    categories: Mapping[Any, Entry]


def read_coco_file(file: Path) -> CocoFile:
    """Read the lists of a file. Raises DataError if one is missing or damaged, or an id is given twice."""
    found = read_json(file, f"COCO's lists: {', '.join(LISTS)}")
    for name in LISTS:
        if not isinstance(found.get(name), list):
            raise DataError(f"{file}: no list {name}, expected COCO's lists: {', '.join(LISTS)}")
        for entry in found[name]:
            if not isinstance(entry, dict):
                raise DataError(f"{file}: {name}: found {describe_value(entry)}, expected a mapping")
    for entry in found["images"]:
        if not isinstance(entry.get("file_name"), str) or not entry["file_name"]:
            raise DataError(f"{file}: images: id {entry.get('id')}: no file_name, expected a path")
    images, categories = (map_ids(file, name, found[name]) for name in ("images", "categories"))
    return CocoFile(file, images, found["annotations"], categories)


def map_ids(file: Path, name: str, entries: list[Entry]) -> dict[Any, Entry]:
    """Map the ids of a list to its entries. Raises DataError if one is missing, or given twice."""
    found: dict[Any, Entry] = {}
    label = "file_name" if name == "images" else "name"
    for entry in entries:
        if entry.get("id") is None:
            raise DataError(f"{file}: {name}: {describe_value(entry.get(label))} without id, expected one")
        id_ = make_key(entry["id"])
        if id_ in found:
            both = f"{describe_value(found[id_].get(label))} and {describe_value(entry.get(label))}"
            raise DataError(f"{file}: {name}: id {id_} is given to {both}, expected each id once")
        found[id_] = entry
    return found


def make_key(value: Any) -> Any:
    """An id that can be compared: tools write one id as a number in one list and as text in the other."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) else describe_value(value)
