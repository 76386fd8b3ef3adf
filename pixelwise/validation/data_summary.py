"""Summary of a prepared data set from its manifest, dataset.json and quarantine.json. No image is decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pixelwise.data.items import Classes
from pixelwise.data.prepared import MANIFEST_FILE, QUARANTINE_FILE, PreparedData
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.identity import sha256_file

TEXT = ("id", "split", "clip", "image_sha256", "dhash", "label_sha256")
SIZES = ("height", "width", "label_height", "label_width")
MOMENTS = ("mean_r", "mean_g", "mean_b", "std_r", "std_g", "std_b")
JUDGED_COLUMNS = (*TEXT, *SIZES, *MOMENTS, "label_min", "label_max", "void_share")


@dataclass(frozen=True)
class DataSummary:
    """The data to check. manifest: a row per item; quarantine: a row per rejected file (id, split, file, reason)."""

    name: str
    classes: Classes
    manifest: pd.DataFrame
    manifest_sha256: str
    quarantine: pd.DataFrame
    quarantined_share: float

    @property
    def splits(self) -> dict[str, int]:
        """Split -> number of items, with train and val first."""
        counts = self.manifest["split"].value_counts()
        ordered = sorted(counts.index, key=lambda name: (name != "train", name != "val", name))
        return {name: int(counts[name]) for name in ordered}

    def pixels(self, split: str) -> np.ndarray:
        """(n, K) pixels of each class in each of the n items of a split."""
        return stack_pixels(self.manifest[self.manifest["split"] == split], len(self.classes))


def stack_pixels(manifest: pd.DataFrame, classes: int) -> np.ndarray:
    """The column `pixels` of n rows as (n, K) int64."""
    return np.array(list(manifest["pixels"]), dtype=np.int64).reshape(len(manifest), classes)


def read_summary(data: Path) -> DataSummary:
    """Read the prepared `data`. Raises DataError unless it is complete and unchanged output of ingest."""
    prepared = PreparedData(data)
    require_manifest(data, prepared)
    items, share = read_quarantine(data / QUARANTINE_FILE)
    return DataSummary(
        name=prepared.name,
        classes=prepared.classes,
        manifest=prepared.manifest.select([*JUDGED_COLUMNS, "pixels"]).to_pandas(),
        manifest_sha256=sha256_file(data / MANIFEST_FILE),
        quarantine=pd.DataFrame(items, columns=["id", "split", "file", "reason"], dtype=object),
        quarantined_share=share,
    )


def require_manifest(data: Path, prepared: PreparedData) -> None:
    """Raise DataError if the manifest lacks a column, or an item lacks a class's pixel count."""
    file = data / MANIFEST_FILE
    missing = [name for name in (*JUDGED_COLUMNS, "pixels") if name not in prepared.manifest.column_names]
    if missing:
        raise DataError(f"{file}: no column {missing[0]}, expected it from `pixelwise ingest`; ingest again")
    for row in prepared.manifest.select(["id", "pixels"]).to_pylist():
        if len(row["pixels"] or ()) != len(prepared.classes):
            count = len(row["pixels"] or ())
            raise DataError(f"{file}: item {row['id']}: {count} pixel counts, expected {len(prepared.classes)}")


def read_quarantine(file: Path) -> tuple[list[dict[str, str]], float]:
    """Read the rejected files and their share of all files. Raises DataError if `file` is not output of ingest."""
    content = read_json(file, "what ingest writes")
    try:
        return list(content["items"]), float(content["share"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{file}: found no share and items, expected what ingest writes") from None
