"""Give each annotated picture a split, and refuse pictures that are listed twice."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.notes import Notes
from pixelwise.data.split_names import choose_held_out


def give_splits(pictures: Sequence[AnnotatedPicture], notes: Notes) -> list[AnnotatedPicture]:
    """Give a split to every picture: where none has one, a tenth becomes val; else those without one become train."""
    without = {picture.path for picture in pictures if not picture.split}
    if not without:
        return list(pictures)
    if len(without) < len(pictures):
        notes.add("pictures without a split beside others, taken for train", f"{len(without)} of {len(pictures)}")
    val = choose_held_out(without) if len(without) == len(pictures) else set()
    if val:
        notes.add(f"no split found: {len(val)} of {len(pictures)} pictures, chosen by their names, became val")
    return [
        picture if picture.split else replace(picture, split="val" if picture.path in val else "train")
        for picture in pictures
    ]


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
