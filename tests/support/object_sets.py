"""Tiny sets of object masks on disk: DAVIS, its frames, COCO's objects, and all that the guided recipe reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from support.image_sets import noise, save, write_voc

SIZE = (48, 64)


def square(value: int, left: int = 16, size: tuple[int, int] = SIZE) -> Image.Image:
    """A mask whose object `value` is a square of 24 pixels."""
    mask = np.zeros(size, np.uint8)
    mask[12:36, left : left + 24] = value
    return Image.fromarray(mask)


def scene(seed: int, left: int = 16, size: tuple[int, int] = SIZE) -> Image.Image:
    """Dim noise with a bright square where `square` has one."""
    picture = np.asarray(noise(seed, size)) // 4
    picture[12:36, left : left + 24] += 160
    return Image.fromarray(picture)


def write_davis(root: Path, splits: Mapping[str, Mapping[str, int]], year: str = "2016", objects: int = 1) -> Path:
    """DAVIS's layout at 240p: each split's sequences of so many frames, masks of 2016 (0, 255) or of `objects` ids."""
    for split, sequences in splits.items():
        for name, frames in sequences.items():
            for frame in range(frames):
                mask = square(255 if year == "2016" else 1, left=8 + frame)
                if objects > 1:
                    mask.paste(2, (40 + frame, 12, 60, 36))
                save(scene(frame, left=8 + frame), root / f"JPEGImages/240p/{name}/{frame:05d}.jpg")
                save(mask, root / f"Annotations/240p/{name}/{frame:05d}.png")
        file = root / f"ImageSets/{year}/{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name}\n" for name in sequences))
    return root


def write_davis_frames(root: Path, sequences: Sequence[str], size: tuple[int, int] = SIZE) -> Path:
    """A list of frames, one a name in `sequences`, each with two objects."""
    return write_list(root, "sequence", sequences, objects=2, size=size)


def write_coco_mval(root: Path, categories: Sequence[str], size: tuple[int, int] = SIZE) -> Path:
    """A list of objects, one a name in `categories`."""
    return write_list(root, "category", categories, size=size)


def write_together(root: Path, voc: Mapping[str, list[str]], categories: Sequence[str], frames: Sequence[str]) -> Path:
    """What the guided recipe reads: the lists of VOC, COCO's objects, and frames of DAVIS."""
    write_voc(root / "voc", dict(voc))
    write_coco_mval(root / "coco_mval", categories)
    write_davis_frames(root / "davis_frames", frames)
    return root


def write_list(root: Path, column: str, names: Sequence[str], objects: int = 1, size: tuple[int, int] = SIZE) -> Path:
    """`index.tsv`, images and masks, one a name."""
    lines = [f"id\t{column}\n"]
    for index, name in enumerate(names):
        mask = square(1, size=size)
        if objects > 1:
            mask.paste(2, (44, 12, 60, 36))
        save(scene(index, size=size), root / f"images/{index:04d}.jpg")
        save(mask, root / f"masks/{index:04d}.png")
        lines.append(f"{index:04d}\t{name}\n")
    (root / "index.tsv").write_text("".join(lines))
    return root
