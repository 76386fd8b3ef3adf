"""Supervisely: `meta.json` names the classes; `img` and `ann` of each data set hold pictures and their JSON files."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

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
    read_size,
)
from pixelwise.data.archives import find_folder
from pixelwise.data.bitmaps import decode_deflated_png
from pixelwise.data.class_tables import canonical_name, merge_class_tables
from pixelwise.data.items import RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import PictureIndex
from pixelwise.data.shapes import describe_value
from pixelwise.data.split_names import SPLITS, find_split_of_path
from pixelwise.data.walk import find_files
from pixelwise.documents import read_json
from pixelwise.errors import DataError

META_FILE = "meta.json"
IMAGES, ANNOTATIONS = "img", "ann"
LINES = ("point", "line", "polyline", "graph")
Entry = Mapping[str, Any]


def is_project(folder: Path) -> bool:
    """Whether `folder` is a project: meta.json, and a data set with pictures and annotations."""
    return (folder / META_FILE).is_file() and bool(find_files(folder, f"*/{ANNOTATIONS}"))


def read(root: Path) -> RawData:
    """Read a project under `root`; the classes are background and those of meta.json.

    A picture's tag train, val or test is its split, or else its data set's name. Raises DataError if meta.json is
    damaged.
    """
    folder = find_folder(root, is_project, f"Supervisely's {META_FILE} and */{ANNOTATIONS}")
    file = folder / META_FILE
    classes = read_json(file, "Supervisely's classes").get("classes")
    if not isinstance(classes, list) or not all(isinstance(each, dict) for each in classes):
        raise DataError(f"{file}: classes: found {describe_value(classes)}, expected a list of mappings with a title")
    index, notes = PictureIndex(folder), Notes()
    names = merge_class_tables({file: [each.get("title") for each in classes]}, notes)
    annotations = [path for path in index.files if f"/{ANNOTATIONS}/" in path and path.endswith(".json")]
    pictures = [read_picture(path, names, index) for path in annotations]
    index.note_unused({picture.image for picture in pictures}, notes)
    return make_raw_data("supervisely", names, pictures, notes)


def read_picture(path: str, names: Sequence[str], index: PictureIndex) -> AnnotatedPicture:
    """Read one annotation file, `<data set>/ann/<picture>.json`, and locate its picture; a damaged file is a fault."""
    file = index.files[path]
    above, _, name = path.rpartition(f"/{ANNOTATIONS}/")
    identity = f"{above}/{name.removesuffix('.json')}"
    try:
        found = read_json(file, "Supervisely's annotation")
        objects = found.get("objects")
        if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
            raise DataError(f"objects {describe_value(objects)}, expected a list")  # noqa: TRY301
    except DataError as error:
        return AnnotatedPicture(identity, "", file, (), file, fault=str(error))
    image, fault = locate(f"{above}/{IMAGES}/{name.removesuffix('.json')}", index)
    size = found["size"] if isinstance(found.get("size"), dict) else {}
    return AnnotatedPicture(
        path=image.relative_to(index.root).as_posix().replace(f"/{IMAGES}/", "/", 1),
        split=find_split_of_tags(found.get("tags")) or find_split_of_path(file, index.root),
        image=image,
        annotations=[read_object(each, number, names) for number, each in enumerate(objects, start=1)],
        source=file,
        size=read_size(size.get("width"), size.get("height")),
        fault=fault,
    )


def locate(path: str, index: PictureIndex) -> tuple[Path, str]:
    """Locate the picture of an annotation file; older exports leave out the picture's suffix."""
    if path in index.files:
        return index.files[path], ""
    found = [each for each in index.files if each.rpartition(".")[0] == path]
    fault = f"found {found[0]} and {found[1]}, expected one picture" if len(found) > 1 else ""
    return index.files[found[0]] if found else index.root / path, fault


def find_split_of_tags(tags: Any) -> str:
    """Find the split that one of a picture's tags names; "" if none does."""
    found = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    names = [str(tag.get("name", "")).lower() for tag in found]
    return next((SPLITS[name] for name in names if name in SPLITS), "")


def read_object(each: Entry, number: int, names: Sequence[str]) -> Annotation:
    """Read one object. number: its place, which names it if it has no id."""
    name = each.get("classTitle")
    is_known = isinstance(name, str) and canonical_name(name) in names
    shape = read_shape(each) if is_known else Unusable(f"class {describe_value(name)}, which {META_FILE} lacks")
    return Annotation(f"object {each.get('id', number)}", str(name), shape)


def read_shape(each: Entry) -> Shape:
    """Read the geometry of an object; a fault makes it unusable."""
    kind = each.get("geometryType")
    if kind in LINES:
        return NO_AREA
    try:
        if kind == "bitmap":
            left, top = map(int, each["bitmap"]["origin"])
            return Bitmap(partial(decode_deflated_png, each["bitmap"]["data"]), left, top)
        if kind == "polygon":
            return Polygons([each["points"]["exterior"]], each["points"].get("interior") or ())
        if kind == "rectangle":
            (left, top), (right, bottom) = np.asarray(each["points"]["exterior"], np.float64).tolist()
            return make_box(left, top, right - left, bottom - top)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return Unusable(f"{kind} with {describe_value(error)}, expected its points or mask")
    return Unusable(f"geometryType {describe_value(kind)}, expected bitmap, polygon or rectangle")
