"""What only pictures show: a sample of the pictures is decoded and compared with their labels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.items import Classes
from pixelwise.data.prepared import PreparedData
from pixelwise.progress import progress
from pixelwise.validation.class_looks import describe_swaps, find_swapped_classes, measure_looks
from pixelwise.validation.mask_fit import describe_misfit, describe_misfit_of_split, find_scale, measure_agreement
from pixelwise.validation.tables import Tables


@dataclass(frozen=True)
class SampledPicture:
    """One decoded picture. agreement: of `measure_agreement`; scale: of `find_scale`; looks: of `measure_looks`."""

    id: str
    split: str
    agreement: np.ndarray | None
    scale: float
    looks: np.ndarray

    @classmethod
    def from_arrays(cls, id_: str, split: str, image: np.ndarray, label: np.ndarray, classes: int) -> "SampledPicture":
        """Measure one picture (H, W, 3) uint8 and its label (H, W) uint8."""
        looks = measure_looks(image, label, classes)
        return cls(id_, split, measure_agreement(image, label), find_scale(label.shape), looks)

    @property
    def misfit(self) -> str | None:
        """By which turn or shift the mask fits better; None if it fits as it is or cannot be judged."""
        wrong = None if self.agreement is None else describe_misfit(self.agreement, self.scale)
        return f"its mask fits better {wrong}" if wrong else None


def sample_pictures(data: PreparedData, most: int) -> list[SampledPicture]:
    """Measure at most `most` pictures of each split. Raises DataError if a shard is damaged."""
    opened = [(name, data.split(name)) for name in data.splits]
    places = [(name, split, place) for name, split in opened for place in sample_evenly(len(split), most)]
    return [
        SampledPicture.from_arrays(sample.id, name, sample.image, sample.label, len(data.classes))
        for name, split, place in progress(places, "look at pictures")
        for sample in [split[place]]
    ]


def make_sample_tables(sample: Sequence[SampledPicture], items: pd.DataFrame, classes: Classes) -> Tables:
    """Make the tables `sample` (a row per picture), `sampled_splits` and `class_looks` (a row per class and split).

    items: the table of all items, with its column `near_duplicate`.
    """
    of_split: dict[str, list[SampledPicture]] = defaultdict(list)
    for picture in sample:
        of_split[picture.split].append(picture)
    looks = {name: np.stack([picture.looks for picture in pictures]) for name, pictures in of_split.items()}
    others = [name for name in looks if "train" in looks and name != "train"]
    swapped = {name: find_swapped_classes(looks["train"], looks[name]) for name in others}
    rows = [
        make_split_row(name, pictures, items[items["split"] == name], len(swapped.get(name, ())))
        for name, pictures in of_split.items()
    ]
    pictures = {"id": [picture.id for picture in sample], "misfit": as_text(picture.misfit for picture in sample)}
    return {
        "sample": pd.DataFrame(pictures),
        "sampled_splits": pd.DataFrame(rows),
        "class_looks": make_looks_table(swapped, classes.names),
    }


def make_split_row(name: str, pictures: Sequence[SampledPicture], items: pd.DataFrame, swapped: int) -> dict[str, Any]:
    """Make a split's row of the table `sampled_splits`."""
    judged = [picture for picture in pictures if picture.agreement is not None]
    agreements = [picture.agreement for picture in judged if picture.agreement is not None]
    scale = float(np.median([picture.scale for picture in pictures]))
    return {
        "id": name,
        "misfit": describe_misfit_of_split(agreements, scale),
        "misfit_share": sum(picture.misfit is not None for picture in judged) / max(1, len(judged)),
        "near_duplicate_share": float(items["near_duplicate"].notna().mean()),
        "swapped_classes": swapped,
    }


def make_looks_table(swapped: dict[str, dict[int, int]], names: Sequence[str]) -> pd.DataFrame:
    """Make one row per class and split other than train; `looks_like` describes a swapped class, else None."""
    rows = [
        {"id": f"{name} ({split})", "looks_like": described.get(index)}
        for split, found in swapped.items()
        for described in [describe_swaps(found, names)]
        for index, name in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["id", "looks_like"], dtype=object)


def as_text(values: Iterable[str | None]) -> pd.Series:
    """A column of texts and None, which pandas must not turn into numbers."""
    return pd.Series(list(values), dtype=object)
