"""Pair the images and masks of a folder by the templates of their paths."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pixelwise.data.archives import list_subfolders
from pixelwise.data.image_codec import SUFFIXES
from pixelwise.data.read_params import ReadParams
from pixelwise.data.split_names import SPLITS
from pixelwise.errors import DataError, ParamsError

IMAGES, MASKS = "images", "masks"
FIELDS = {"{split}": r"(?P<split>[^/]+)", "{name}": r"(?P<name>.+?)"}
ANY_SUFFIX = f"(?:{'|'.join(map(re.escape, SUFFIXES))})?"


def name_split(folder: str) -> str:
    """Name the split that a folder holds: valid, validation and dev are val; a name of the user's own stays."""
    return SPLITS.get(folder.lower(), folder)


class Place(NamedTuple):
    """The folder of a split, "" where there is none, and a picture's path in it without suffix."""

    split: str
    name: str


@dataclass(frozen=True)
class Template:
    """The paths of images or masks: text with {name}, and perhaps {split}. is_open: a picture's suffix may follow."""

    text: str
    is_open: bool = True

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression that matches a path; letters of either case match."""
        parts = [FIELDS.get(part) or re.escape(part) for part in re.split(r"({split}|{name})", self.text)]
        return re.compile("".join(parts) + (ANY_SUFFIX if self.is_open else ""), re.IGNORECASE)

    def match(self, path: str) -> Place | None:
        """Match a path below the folder."""
        found = self.pattern.fullmatch(path)
        return Place(found.groupdict().get("split") or "", found["name"]) if found else None

    def fill(self, place: Place) -> str:
        """Make the path that is expected at `place`."""
        path = self.text.replace("{split}", place.split).replace("{name}", place.name)
        return f"{path}.jpg" if self.is_open else path


@dataclass(frozen=True)
class Layout:
    """The templates of a folder's images and masks."""

    images: Template
    masks: Template

    def assign(self, paths: Iterable[str]) -> "Found":
        """Assign each path to the images, the masks or neither. A path that both match is a mask.

        Raises DataError if two files are the image, or the mask, of one place.
        """
        found = Found({}, {}, [])
        for path in paths:
            if place := self.masks.match(path):
                put(found.masks, place, path)
            elif place := self.images.match(path):
                put(found.images, place, path)
            else:
                found.others.append(path)
        return found


class Found(NamedTuple):
    """The images and masks of a folder by place, and the pictures that are neither."""

    images: dict[Place, str]
    masks: dict[Place, str]
    others: list[str]

    def places(self) -> Iterator[Place]:
        """All places that have an image or a mask, each once."""
        return iter(self.images.keys() | self.masks.keys())


def put(files: dict[Place, str], place: Place, path: str) -> None:
    """Put `path` at `place`. Raises DataError if another file is there."""
    if place in files:
        first, second, name = (PurePosixPath(file).name for file in (files[place], path, place.name))
        raise DataError(f"{PurePosixPath(path).parent}: found {first} and {second}, expected one picture {name}")
    files[place] = path


def choose_layout(folder: Path, reading: ReadParams) -> Layout:
    """Choose the layout of `folder`: the templates given, or the one of three that its folders have.

    Raises ParamsError at a wrong template, DataError if no layout or more than one fits.
    """
    if reading.images is None and reading.masks is None:
        images = find_images(folder)
        masks = re.sub(r"(^|/)images/", rf"\1{MASKS}/", images, flags=re.IGNORECASE)
        return Layout(Template(images), Template(masks + reading.mask_suffix))
    if reading.images is None or reading.masks is None or reading.mask_suffix:
        raise ParamsError("images, masks, mask_suffix: expected both templates and no suffix, or no template")
    return Layout(parse_template("images", reading.images), parse_template("masks", reading.masks))


def parse_template(key: str, text: str) -> Template:
    """Parse a template of the user's, whose suffix counts if it has one. Raises ParamsError naming `key`."""
    if sorted(re.findall(r"{[^}]*}?|}", text)) not in (["{name}"], ["{name}", "{split}"]):
        raise ParamsError(f"{key}: found {text}, expected a path with {{name}} once and {{split}} at most once")
    return Template(text, is_open=not text.lower().endswith(SUFFIXES))


def find_images(folder: Path) -> str:
    """Find the template of the images: <split>/images, images/<split> or images.

    Raises DataError if none fits, or two do.
    """
    inside = list_subfolders(folder)
    here = [name for name in inside if name.lower() == IMAGES]
    below = [name for name in inside if any(part.lower() == IMAGES for part in list_subfolders(folder / name))]
    if here and below:
        raise DataError(f"root {folder}: found {here[0]} and {below[0]}/{IMAGES}, expected either")
    if below:
        return f"{{split}}/{IMAGES}/{{name}}"
    if not here:
        raise DataError(
            f"root {folder}: no {IMAGES} and no <split>/{IMAGES}, expected either, or the keys images and masks"
        )
    return f"{IMAGES}/{{split}}/{{name}}" if holds_splits(folder / here[0]) else f"{IMAGES}/{{name}}"


def holds_splits(folder: Path) -> bool:
    """Whether the folders in `folder` are splits. Raises DataError if only some of them are."""
    inside = list_subfolders(folder)
    splits = [name for name in inside if name.lower() in SPLITS]
    if splits and len(splits) < len(inside):
        (other, *_) = sorted(set(inside) - set(splits))
        raise DataError(f"{folder}: found the split {splits[0]} beside {other}, expected splits alone or clips alone")
    return bool(splits)
