"""DAVIS 2016 and 2017: JPEGImages and Annotations by resolution and sequence, ImageSets by year."""

from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import Classes, Item, MapFile, RawData
from pixelwise.documents import read_text
from pixelwise.errors import DataError

LISTS, IMAGES, MASKS = Path("ImageSets"), Path("JPEGImages"), Path("Annotations")
CLASSES = Classes(("background", "object"), ((0, 0, 0), (128, 0, 0)))
# 2016 has 0 and 255, 2017 a number an object; as one class here, while the layer `instance` keeps them apart.
LABEL_VALUES = {0: 0, **dict.fromkeys(range(1, 256), 1)}


def read(root: Path) -> RawData:
    """DAVIS under `root`: a sequence is a clip, and every list of the oldest year at hand a split.

    Raises DataError where there is no list, or a sequence of one has no frames.
    """
    folder = find_folder(root, lambda path: any((path / LISTS).glob("*/*.txt")), f"DAVIS's {LISTS}/YEAR/*.txt")
    year = min(path for path in (folder / LISTS).iterdir() if any(path.glob("*.txt")))
    items = [
        item
        for file in sorted(year.glob("*.txt"))
        for sequence in dict.fromkeys(read_sequence_names(file))
        for item in list_frames(folder, file.stem, sequence)
    ]
    return RawData("davis", CLASSES, items, LABEL_VALUES)


def read_sequence_names(file: Path) -> list[str]:
    """The sequences of a list: names alone, or the frames of 2016's full lists."""
    lines = [line.split()[0] for line in read_text(file).splitlines() if line.strip()]
    return [Path(line).parent.name if "." in Path(line).name else Path(line).name for line in lines]


def list_frames(folder: Path, split: str, sequence: str) -> list[Item]:
    """The frames of one sequence, at the lowest resolution at hand."""
    images = sorted(folder.glob(f"{IMAGES}/*/{sequence}/*.jpg"))
    if not images:
        raise DataError(f"{folder / IMAGES}: no frames of {sequence}, which a list of {split} names")
    resolution = min((image.parent.parent.name for image in images), key=lambda name: (len(name), name))
    kept = [image for image in images if image.parent.parent.name == resolution]
    masks = folder / MASKS / resolution / sequence
    return [
        Item(
            f"{sequence}/{image.stem}",
            split,
            image,
            mask,
            sequence,
            frame,
            {"instance": MapFile(mask, convert=convert_to_ids)},
        )
        for frame, image in enumerate(kept)
        if (mask := masks / f"{image.stem}.png").is_file()
    ]


def convert_to_ids(mask: np.ndarray) -> np.ndarray:
    """The ids of a mask as a layer `instance` has them."""
    return mask.astype(np.uint16)
