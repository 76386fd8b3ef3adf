"""PASCAL VOC's segmentation layout: ImageSets/Segmentation, JPEGImages, SegmentationClass (Everingham et al. 2010)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import VOID, Classes, Item, MapFile, RawData, bit_palette
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
# The second holds SBD's labels as PNG, as most lists of further training pictures expect.
LABELS = (Path("SegmentationClass"), Path("SegmentationClassAug"))
CLASSES = Classes(NAMES, bit_palette(len(NAMES)))
LABEL_VALUES = {**{value: value for value in range(len(NAMES))}, VOID: VOID}


def read(root: Path) -> RawData:
    """VOC under `root`: the VOCdevkit folder, the folder of one year, or what holds them.

    Every list is a split, under its own name. A picture belongs to the shortest list that names it, so that trainval is
    left with nothing and vanishes; so does a list without a single label, as VOC's own test. Where SegmentationObject
    is there, the layer `instance` numbers the objects of a picture. Raises DataError where there are no lists.
    """
    folder = find_year(root)
    splits = {file.stem: read_ids(file) for file in sorted((folder / LISTS).glob("*.txt"))}
    items = [item for split, ids in make_disjoint(splits).items() for item in list_labelled_items(folder, split, ids)]
    items = add_objects(items, lambda item: find_object_file(folder, item))
    return RawData(name="voc", classes=CLASSES, items=items, label_values=LABEL_VALUES)


def find_object_file(folder: Path, item: Item) -> MapFile:
    """Where a picture's objects are numbered."""
    return MapFile(folder / OBJECTS / f"{item.id}.png", convert=convert_to_ids)


def add_objects(items: Sequence[Item], find: Callable[[Item], MapFile]) -> list[Item]:
    """`items` with what `find` gives as the layer `instance`; as they are where one has no such file."""
    files = [find(item) for item in items]
    if not all(file.path.is_file() for file in files):
        return list(items)
    return [replace(item, layers={"instance": file}) for item, file in zip(items, files, strict=True)]


def convert_to_ids(objects: np.ndarray) -> np.ndarray:
    """The numbers of a map of objects, as the layer `instance` has them; its void belongs to none."""
    return np.where(objects == VOID, 0, objects).astype(np.uint16)


def find_year(root: Path) -> Path:
    """The folder of a year nearest to `root`, of several the first. Raises DataError where there is none."""
    return find_folder(root, lambda path: any((path / LISTS).glob("*.txt")), f"VOC's {LISTS}/*.txt")


def read_ids(file: Path) -> list[str]:
    """The picture ids of a list, one a line. Raises DataError at one that is no plain name."""
    ids = read_text(file).split()
    for id_ in ids:
        if Path(id_).name != id_:
            raise DataError(f"{file.name}: found {id_!r}, expected one picture id a line")
    return ids


def make_disjoint(splits: dict[str, list[str]]) -> dict[str, list[str]]:
    """`splits` with every id only in the shortest list that names it, in the order of `splits`; no empty lists."""
    owner: dict[str, str] = {}
    for split, ids in sorted(splits.items(), key=lambda pair: len(pair[1])):
        for id_ in ids:
            owner.setdefault(id_, split)
    left = {split: [id_ for id_ in ids if owner[id_] == split] for split, ids in splits.items()}
    return {split: ids for split, ids in left.items() if ids}


def list_labelled_items(folder: Path, split: str, ids: list[str]) -> list[Item]:
    """The items of a split; none where no label of it was published."""
    labels = [find_label(folder, id_) for id_ in ids]
    if not any(label.is_file() for label in labels):
        return []
    images = [folder / IMAGES / f"{id_}.jpg" for id_ in ids]
    return [Item(id_, split, image, label) for id_, image, label in zip(ids, images, labels, strict=True)]


def find_label(folder: Path, id_: str) -> Path:
    """The label of a picture: VOC's own where it is published, else SBD's."""
    official, *others = (folder / labels / f"{id_}.png" for labels in LABELS)
    return next((label for label in (official, *others) if label.is_file()), official)
