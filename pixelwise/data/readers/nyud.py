"""NYUDv2 in 40 classes, in Gupta et al.'s layout: colour, depth, HHA and MATLAB labels (Silberman et al. 2012)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import VOID, Classes, Item, Map, MapFile, RawData, make_bit_palette
from pixelwise.data.readers.voc import make_disjoint, read_ids

NAMES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture"),
    *("counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes"),
    *("ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard"),
    *("person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag"),
    *("otherstructure", "otherfurniture", "otherprop"),
)
LABEL_VALUES = {0: VOID, **{index + 1: index for index in range(len(NAMES))}}
LABELS, FIELD = Path("segmentation"), "segmentation"
IMAGES, DEPTH, HHA = Path("images"), Path("depth"), Path("hha")
LISTS = ("train", "val", "trainval", "test")


def read(root: Path) -> RawData:
    """Read NYUDv2 under `root`, with the layers depth and hha if their folders exist.

    train (381) and val (414) together are the thesis's 795 training pictures; test is its 654 test pictures. Raises
    DataError if the lists or the labels are missing.
    """
    folder = find_folder(root, is_nyud, f"NYUDv2's {LABELS}/img_<id>.mat, beside train.txt and test.txt of ids")
    files = {split: folder / f"{split}.txt" for split in LISTS}
    splits = make_disjoint({split: read_ids(file) for split, file in files.items() if file.is_file()})
    return RawData(
        name="nyud",
        classes=Classes(NAMES, make_bit_palette(len(NAMES))),
        items=[item for split, ids in splits.items() for item in list_items(folder, split, ids)],
        label_values=LABEL_VALUES,
    )


def is_nyud(folder: Path) -> bool:
    """Whether `folder` contains the labels and a list."""
    return (folder / LABELS).is_dir() and any((folder / f"{split}.txt").is_file() for split in LISTS)


def list_items(folder: Path, split: str, ids: list[str]) -> Iterator[Item]:
    """Iterate over the items of one list."""
    images, depth, hha = (find_layer_folder(folder, name) for name in (IMAGES, DEPTH, HHA))
    for id_ in ids:
        layers: dict[str, Map] = {}
        if depth.is_dir():
            layers["depth"] = MapFile(depth / f"img_{id_}.png", convert=convert_to_centimetres)
        if hha.is_dir():
            layers["hha"] = hha / f"img_{id_}.png"
        label = MapFile(folder / LABELS / f"img_{id_}.mat", FIELD)
        yield Item(id_, split, images / f"img_{id_}.png", label, layers=layers)


def find_layer_folder(folder: Path, name: Path) -> Path:
    """Find the folder `name`, which published copies have below data/ or beside the lists."""
    return folder / "data" / name if (folder / "data" / name).is_dir() else folder / name


def convert_to_centimetres(millimetres: np.ndarray) -> np.ndarray:
    """Convert depth (H, W) uint16 from the Kinect's millimetres to centimetres; 0 (unknown) stays 0."""
    return np.rint(millimetres / 10).astype(np.uint16)
