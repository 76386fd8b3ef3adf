"""Merge the class tables of the files of a data set by name, since each file may number its classes differently."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

BACKGROUND = "background"
# What tools call pixels that belong to no object.
BACKGROUNDS = {"background", "_background_", "__background__"}


def merge_class_tables(tables: Mapping[Path, Iterable[Any]], notes: Notes) -> list[str]:
    """Merge lists of class names, one a file: background, then the others in the order of their first occurrence.

    Raises DataError at a name that is no text or empty, or that a file gives twice.
    """
    names = [BACKGROUND]
    for file, table in tables.items():
        found = [check_class_name(name, file) for name in table]
        for name in found:
            if found.count(name) > 1:
                raise DataError(f"{file}: found {found.count(name)} classes called {name}, expected each name once")
        if len(names) > 1 and found != [name for name in names if name in found]:
            notes.add("files that number their classes otherwise than the first, matched by name", file.name)
        names += [name for name in found if name not in names]
    for name, others in find_alike(names).items():
        notes.add("class names that differ in case alone, kept apart", f"{name} and {others}")
    return names


def find_alike(names: Iterable[str]) -> dict[str, str]:
    """Find names that differ in case alone: one -> another."""
    first: dict[str, str] = {}
    return {first[key]: name for name in names if first.setdefault(key := name.lower(), name) != name}


def check_class_name(name: Any, file: Path) -> str:
    """Return the `canonical_name` of a class.

    Raises DataError if it is no text, or empty.
    """
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{file}: found the class name {name!r}, expected text")
    return canonical_name(name)


def canonical_name(name: str) -> str:
    """The class `name` without needless space; every name of the background becomes BACKGROUND."""
    name = " ".join(name.split())
    return BACKGROUND if name.lower() in BACKGROUNDS else name


def list_names(pictures: Iterable[AnnotatedPicture], without: Collection[str] = ()) -> list[str]:
    """List the class names of the annotations in alphabetical order, for formats without a table of classes."""
    return sorted({canonical_name(each.name) for picture in pictures for each in picture.annotations} - {*without})
