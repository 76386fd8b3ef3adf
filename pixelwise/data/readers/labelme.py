"""LabelMe: a JSON file a picture, with shapes in pixels, and the picture beside it or inside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from pixelwise.data.annotation_set import (
    NO_AREA,
    AnnotatedPicture,
    Annotation,
    Bitmap,
    Polygons,
    Shape,
    Unusable,
    make_box,
    make_ellipse,
    read_size,
)
from pixelwise.data.bitmaps import decode_base64, decode_png
from pixelwise.data.class_tables import list_names, merge_class_tables
from pixelwise.data.items import ImagePart, RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import PictureIndex
from pixelwise.data.shapes import describe_value
from pixelwise.data.split_names import find_split_of_path
from pixelwise.documents import read_json
from pixelwise.errors import DataError

# LabelMe's own name of pixels that are not to be learned.
IGNORED = "__ignore__"
LINES = ("point", "points", "line", "linestrip")


def is_labelme(found: Any) -> bool:
    """Whether a JSON value is a file of LabelMe."""
    return isinstance(found, dict) and isinstance(found.get("shapes"), list) and "imagePath" in found


def read(root: Path) -> RawData:
    """Read every JSON file of LabelMe under `root`; the classes are background and the labels in alphabetical order.

    A folder called train, val or test is a split. Raises DataError if there is no such file.
    """
    index, notes = PictureIndex(root), Notes()
    pictures = []
    for path, file in index.files.items():
        if file.suffix.lower() == ".json":
            if picture := read_picture(path, file, index):
                pictures.append(picture)
            else:
                notes.add("JSON files that are not LabelMe's, passed over", path)
    if not pictures:
        raise DataError(f"root {root}: no JSON file with shapes and imagePath, expected those of LabelMe")
    index.note_unused({picture.image for picture in pictures}, notes)
    names = merge_class_tables({root: list_names(pictures, without=[IGNORED])}, notes)
    return make_raw_data("labelme", names, pictures, notes, void=[IGNORED])


def read_picture(path: str, file: Path, index: PictureIndex) -> AnnotatedPicture | None:
    """Read one file and locate its picture; a damaged file makes a faulty picture. None if it is not LabelMe's."""
    identity, split = str(PurePosixPath(path).with_suffix("")), find_split_of_path(file, index.root)
    try:
        found = read_json(file, "LabelMe's shapes", Any)
        if not is_labelme(found):
            return None
        annotations = join_groups([read_annotation(each, n) for n, each in enumerate(found["shapes"], start=1)])
        image, fault = locate_image(found, path, index)
    except DataError as error:
        return AnnotatedPicture(identity, split, file, (), file, fault=str(error))
    size = read_size(found.get("imageWidth"), found.get("imageHeight"))
    return AnnotatedPicture(identity, split, image, annotations, file, size, fault)


def locate_image(found: Mapping[str, Any], path: str, index: PictureIndex) -> tuple[Path | ImagePart, str]:
    """The picture's file, or the picture in the JSON where there is none, and its fault or "". Raises DataError."""
    name = found["imagePath"]
    if not isinstance(name, str) or not name:
        raise DataError(f"imagePath {name!r}, expected the picture's path")
    image, fault = index.locate(name, [str(PurePosixPath(path).parent), "."])
    if not index.holds(image) and found.get("imageData"):
        # Read again when it is needed, since the pictures of all files would fill the memory.
        return ImagePart(index.files[path], partial(read_embedded_image, index.files[path])), ""
    return image, fault


def read_embedded_image(file: Path) -> bytes:
    """Read the picture that is inside a file of LabelMe. Raises DataError if it is damaged."""
    return decode_base64(read_json(file, "LabelMe's shapes")["imageData"])


def read_annotation(each: Any, number: int) -> tuple[Any, Annotation]:
    """Read one shape and its group, None if it has none. number: its place, which names it. Raises DataError."""
    if not isinstance(each, dict) or not isinstance(each.get("label"), str) or not each["label"].strip():
        raise DataError(f"shape {number}: no label, expected the name of a class")
    group = each.get("group_id")
    return group if isinstance(group, int | str) else None, Annotation(
        f"shape {number}", each["label"], read_shape(each)
    )


def join_groups(found: Sequence[tuple[Any, Annotation]]) -> list[Annotation]:
    """Join the outlines that LabelMe groups as parts of one object."""
    joined: dict[Any, Annotation] = {}
    for place, (group, each) in enumerate(found):
        key = (group, each.name) if group is not None and isinstance(each.shape, Polygons) else place
        if key in joined and isinstance(each.shape, Polygons):
            rings = [*cast(Polygons, joined[key].shape).rings, *each.shape.rings]
            joined[key] = replace(joined[key], shape=Polygons(rings))
        else:
            joined[key] = each
    return list(joined.values())


def read_shape(each: Mapping[str, Any]) -> Shape:
    """Read the shape of an entry; a fault makes it unusable."""
    kind, points = each.get("shape_type") or "polygon", each.get("points")
    if kind in LINES:
        return NO_AREA
    # Newer versions write all four corners of a rectangle.
    if kind == "polygon" or (kind == "rectangle" and isinstance(points, list) and len(points) == 4):
        return Polygons([points])
    try:
        (left, top), (right, bottom) = np.asarray(points, np.float64).tolist()
        return read_two_points(kind, left, top, right, bottom, each.get("mask"))
    except (TypeError, ValueError, OverflowError):
        return Unusable(f"{describe_value(kind)} with points {describe_value(points)}, expected two points")


def read_two_points(kind: Any, left: float, top: float, right: float, bottom: float, mask: Any) -> Shape:
    """Read a shape that two points give: opposite corners, or the centre of a circle and a point on it."""
    if kind == "circle":
        radius = math.hypot(right - left, bottom - top)
        return make_ellipse(left, top, radius, radius)
    if kind == "rectangle":
        return make_box(left, top, right - left, bottom - top)
    if kind == "mask":
        return Bitmap(partial(decode_mask, mask), int(left), int(top))
    return Unusable(f"shape_type {describe_value(kind)}, expected polygon, rectangle, circle or mask")


def decode_mask(text: Any) -> np.ndarray:
    """Decode a mask to (h, w) bool. Raises DataError if it is damaged."""
    return decode_png(decode_base64(text))
