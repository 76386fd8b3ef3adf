"""Propose how a folder is read that lacks classes.yaml or has other folders: both can be told from its pictures."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from pixelwise.data.class_file import CLASSES_FILE
from pixelwise.data.decoding import MAX_PIXELS, decode
from pixelwise.data.item_inspection import format_ranges
from pixelwise.data.items import VOID
from pixelwise.data.layout import Template
from pixelwise.data.mask_file import take_channel
from pixelwise.data.mask_survey import SAMPLE, MaskFiles, Masks, find_tones, is_in_colour, read_palettes
from pixelwise.data.split_names import SPLITS
from pixelwise.data.walk import walk
from pixelwise.errors import DataError

# What names of folders of masks, and of masks beside their images, have in common.
OF_MASKS = re.compile(r"mask|label|ann|gt|seg|lbl|target|truth", re.IGNORECASE)
ENDING = re.compile(r"[-_. ](masks?|labels?|gt|seg(mentation)?|annotation|l)$", re.IGNORECASE)


class Key(NamedTuple):
    """What the images and masks of two folders have in common: the folders above and below these two, and a name."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    name: str


class Side(NamedTuple):
    """A folder of images or of masks among others, and what the names of its files add to a common name."""

    folder: str
    ending: str


class Twins(NamedTuple):
    """The templates of images and of masks whose names agree."""

    images: str
    masks: str

    def __str__(self) -> str:
        return f"the keys images: {self.images} and masks: {self.masks}"


def propose_reading(root: Path) -> str:
    """Propose classes.yaml for a folder that holds images and masks without it, and keys for other folders' names.

    Returns "" where no two folders have pictures of the same names.
    """
    paths = list_pictures(root)
    if (twins := find_twins(paths)) is None:
        return ""
    template = Template(twins.masks)
    masks = MaskFiles([root / path for path in paths if template.match(path)])
    keys = "" if twins in KNOWN else f", and {twins}"
    return f"images and masks without {CLASSES_FILE}, expected it in {root} with {propose_classes(masks)}{keys}"


def list_pictures(folder: Path) -> list[str]:
    """List the paths of the pictures below `folder`."""
    return [file.relative_to(folder).as_posix() for file in walk(folder, ("picture",)).files]


# Layouts that need no keys.
KNOWN = {Twins(text, text.replace("images", "masks")) for text in (
    "images/{name}", "images/{split}/{name}", "{split}/images/{name}",
)}  # fmt: skip


def find_twins(paths: Iterable[str]) -> Twins | None:
    """Find two folders, one of masks by its name, whose pictures have the same names; None where there are none.

    paths: of all pictures below the folder. Names may differ in an ending such as _mask.
    """
    sides: dict[Key, list[Side]] = defaultdict(list)
    for path in paths:
        *folders, file = PurePosixPath(path).parts
        name, ending = cut_ending(PurePosixPath(file).stem)
        for place, folder in enumerate(folders):
            sides[Key(tuple(folders[:place]), tuple(folders[place + 1 :]), name)].append(Side(folder, ending))
    counts = Counter(
        (make_template(key, image), make_template(key, mask))
        for key, found in sides.items()
        for image, mask in pair_sides(found)
    )
    return Twins(*counts.most_common(1)[0][0]) if counts else None


def cut_ending(name: str) -> tuple[str, str]:
    """Cut an ending such as _mask off a name; returns both."""
    found = ENDING.search(name)
    return (name[: found.start()], found.group()) if found else (name, "")


def pair_sides(found: Iterable[Side]) -> Iterator[tuple[Side, Side]]:
    """Pair sides of which one is of images and the other of masks by their names."""
    for pair in combinations(sorted(found), 2):
        image, mask = sorted(pair, key=lambda side: bool(OF_MASKS.search(f"{side.folder} {side.ending}")))
        if image.folder != mask.folder and OF_MASKS.search(f"{mask.folder} {mask.ending}") and not image.ending:
            yield image, mask


def make_template(key: Key, side: Side) -> str:
    """Make the template of one side. A folder before or after it that is called as a split is {split}."""
    above = ["{split}" if folder.lower() in SPLITS else folder for folder in key.above]
    is_split = "{split}" not in above and key.below and key.below[0].lower() in SPLITS
    return "/".join([*above, side.folder, *["{split}"] * bool(is_split), f"{{name}}{side.ending}"])


def propose_classes(masks: Masks) -> str:
    """Propose the keys of classes.yaml for `masks`, as a part of a message."""
    sampled = list(islice(masks, SAMPLE))
    if tones := find_tones(sampled):
        return f"`names: [background, object]` as masks have the values 0 and {tones.white}"
    if is_in_colour(read_palettes(sampled), has_values=True):
        return "`names` and `colours` as masks are in colour"
    values: set[int] = set()
    for _, content in sampled:
        try:
            values |= set(np.unique(take_channel(content, decode(content, MAX_PIXELS))).tolist())
        except DataError:
            continue
    classes = format_ranges(values - {VOID})
    return f"`names` of the values {classes} of masks, 255 being void" if classes else "`names`"
