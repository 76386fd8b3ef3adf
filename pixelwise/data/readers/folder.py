"""A plain folder of images and masks, with a classes.yaml that defines the mask values.

Two layouts: `<split>/images/…` and `<split>/masks/…`; or one `images/…` and `masks/…`, of which a tenth becomes val, in
whole clips. An image and its mask have the same path and may differ in suffix. A folder below `images` is a clip, and
the digits at the end of a file's name are its frame number.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from annotated_types import Len
from pydantic import Field

from pixelwise.data.archives import find_folder, list_subfolders
from pixelwise.data.image_codec import SUFFIXES
from pixelwise.data.items import VOID, Classes, Item, RawData, bit_palette, frame_number
from pixelwise.data.split_names import choose_held_out
from pixelwise.documents import read_yaml
from pixelwise.errors import DataError
from pixelwise.params import Params, parse

CLASSES_FILE = "classes.yaml"
IMAGES, MASKS = "images", "masks"

Colour = tuple[
    Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]
]


class FolderClasses(Params):
    """classes.yaml."""

    names: Annotated[list[str], Len(1, 255)]
    """Names of the classes, in order."""
    colours: list[Colour] | None = None
    """A colour [red, green, blue] a class; VOC's where none are given."""
    values: dict[Annotated[int, Field(ge=0, le=65535)], str] | None = None
    """Mask value -> class name or void; value i is class i and 255 void where it is not given."""


def read(root: Path) -> RawData:
    """Read the data set under `root`. Raises DataError if classes.yaml or the pictures are missing or inconsistent."""
    folder = find_folder(root, lambda path: (path / CLASSES_FILE).is_file(), CLASSES_FILE)
    described = read_classes(folder / CLASSES_FILE)
    names = tuple(described.names)
    return RawData(
        name="folder",
        classes=Classes(names, tuple(described.colours) if described.colours else bit_palette(len(names))),
        items=Pairs(list(find_pairs(folder))),
        label_values=map_label_values(described, folder / CLASSES_FILE),
    )


def read_classes(file: Path) -> FolderClasses:
    """Read classes.yaml as typed values. Raises DataError or ParamsError with the wrong key."""
    classes = parse(FolderClasses, read_yaml(file, "`names: [...]`"), str(file))
    if len(set(classes.names)) != len(classes.names):
        raise DataError(f"{file}: names: found a name twice, expected each once")
    if classes.colours and len(classes.colours) != len(classes.names):
        raise DataError(f"{file}: {len(classes.colours)} colours, expected {len(classes.names)}, one a name")
    return classes


def map_label_values(classes: FolderClasses, file: Path) -> dict[int, int]:
    """Compute mask value -> class index or 255. Raises DataError at an unknown name, or a class named void."""
    if "void" in classes.names:
        raise DataError(f"{file}: names: found void, expected classes alone; values says which value is void")
    indices = {"void": VOID} | {name: index for index, name in enumerate(classes.names)}
    if classes.values is None:
        return {index: index for index in range(len(classes.names))} | {VOID: VOID}
    for value, name in classes.values.items():
        if name not in indices:
            raise DataError(f"{file}: value {value}: found {name}, expected void or one of: {', '.join(classes.names)}")
    return {value: indices[name] for value, name in classes.values.items()}


class Pair(NamedTuple):
    """Paths of an image and its mask: folder/images/stem + image and folder/masks/stem + mask; None if missing."""

    folder: Path
    split: str
    prefix: str
    stem: str
    image: str | None
    mask: str | None

    def make_item(self) -> Item:
        """Make the item of the pair. If one file is missing, ingest rejects the item and reports the file."""
        clip, digits = parse_clip(self.stem), re.search(r"\d+$", self.stem)
        return Item(
            id=f"{self.prefix}{self.stem}",
            split=self.split,
            image=self.folder / IMAGES / f"{self.stem}{self.image or '.jpg'}",
            label=self.folder / MASKS / f"{self.stem}{self.mask}" if self.mask else None,
            clip=clip,
            frame=frame_number(digits[0]) if clip and digits else 0,
        )


class Pairs:
    """The items of a folder, each made on demand, because stored items would take a kilobyte each."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Item:
        return self.pairs[index].make_item()

    def __iter__(self) -> Iterator[Item]:
        return (pair.make_item() for pair in self.pairs)


def find_pairs(folder: Path) -> Iterator[Pair]:
    """Find the pairs of all splits, sorted by path. Raises DataError if there is no folder of images."""
    splits = [name for name in list_subfolders(folder) if (folder / name / IMAGES).is_dir()]
    if splits:
        for split in splits:
            yield from find_split_pairs(folder / split, split, prefix=f"{split}/")
    elif (folder / IMAGES).is_dir():
        yield from find_split_pairs(folder, split=None, prefix="")
    else:
        raise DataError(f"root {folder}: no {IMAGES} and no <split>/{IMAGES}, expected either")


def find_split_pairs(folder: Path, split: str | None, prefix: str) -> Iterator[Pair]:
    """Find the pairs under `folder`, in the given split; without a split, choose val by hash."""
    images, masks = list_images(folder / IMAGES), list_images(folder / MASKS)
    stems = sorted(images.keys() | masks.keys())
    require_text(folder, [f"{prefix}{stem}" for stem in stems])
    val = set() if split else choose_held_out({parse_clip(stem) or stem for stem in stems})
    for stem in stems:
        of_split = split or ("val" if (parse_clip(stem) or stem) in val else "train")
        yield Pair(folder, of_split, prefix, stem, images.get(stem), masks.get(stem))


def require_text(folder: Path, names: list[str]) -> None:
    """Raise DataError at a name that is not UTF-8, because the manifest and messages cannot contain it."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{folder}: found the file name {name!r}, expected UTF-8; rename it") from None


def parse_clip(stem: str) -> str:
    """The folders in front of a file's name; "" if there are none."""
    return stem.rpartition("/")[0]


def list_images(folder: Path) -> dict[str, str]:
    """List the picture files below `folder`: relative path without suffix -> suffix.

    Raises DataError if two files differ in suffix only.
    """
    found: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        below = Path(place).relative_to(folder)
        for name in sorted(names):
            suffix = Path(name).suffix
            if suffix.lower() not in SUFFIXES or name.startswith("."):
                continue
            stem = (below / name.removesuffix(suffix)).as_posix()
            if stem in found:
                raise DataError(
                    f"{folder}: found {Path(stem).name}{found[stem]} and {name}, expected one picture {stem}"
                )
            found[stem] = suffix
    return found
