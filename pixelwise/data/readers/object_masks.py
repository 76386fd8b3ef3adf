"""Lists of object masks: coco_mval, one object per picture; davis_frames, frames of clips; and both joined with VOC."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import VOID, Classes, Item, MapFile, RawData, make_bit_palette
from pixelwise.data.readers import voc
from pixelwise.errors import DataError

INDEX = "index.tsv"
# Columns of the index of each list.
OBJECTS, FRAMES = ("id", "category"), ("id", "sequence")
# COCO's names of VOC's classes, where they differ.
IN_VOC = {
    "airplane": "aeroplane",
    "couch": "sofa",
    "dining table": "diningtable",
    "motorcycle": "motorbike",
    "potted plant": "pottedplant",
    "tv": "tvmonitor",
}
# Folder names of the three parts of the joined data set.
PARTS = ("voc", "coco_mval", "davis_frames")
# Number of davis_frames sequences that are held out as val, for the choice of weights.
VAL_SEQUENCES = 5


def read_mval(root: Path) -> RawData:
    """Read coco_mval under `root`: one object per picture, labelled with its category; all items are in the split val.

    Other objects of a picture, also of the same category, have no mask and count as background.
    """
    root = find_list(root, OBJECTS)
    rows = read_index(root, OBJECTS)
    names = ("background", *sorted({row["category"] for row in rows}))
    classes = Classes(names, make_bit_palette(len(names)))
    items = [make_object_item(root, row["id"], "val", names.index(row["category"])) for row in rows]
    return RawData("coco_mval", classes, items, make_identity_values(names))


def read_frames(root: Path) -> RawData:
    """Read davis_frames under `root`: all objects are one class; the last VAL_SEQUENCES sequences are the split val."""
    root = find_list(root, FRAMES)
    rows = read_index(root, FRAMES)
    kept = sorted({row["sequence"] for row in rows})[-VAL_SEQUENCES:]
    classes = Classes(("background", "object"), make_bit_palette(2))
    items = [make_frame_item(root, row, "val" if row["sequence"] in kept else "train", 1) for row in rows]
    return RawData("davis_frames", classes, items, make_identity_values(classes.names))


def read_together(root: Path) -> RawData:
    """Read voc, coco_mval and davis_frames under `root` as one data set.

    Its classes are VOC's classes, COCO's additional categories, and `object`. train: VOC's lists except val, all of
    coco_mval, and davis_frames' train. val: VOC's val and davis_frames' val. Classes that training must not see are
    selected by name.
    """
    root = find_folder(root, is_together, f"the folders {', '.join(PARTS)}")
    first, second, third = (root / part for part in PARTS)
    stills, frames = voc.read(first), read_frames(third)
    rows = read_index(second, OBJECTS)
    named = {row["category"]: IN_VOC.get(row["category"], row["category"]) for row in rows}
    names = (*voc.NAMES, *sorted(set(named.values()) - set(voc.NAMES)), "object")
    items = [
        *(rename_item(item, "voc", "val" if item.split == "val" else "train") for item in stills.items),
        *(make_object_item(second, row["id"], "train", names.index(named[row["category"]]), "coco/") for row in rows),
        *(
            make_frame_item(third, row, item.split, len(names) - 1, "davis/")
            for row, item in zip(read_index(third, FRAMES), frames.items, strict=True)
        ),
    ]
    return RawData(
        "guided", Classes(names, make_bit_palette(len(names))), items, {**make_identity_values(names), VOID: VOID}
    )


def is_mval(folder: Path) -> bool:
    """Whether `folder` holds a list of objects."""
    return has_columns(folder, OBJECTS)


def is_frames(folder: Path) -> bool:
    """Whether `folder` holds a list of frames."""
    return has_columns(folder, FRAMES)


def find_list(root: Path, columns: Sequence[str]) -> Path:
    """Find the folder whose index has these columns; `root` without one, so that `read_index` says what is missing."""
    try:
        return find_folder(root, lambda folder: has_columns(folder, columns), INDEX)
    except DataError:
        return root


def is_together(folder: Path) -> bool:
    """Whether `folder` holds all three parts of the joined data set."""
    return all((folder / part).is_dir() for part in PARTS)


def has_columns(folder: Path, columns: Sequence[str]) -> bool:
    """Whether the index of `folder` has these columns; a missing one has none."""
    try:
        return bool(read_index(folder, columns))
    except DataError:
        return False


def read_index(root: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of the index. Raises DataError if it is missing, empty or lacks a column."""
    file = root / INDEX
    try:
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
    except OSError:
        raise DataError(f"{file}: no such file, expected a list of masks: {', '.join(columns)}") from None
    if not rows or (missing := [name for name in columns if name not in rows[0]]):
        raise DataError(f"{file}: no {', '.join(missing) if rows else 'row'}, expected columns {', '.join(columns)}")
    return rows


def make_object_item(root: Path, id_: str, split: str, value: int, prefix: str = "") -> Item:
    """Make an item whose mask pixels have the class `value`."""
    image, mask = root / "images" / f"{id_}.jpg", root / "masks" / f"{id_}.png"
    return Item(prefix + id_, split, image, MapFile(mask, convert=make_converter(value)))


def make_frame_item(root: Path, row: Mapping[str, str], split: str, value: int, prefix: str = "") -> Item:
    """Make the item of a frame of a clip; all its objects have the class `value`, and its id is the frame number."""
    item = make_object_item(root, row["id"], split, value, prefix)
    return Item(item.id, split, item.image, item.label, row["sequence"], int(row["id"]))


def rename_item(item: Item, prefix: str, split: str) -> Item:
    """Copy `item` to `split` with a prefix of its id that is unique to the part; the layers are dropped."""
    return Item(f"{prefix}/{item.id}", split, item.image, item.label)


def make_converter(value: int) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function that converts a mask, non-zero on the object, to a label of the class `value`."""
    return lambda mask: np.where(mask > 0, value, 0).astype(np.uint8)


def make_identity_values(names: Sequence[str]) -> dict[int, int]:
    """Map each label value to itself, for labels that already contain class indices."""
    return {value: value for value in range(len(names))}
