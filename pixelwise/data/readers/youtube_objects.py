"""YouTube-Objects, the shots with masks: ten PASCAL classes (Prest et al. 2012, Jain and Grauman 2014)."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.archives import find_folder
from pixelwise.data.decoding import MAX_PIXELS, decode_usable_image
from pixelwise.data.image_codec import convert_to_rgb, encode_picture
from pixelwise.data.items import UNLABELLED, Classes, ImagePart, Item, MapFile, RawData, parse_frame_number
from pixelwise.data.readers import voc
from pixelwise.data.walk import find_files

OBJECTS = ("aeroplane", "bird", "boat", "car", "cat", "cow", "dog", "horse", "motorbike", "train")
NAMES = ("background", *OBJECTS)
VIDEOS, MASKS = Path("v1"), Path("youtube_masks")
SPLIT, FRAMES_SPLIT = "test", "test_frames"
FRAME = re.compile(r"frame(\d+)")
# The longer side of the thesis, equal to that of PASCAL's pictures. JPEG leaves small values in the black of a mask.
LONGER_SIDE = 500
THRESHOLD = 15


def read(root: Path) -> RawData:
    """Read YouTube-Objects under `root`: a shot is a clip; annotated frames are the split test, others test_frames.

    A shot is labelled with one class; other objects in it count as background, as in the thesis. Pictures and masks
    are resized to a longer side of 500 pixels. Raises DataError if there are no masks.
    """
    what = f"YouTube-Objects' {VIDEOS} of frames and {MASKS} of masks"
    folder = find_folder(root, lambda path: (path / VIDEOS).is_dir() and (path / MASKS).is_dir(), what)
    colours = tuple(voc.CLASSES.palette[voc.NAMES.index(name)] for name in NAMES)
    return RawData(
        name="youtube_objects",
        classes=Classes(NAMES, colours),
        items=[item for name in OBJECTS for shot in find_shots(folder, name) for item in read_shot(folder, name, shot)],
        label_values={value: value for value in range(len(NAMES))},
    )


def find_shots(folder: Path, name: str) -> list[Path]:
    """Find the annotated shots of a class, as paths relative to the folder of videos and to that of masks."""
    found = find_files(folder / MASKS, f"{name}/data/*/shots/*/labels")
    return sorted(labels.parent.relative_to(folder / MASKS) for labels in found)


def read_shot(folder: Path, name: str, shot: Path) -> Iterator[Item]:
    """Iterate over the frames of one shot in order, from 1; the mask of frame 11 is labels/00011.jpg."""
    _, _, video, _, number = shot.parts
    files = find_files(folder / MASKS / shot / "labels", "*.jpg")
    masks = {parse_frame_number(file.stem): file for file in files if file.stem.isdecimal()}
    files = find_files(folder / VIDEOS / shot, "*.jpg")
    images = {parse_frame_number(match[1]): file for file in files if (match := FRAME.fullmatch(file.stem))}
    clip = f"{name}/{video}/{number}"
    for frame in sorted(images.keys() | masks.keys()):
        # For a mask without a frame, name the expected file, so that ingest reports it as missing.
        file = images.get(frame, folder / VIDEOS / shot / f"frame{frame:04d}.jpg")
        mask = make_mask_file(masks[frame], name) if frame in masks else None
        yield Item(
            id=f"{clip}/{frame:04d}",
            split=SPLIT if mask else FRAMES_SPLIT,
            image=ImagePart(file, partial(read_resized_frame, file)),
            label=mask or UNLABELLED,
            clip=clip,
            frame=frame,
        )


def make_mask_file(file: Path, name: str) -> MapFile:
    """Make the label of a frame from its mask of the class `name`."""
    return MapFile(file, convert=partial(convert_mask, NAMES.index(name)), is_lossy=True)


def read_resized_frame(file: Path) -> bytes:
    """Read the picture `file` and resize it to a longer side of 500, as PNG. Raises DataError if it is unusable."""
    picture = Image.fromarray(convert_to_rgb(decode_usable_image(file.read_bytes(), MAX_PIXELS)))
    return encode_picture(np.array(picture.resize(fit_size(picture.size), Image.Resampling.BILINEAR)))


def convert_mask(value: int, stored: np.ndarray) -> np.ndarray:
    """Convert a stored JPEG mask (H, W) uint8 to `value` and 0, resized to a longer side of 500."""
    mask = Image.fromarray(np.where(stored > THRESHOLD, value, 0).astype(np.uint8))
    return np.array(mask.resize(fit_size(mask.size), Image.Resampling.NEAREST))


def fit_size(size: tuple[int, int]) -> tuple[int, int]:
    """Scale `size` (width, height) to a longer side of 500; the shorter side is rounded down."""
    width, height = (max(1, side * LONGER_SIDE // max(size)) for side in size)
    return width, height
