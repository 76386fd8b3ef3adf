"""The tables that the checks judge, derived from a DataSummary; each has a column `id` that names its rows.

Great Expectations checks a column of one table, so properties that span rows or splits become columns here. A text
column is None for a good row and describes the fault of a bad one.
"""

from collections.abc import Mapping
from itertools import zip_longest

import numpy as np
import pandas as pd

from pixelwise.validation.data_summary import JUDGED_COLUMNS, DataSummary
from pixelwise.validation.drift import Statistics, compute_psi_parts, compute_shares, measure_drift
from pixelwise.validation.near_duplicates import find_near_duplicates

Tables = dict[str, pd.DataFrame]
DRIFT_TABLES = ("class_names", "image_drift", "class_drift")


def build_tables(data: DataSummary, required: Mapping[str, int]) -> Tables:
    """Build the tables `items`, `clips`, `splits`, `classes`, `files` and `quarantine`.

    required: split -> minimum number of images.
    """
    return {
        "items": make_item_table(data.manifest),
        "clips": make_clip_table(data.manifest),
        "splits": make_split_table(data, required),
        "classes": make_class_table(data),
        "files": pd.DataFrame({"id": [data.name], "quarantined_share": [data.quarantined_share]}),
        "quarantine": data.quarantine[["id", "reason"]],
    }


def make_item_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Make one row per item: the manifest, plus columns derived from the item and from items with the same picture."""
    area = manifest["height"] * manifest["width"]
    ratio = area / area.median()
    return manifest.drop(columns="pixels").assign(
        missing_fields=name_missing_fields(manifest),
        image_size=format_sizes(manifest["width"], manifest["height"]),
        label_size=format_sizes(manifest["label_width"], manifest["label_height"]),
        # An all-void label has no class value. The cell becomes empty, and Great Expectations skips empty cells.
        lowest_label=manifest["label_min"].where(manifest["void_share"] < 1),
        highest_label=manifest["label_max"].where(manifest["void_share"] < 1),
        short_side=manifest[["height", "width"]].min(axis=1),
        size_ratio=np.maximum(ratio, 1 / ratio),
        contrast=manifest[["std_r", "std_g", "std_b"]].max(axis=1),
        same_picture_across_splits=find_same_images(manifest, across_splits=True),
        same_picture_in_split=find_same_images(manifest, across_splits=False),
        near_duplicate=find_near_duplicates(manifest),
    )


def name_missing_fields(manifest: pd.DataFrame) -> pd.Series:
    """List the names of an item's empty fields, None if there are none.

    Great Expectations skips empty values in all other checks, so this column is what detects them.
    """
    empty = manifest[list(JUDGED_COLUMNS)].isna()
    words = pd.Series(None, index=manifest.index, dtype=object)
    for row in manifest.index[empty.any(axis=1)]:
        words[row] = ", ".join(empty.columns[empty.loc[row]])
    return words


def format_sizes(width: pd.Series, height: pd.Series) -> pd.Series:
    """Format sizes as `480×360`, width first."""
    return width.astype(str) + "×" + height.astype(str)


def find_same_images(manifest: pd.DataFrame, *, across_splits: bool) -> pd.Series:
    """List the items with the same pixels as an item, itself included, as `a (train) = b (val)`; None if no other has.

    Within a split, equal frames of one clip do not count, because a still camera records equal frames.
    """
    words = pd.Series(None, index=manifest.index, dtype=object)
    twins = manifest[manifest.duplicated("image_sha256", keep=False) & manifest["image_sha256"].notna()]
    for _, group in twins.groupby("image_sha256", sort=False):
        names = [f"{item} ({split})" for item, split in zip(group["id"], group["split"], strict=True)]
        if across_splits and group["split"].nunique() > 1:
            words[group.index] = " = ".join(names)
        if not across_splits and find_repeats_outside_clips(group):
            words[group.index] = " = ".join(names)
    return words


def find_repeats_outside_clips(twins: pd.DataFrame) -> bool:
    """Whether two of these items, which have the same picture, are in one split but not frames of one clip."""
    sources = twins[(twins["clip"] == "") | ~twins.duplicated(["split", "clip"])]
    return bool(sources.duplicated("split").any())


def make_clip_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Make one row per clip. `shared` names the clip's splits if there are several, else None."""
    splits = manifest[manifest["clip"].fillna("") != ""].groupby("clip")["split"].unique()
    shared = [" and ".join(sorted(names)) if len(names) > 1 else None for names in splits]
    return pd.DataFrame({"id": list(splits.index), "shared": pd.Series(shared, dtype=object)})


def make_split_table(data: DataSummary, required: Mapping[str, int]) -> pd.DataFrame:
    """Make one row per present or required split: images, required images, mean void share, PSI against train."""
    names = [*data.splits, *(name for name in required if name not in data.splits)]
    train = compute_shares(data.pixels("train").sum(axis=0))
    rows = []
    for name in names:
        items, pixels = data.manifest[data.manifest["split"] == name], data.pixels(name).sum(axis=0)
        can_compare = pixels.any() and train.any()
        rows.append(
            {
                "id": name,
                "images": len(items),
                "required": required.get(name, 0),
                "void_share": items["void_share"].mean(),
                "psi": compute_psi_parts(train, compute_shares(pixels)).sum() if can_compare else None,
            }
        )
    return pd.DataFrame(rows, columns=["id", "images", "required", "void_share", "psi"])


def make_class_table(data: DataSummary) -> pd.DataFrame:
    """Make one row per class: its training images, its share of labelled training pixels, the splits that lack it."""
    train = data.pixels("train")
    pixels = {name: data.pixels(name).sum(axis=0) for name in data.splits}
    absent = [
        ", ".join(name for name in pixels if not pixels[name][index]) or None for index in range(len(data.classes))
    ]
    return pd.DataFrame(
        {
            "id": data.classes.names,
            "train_images": (train > 0).sum(axis=0),
            "train_share": compute_shares(train.sum(axis=0)),
            "absent_from": pd.Series(absent, dtype=object),
        }
    )


def make_drift_tables(accepted: Statistics, current: Statistics) -> Tables:
    """Make the DRIFT_TABLES: one row per label value, one row per statistic, and one row for all class shares."""
    moved = measure_drift(accepted, current)
    pairs = list(zip_longest(accepted.classes, current.classes, fillvalue="absent"))
    changes = [f"was {before}, is {now}" if before != now else None for before, now in pairs]
    return {
        "class_names": pd.DataFrame(
            {"id": [f"value {value}" for value in range(len(pairs))], "change": pd.Series(changes, dtype=object)}
        ),
        "image_drift": pd.DataFrame({"id": list(moved.shifts), "shift": list(moved.shifts.values())}),
        "class_drift": pd.DataFrame(
            {"id": [f"class shares, most of all {moved.most_moved_class}"], "psi": [moved.psi]}
        ),
    }
