"""DAVIS 2016 and 2017: JPEGImages and Annotations by resolution and sequence, ImageSets by year."""

from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import Classes, Item, MapFile, RawData
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

LISTS, IMAGES, MASKS = Path("ImageSets"), Path("JPEGImages"), Path("Annotations")
CLASSES = Classes(("background", "object"), ((0, 0, 0), (128, 0, 0)))
# Masks of 2016 hold 0 and 255, masks of 2017 one number per object. All objects are one class here; the layer
# `instance` keeps their numbers.
LABEL_VALUES = {0: 0, **dict.fromkeys(range(1, 256), 1)}


def read(root: Path) -> RawData:
    """Read DAVIS under `root`: each sequence is a clip, and each list of the oldest available year is a split.

    Raises DataError if there is no list, or if a listed sequence has no frames.
    """
    folder = find_folder(root, lambda path: bool(find_files(path / LISTS, "*/*.txt")), f"DAVIS's {LISTS}/YEAR/*.txt")
    year = find_files(folder / LISTS, "*/*.txt")[0].parent
    items = [
        item
        for file in find_files(year, "*.txt")
        for sequence in dict.fromkeys(read_sequence_names(file))
        for item in list_frames(folder, file.stem, sequence)
    ]
    return RawData("davis", CLASSES, items, LABEL_VALUES)


def read_sequence_names(file: Path) -> list[str]:
    """Read the sequence names of a list: a line is a sequence name, or an image path in the full lists of 2016."""
    lines = [line.split()[0] for line in read_text(file).splitlines() if line.strip()]
    return [Path(line).parent.name if "." in Path(line).name else Path(line).name for line in lines]


def list_frames(folder: Path, split: str, sequence: str) -> list[Item]:
    """List the annotated frames of one sequence, at the lowest available resolution."""
    images = find_files(folder, f"{IMAGES}/*/{sequence}/*.jpg")
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
    """Convert the object numbers of a mask to uint16, the type of the layer `instance`."""
    return mask.astype(np.uint16)
