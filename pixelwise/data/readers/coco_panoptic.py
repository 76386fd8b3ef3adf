"""COCO panoptic (Kirillov et al. 2019): a PNG a picture whose colours number segments, and a JSON with their classes.

`annotations/panoptic_SPLIT.json` belongs to the PNG files in the folder `panoptic_SPLIT`, and to the pictures in SPLIT.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.archives import find_folder
from pixelwise.data.class_tables import BACKGROUND, check_class_name, merge_class_tables
from pixelwise.data.decoding import MAX_PIXELS, decode
from pixelwise.data.items import Classes, Item, PaintedMap, RawData, choose_void_value, make_bit_palette
from pixelwise.data.notes import Notes
from pixelwise.data.painting import fail_to_read
from pixelwise.data.picture_index import PictureIndex, normalise_name
from pixelwise.data.picture_splits import give_splits
from pixelwise.data.readers.coco_file import CocoFile, Entry, make_key, read_coco_file
from pixelwise.data.shapes import describe_value
from pixelwise.data.split_names import find_split
from pixelwise.data.walk import find_files
from pixelwise.errors import DataError

PREFIX = "panoptic_"
# A segment's number is red + 256 green + 65536 blue; 0 is void.
BASE = np.array([1, 256, 65536], np.uint32)


def list_panoptic_files(folder: Path) -> list[Path]:
    """List the JSON files of COCO panoptic's layout in `folder`."""
    return find_files(folder, f"annotations/{PREFIX}*.json")


def read(root: Path) -> RawData:
    """Read COCO panoptic under `root`: each file is a split; the classes are the categories, matched by name.

    Pixels of no segment, and crowds, are void. The layer `instance` numbers the segments of a picture.
    Raises DataError if there is no file, or one is damaged.
    """
    folder = find_folder(root, lambda path: bool(list_panoptic_files(path)), f"annotations/{PREFIX}*.json")
    files = [read_coco_file(file) for file in list_panoptic_files(folder)]
    index, notes = PictureIndex(folder), Notes()
    tables = {
        file.path: {id_: check_class_name(each.get("name"), file.path) for id_, each in file.categories.items()}
        for file in files
    }
    names = merge_class_tables({path: table.values() for path, table in tables.items()}, notes)
    if not any(BACKGROUND in table.values() for table in tables.values()):
        names.remove(BACKGROUND)
    segmented = [
        each
        for file in files
        for each in read_pictures(file, {id_: names.index(name) for id_, name in tables[file.path].items()}, index)
    ]
    pictures = give_splits([each.picture for each in segmented], notes)
    void = choose_void_value(len(names))
    items = [each.make_item(picture.split, void) for each, picture in zip(segmented, pictures, strict=True)]
    values = {**{value: value for value in range(len(names))}, void: void}
    return RawData("coco_panoptic", Classes(tuple(names), make_bit_palette(len(names))), items, values, notes)


@dataclass(frozen=True)
class Segmented:
    """A picture, the PNG of its segments, and the class of each segment: number -> (class, whether it is a crowd)."""

    picture: AnnotatedPicture
    png: Path = Path()
    segments: Mapping[int, tuple[int, bool]] = field(default_factory=dict)

    def make_item(self, split: str, void: int) -> Item:
        """Make the item of the picture."""
        id_ = PurePosixPath(self.picture.path).with_suffix("").as_posix()
        if self.picture.fault:
            return Item(id_, split, fail_to_read(self.picture), None)
        label = PaintedMap(self.png, partial(self.paint_label, void))
        return Item(id_, split, self.picture.image, label, layers={"instance": PaintedMap(self.png, self.paint_ids)})

    def read_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the PNG as sorted numbers of segments (N,) and the place of each pixel's number (H, W).

        Raises DataError if it is unreadable, or has a segment that the JSON does not.
        """
        try:
            picture = decode(self.png.read_bytes(), MAX_PIXELS, ("PNG",))
        except OSError as error:
            raise DataError(error.strerror or "unreadable") from None
        if picture.mode != "RGB":
            raise DataError(f"mode {picture.mode}, expected RGB")
        numbers, places = np.unique(np.asarray(picture, np.uint32) @ BASE, return_inverse=True)
        for number in numbers.tolist():
            if number and number not in self.segments:
                raise DataError(f"segment {number}, which segments_info lacks")
        return numbers, places.reshape(picture.size[::-1])

    def paint_label(self, void: int, _: object) -> np.ndarray:
        """Paint the label (H, W). Raises DataError."""
        numbers, places = self.read_numbers()
        values = [self.segments.get(number, (void, True)) for number in numbers.tolist()]
        return np.array([void if is_crowd else value for value, is_crowd in values], np.uint16)[places]

    def paint_ids(self, _: object) -> np.ndarray:
        """Paint the object numbers (H, W) uint16. Raises DataError."""
        numbers, places = self.read_numbers()
        is_object = [not self.segments.get(number, (0, True))[1] for number in numbers.tolist()]
        return np.where(is_object, np.cumsum(is_object), 0).astype(np.uint16)[places]


def read_pictures(file: CocoFile, values: Mapping[Any, int], index: PictureIndex) -> Iterator[Segmented]:
    """Read the pictures of a file. values: category -> class. Raises DataError if an entry belongs to no picture."""
    part = file.path.stem.removeprefix(PREFIX)
    of_picture = defaultdict(list)
    for entry in file.annotations:
        of_picture[make_key(entry.get("image_id"))].append(entry)
    if lost := of_picture.keys() - file.images.keys():
        total = f"{len(lost)} of {len(of_picture)} annotations"
        raise DataError(f"{file.path}: {total}: image_id matches no picture, expected an id of images")
    for id_, image in file.images.items():
        yield read_picture(file, image, of_picture[id_], part, values, index)


def read_picture(
    file: CocoFile, image: Entry, entries: list[Entry], part: str, values: Mapping[Any, int], index: PictureIndex
) -> Segmented:
    """Read one picture and its entry of annotations; a fault is noted in the picture."""
    path, split = f"{part}/{normalise_name(image['file_name'])}", find_split(part)
    picture, fault = index.locate(image["file_name"], [part, f"images/{part}", "images", "."], split)
    png, segments = Path(), {}
    try:
        if len(entries) != 1:
            raise DataError(f"{len(entries)} annotations, expected one")  # noqa: TRY301
        name = entries[0].get("file_name")
        if not isinstance(name, str):
            raise DataError(f"file_name {describe_value(name)} of its annotation, expected that of a PNG")  # noqa: TRY301
        png, fault = index.locate(name, [f"annotations/{PREFIX}{part}", f"{PREFIX}{part}"])
        segments = read_segments(entries[0], values)
    except DataError as error:
        fault = fault or str(error)
    return Segmented(AnnotatedPicture(path, split, picture, (), file.path, fault=fault), png, segments)


def read_segments(entry: Entry, values: Mapping[Any, int]) -> dict[int, tuple[int, bool]]:
    """Read the segments of an annotation: number -> (class, whether it is a crowd). Raises DataError."""
    found, given = {}, entry.get("segments_info")
    for each in given if isinstance(given, list) else [given]:
        if not isinstance(each, dict) or not isinstance(each.get("id"), int):
            raise DataError(f"segments_info: {describe_value(each)}, expected a mapping with an id")
        category = make_key(each.get("category_id"))
        if category not in values:
            raise DataError(f"segment {each['id']}: category_id {category}, expected an id of categories")
        if each["id"] in found:
            raise DataError(f"segment {each['id']} is given twice, expected once")
        found[each["id"]] = values[category], each.get("iscrowd") in (1, "1")
    return found
