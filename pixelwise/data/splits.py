"""One split to be scored, decoded on demand: of prepared data, or of a data set in its published layout."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.data.decoding import MAX_PIXELS
from pixelwise.data.item_inspection import read_sample
from pixelwise.data.items import Classes, RawData
from pixelwise.data.notes import Notes
from pixelwise.data.prepared import MANIFEST_FILE, PreparedData, Sample
from pixelwise.data.read_params import ReadParams
from pixelwise.data.readers import read_dataset
from pixelwise.errors import DataError, ParamsError
from pixelwise.identity import sha256_file


@dataclass(frozen=True)
class Split:
    """The split to be scored.

    samples: decoded on demand. data_sha256: hash of prepared data's manifest, or None. notes: what a reader decided by
    itself, complete once all samples are read.
    """

    dataset: str
    classes: Classes
    samples: Sequence[Sample]
    data_sha256: str | None
    notes: Notes = field(default_factory=Notes)


def open_split(
    split: str,
    data: Path | None,
    dataset: str | None,
    root: Path | None,
    layers: tuple[str, ...],
    reading: ReadParams | None = None,
) -> Split:
    """Open one split of prepared `data`, or of the `dataset` under `root`, with the `layers` that the model needs.

    reading: how the data set under `root` is read.

    Raises ParamsError if neither or both are given, DataError if the folder or the split does not exist.
    """
    if data and not dataset and not root:
        prepared = PreparedData(data)
        samples = prepared.split(split).with_layers(*layers)
        return Split(prepared.name, prepared.classes, samples, sha256_file(data / MANIFEST_FILE))
    if data or not dataset or not root:
        raise ParamsError("evaluate: expected either --data FOLDER, or --dataset NAME with --root FOLDER")
    if not root.is_dir():
        raise DataError(f"root {root}: no such folder, expected that of a {dataset} data set, an archive unpacked")
    raw = read_dataset(dataset, root, reading)
    return Split(raw.name, raw.classes, RawSplit(raw, split, layers), None, raw.notes)


class RawSplit(Sequence[Sample]):
    """One split of a data set in its published layout, decoded on demand. Raises DataError if the split is empty."""

    def __init__(self, raw: RawData, split: str, layers: tuple[str, ...] = ()) -> None:
        self.raw, self.layers = raw, layers
        self.items = [item for item in raw.items if item.split in split.split("+")]
        if not self.items:
            found = ", ".join(dict.fromkeys(item.split for item in raw.items))
            raise DataError(f"data set {raw.name}: no split {split}, expected one of: {found}")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        item = self.items[index]
        image, label, layers = read_sample(item, self.raw, MAX_PIXELS, self.layers)
        return Sample(id=item.id, image=image, label=label, layers=layers)


def read_clip_and_frame(samples: Any, place: int) -> tuple[str, int]:
    """Read the clip and the frame number of the item at index `place`."""
    if hasattr(samples, "rows"):
        return samples.rows[place]["clip"], samples.rows[place]["frame"]
    return samples.items[place].clip, samples.items[place].frame
