"""PASCAL VOC's segmentation layout: ImageSets/Segmentation, JPEGImages, SegmentationClass (Everingham et al. 2010)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import VOID, Classes, Item, MapFile, RawData, make_bit_palette
from pixelwise.data.readers import label_map
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

NAMES = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
LISTS = Path("ImageSets/Segmentation")
IMAGES = Path("JPEGImages")
OBJECTS = Path("SegmentationObject")
# The second folder contains SBD's labels as PNG, which most lists of additional training pictures expect.
LABELS = (Path("SegmentationClass"), Path("SegmentationClassAug"))
CLASSES = Classes(NAMES, make_bit_palette(len(NAMES)))
LABEL_VALUES = {**{value: value for value in range(len(NAMES))}, VOID: VOID}


def read(root: Path) -> RawData:
    """Read VOC under `root`: the VOCdevkit folder, the folder of one year, or a folder that contains them.

    Each list is a split with the list's name. A picture belongs to the shortest list that contains it, so trainval
    becomes empty and is dropped. A list without any label, such as VOC's own test, is dropped too. If all pictures have
    a file in SegmentationObject, the layer `instance` numbers the objects. An annotation tool's export, with its own
    classes in labelmap.txt, is read by `label_map`. Raises DataError if there are no lists.
    """
    folder = find_year(root)
    if label_map.is_label_map(folder):
        return label_map.read(folder)
    splits = {file.stem: read_ids(file) for file in find_files(folder / LISTS, "*.txt")}
    items = [item for split, ids in make_disjoint(splits).items() for item in list_labelled_items(folder, split, ids)]
    items = add_objects(items, lambda item: find_object_file(folder, item))
    return RawData(name="voc", classes=CLASSES, items=items, label_values=LABEL_VALUES)


def find_object_file(folder: Path, item: Item) -> MapFile:
    """The file of a picture's object numbers."""
    return MapFile(folder / OBJECTS / f"{item.id}.png", convert=convert_to_ids)


def add_objects(items: Sequence[Item], find: Callable[[Item], MapFile]) -> list[Item]:
    """Add the file that `find` returns as the layer `instance`; leave all items unchanged if one has no such file."""
    files = [find(item) for item in items]
    if not all(file.path.is_file() for file in files):
        return list(items)
    return [replace(item, layers={"instance": file}) for item, file in zip(items, files, strict=True)]


def convert_to_ids(objects: np.ndarray) -> np.ndarray:
    """Convert a map of object numbers to the layer `instance` (uint16); void becomes 0, no object."""
    return np.where(objects == VOID, 0, objects).astype(np.uint16)


def find_year(root: Path) -> Path:
    """Find the folder of a year nearest to `root`, the first of several. Raises DataError if there is none."""
    return find_folder(root, lambda path: bool(find_files(path / LISTS, "*.txt")), f"VOC's {LISTS}/*.txt")


def read_ids(file: Path) -> list[str]:
    """Read the picture ids of a list, one per line. Raises DataError at an id that is not a plain name."""
    ids = read_text(file).split()
    for id_ in ids:
        if Path(id_).name != id_:
            raise DataError(f"{file.name}: found {id_!r}, expected one picture id a line")
    return ids


def make_disjoint(splits: dict[str, list[str]]) -> dict[str, list[str]]:
    """Keep each id only in the shortest list that contains it, and drop empty lists; the order of `splits` stays."""
    owner: dict[str, str] = {}
    for split, ids in sorted(splits.items(), key=lambda pair: len(pair[1])):
        for id_ in ids:
            owner.setdefault(id_, split)
    left = {split: [id_ for id_ in ids if owner[id_] == split] for split, ids in splits.items()}
    return {split: ids for split, ids in left.items() if ids}


def list_labelled_items(folder: Path, split: str, ids: list[str]) -> list[Item]:
    """List the items of a split; an empty list if none of its labels was published."""
    labels = [find_label(folder, id_) for id_ in ids]
    if not any(label.is_file() for label in labels):
        return []
    images = [folder / IMAGES / f"{id_}.jpg" for id_ in ids]
    return [Item(id_, split, image, label) for id_, image, label in zip(ids, images, labels, strict=True)]


def find_label(folder: Path, id_: str) -> Path:
    """Find the label of a picture: VOC's own if it is published, else SBD's."""
    official, *others = (folder / labels / f"{id_}.png" for labels in LABELS)
    return next((label for label in (official, *others) if label.is_file()), official)
