"""Give each annotated picture a split, and refuse pictures that are listed twice."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.notes import Notes
from pixelwise.data.split_names import choose_held_out


def give_splits(pictures: Sequence[AnnotatedPicture], notes: Notes) -> list[AnnotatedPicture]:
    """Give a split to every picture: where there is none but train, a tenth becomes val, chosen by hashes of paths."""
    without = sum(not picture.split for picture in pictures)
    if 0 < without < len(pictures):
        notes.add(f"{without} of {len(pictures)} pictures have no split, taken for train")
    if {picture.split for picture in pictures} - {"", "train"}:
        return [picture if picture.split else replace(picture, split="train") for picture in pictures]
    val = choose_held_out({picture.path for picture in pictures})
    if val:
        notes.add(f"no split beside train: {len(val)} of {len(pictures)} pictures, chosen by their names, became val")
    return [replace(picture, split="val" if picture.path in val else "train") for picture in pictures]


def require_distinct(pictures: Sequence[AnnotatedPicture]) -> list[AnnotatedPicture]:
    """Mark pictures that share one file as faulty, since each may have a part of the annotations."""
    sharing = defaultdict(list)
    for picture in pictures:
        if isinstance(picture.image, Path):
            sharing[picture.image].append(picture)
    return [
        replace(picture, fault=f"listed {len(others)} times: {', '.join(other.source.name for other in others[:3])}")
        if isinstance(picture.image, Path) and len(others := sharing[picture.image]) > 1
        else picture
        for picture in pictures
    ]
