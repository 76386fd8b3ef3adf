"""Cityscapes: gtFine with leftImg8bit or, for the video frames, leftImg8bit_sequence (Cordts et al. 2016)."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder, list_subfolders
from pixelwise.data.items import UNLABELLED, VOID, Classes, Item, MapFile, RawData, parse_frame_number
from pixelwise.data.walk import find_files
from pixelwise.errors import DataError

# Name -> (id of labelIds, colour), in the order of the 19 train ids.
CLASSES = {
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
LAST_ID = 33
LABELS, STILLS, SEQUENCES = "gtFine", "leftImg8bit", "leftImg8bit_sequence"
# The published labels, and the labels that Cityscapes' own scripts derive from them.
KINDS = ("labelIds", "labelTrainIds")
# The published labels of this split contain no classes.
UNPUBLISHED = "test"
PRECEDING = 19
FRAME = re.compile(r"(?P<city>.+)_(?P<sequence>\d+)_(?P<frame>\d+)")
TRAIN_IDS = np.full(256, VOID, np.uint8)
TRAIN_IDS[[id_ for id_, _ in CLASSES.values()]] = np.arange(len(CLASSES))


def read(root: Path) -> RawData:
    """Read Cityscapes under `root`: labelled frames form the splits train and val.

    If leftImg8bit_sequence exists, the up to 19 frames before a labelled frame form its clip; they are unlabelled, in
    the split train_frames or val_frames. Raises DataError if there are no labels.
    """
    what = f"Cityscapes' {LABELS} beside {STILLS} or {SEQUENCES}"
    folder = find_folder(root, is_cityscapes, what)
    splits = [split for split in list_subfolders(folder / LABELS) if split != UNPUBLISHED]
    return RawData(
        name="cityscapes",
        classes=Classes(tuple(CLASSES), tuple(colour for _, colour in CLASSES.values())),
        items=[
            item for split in splits for label in find_labels(folder, split) for item in read_clip(folder, split, label)
        ],
        label_values={**{value: value for value in range(len(CLASSES))}, VOID: VOID},
    )


def is_cityscapes(folder: Path) -> bool:
    """Whether `folder` contains labels and pictures."""
    return (folder / LABELS).is_dir() and any((folder / images).is_dir() for images in (STILLS, SEQUENCES))


def find_labels(folder: Path, split: str) -> list[Path]:
    """Find the label files of a split, one per frame; labelIds take precedence over labelTrainIds."""
    found: dict[str, Path] = {}
    for kind in KINDS:
        suffix = f"_{LABELS}_{kind}.png"
        for file in find_files(folder / LABELS / split, f"*/*{suffix}"):
            found.setdefault(file.name.removesuffix(suffix), file)
    return [found[name] for name in sorted(found)]


def read_clip(folder: Path, split: str, label: Path) -> Iterator[Item]:
    """Yield the preceding frames of the sequence, then the labelled frame. Raises DataError at an unknown file name."""
    name = label.name.partition(f"_{LABELS}_")[0]
    match = FRAME.fullmatch(name)
    if match is None:
        raise DataError(f"{label.name}: expected the name city_sequence_frame_{LABELS}_{KINDS[0]}.png")
    last, place = parse_frame_number(match["frame"]), Path(split) / match["city"]
    for frame in range(max(0, last - PRECEDING), last):
        before = f"{match['city']}_{match['sequence']}_{frame:06d}"
        image = folder / SEQUENCES / place / f"{before}_{STILLS}.png"
        if image.is_file():
            yield Item(f"{name}/{frame:06d}", f"{split}_frames", image, UNLABELLED, clip=name, frame=frame)
    still, moving = (folder / images / place / f"{name}_{STILLS}.png" for images in (STILLS, SEQUENCES))
    source = MapFile(label, convert=convert_to_train_ids) if label.stem.endswith(KINDS[0]) else label
    yield Item(name, split, still if still.is_file() else moving, source, clip=name, frame=last)


def convert_to_train_ids(ids: np.ndarray) -> np.ndarray:
    """Convert values of labelIds (H, W) to the 19 train ids and void. Raises DataError at an unknown id."""
    if (wrong := ids[(ids < -1) | (ids > LAST_ID) & (ids != VOID)]).size:
        raise DataError(f"value {wrong[0]}, but cityscapes has ids 0–{LAST_ID}")
    # The licence plate has id -1, which is stored as 255 or not at all.
    return TRAIN_IDS[ids]
