"""The labelled pictures that a guided model is scored on, decoded on demand: of a data set as it comes, or prepared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from components.datasets.decoding import MAX_PIXELS
from components.datasets.examine import read_pair
from components.datasets.items import Item, RawData
from components.datasets.prepared import PreparedData, Sample
from components.datasets.readers import read_dataset
from components.errors import DataError, ParamsError


class Labelled(NamedTuple):
    """A split: its samples, the clip of each, "" for stills, and the names of its classes."""

    samples: Sequence[Sample]
    clips: Sequence[str]
    names: Sequence[str]


class RawSamples(Sequence[Sample]):
    """Items of a data set, decoded on demand."""

    def __init__(self, raw: RawData, items: Sequence[Item]) -> None:
        self.raw, self.items = raw, items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        image, label = read_pair(self.items[index], self.raw, MAX_PIXELS)
        return Sample(self.items[index].id, image, label)


def open_labelled(split: str, data: Path | None, dataset: str | None, root: Path | None) -> Labelled:
    """One split of prepared `data`, or of the `dataset` under `root`.

    Raises ParamsError where neither or both are given, DataError where there is no such folder or split.
    """
    if data and not dataset and not root:
        prepared = PreparedData(data).split(split)
        return Labelled(prepared, [row["clip"] for row in prepared.rows], prepared.classes.names)
    if data or not dataset or not root:
        raise ParamsError("evaluate: expected either --data FOLDER, or --dataset NAME with --root FOLDER")
    if not root.is_dir():
        raise DataError(f"root {root}: no such folder, expected that of a {dataset} data set, an archive unpacked")
    raw = read_dataset(dataset, root)
    items = [item for item in raw.items if item.split == split]
    if not items:
        found = ", ".join(dict.fromkeys(item.split for item in raw.items))
        raise DataError(f"data set {raw.name}: no split {split}, expected one of: {found}")
    return Labelled(RawSamples(raw, items), [item.clip for item in items], raw.classes.names)
