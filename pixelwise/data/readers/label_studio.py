"""Label Studio's JSON and JSON-MIN: a list of tasks with brushes, and outlines in percent of the picture's size."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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
from pixelwise.data.archives import find_folder
from pixelwise.data.bitmaps import decode_brush
from pixelwise.data.class_tables import list_names, merge_class_tables
from pixelwise.data.items import RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import PictureIndex
from pixelwise.data.shapes import describe_value
from pixelwise.data.split_names import find_split_of_path
from pixelwise.data.walk import find_files
from pixelwise.documents import read_json
from pixelwise.errors import DataError

# Of an uploaded picture, Label Studio writes eight random digits before its name.
UPLOAD = re.compile(r"[0-9a-f]{8}-")
# Keys of values that have a shape.
GEOMETRY = {"points", "rle", "x", "radiusX"}
Entry = Mapping[str, Any]


def is_label_studio(found: Any) -> bool:
    """Whether a JSON value is a list of tasks, each with its results or with the picture and labels in one level."""
    return isinstance(found, list) and any(
        isinstance(task, dict) and ("data" in task or "image" in task) and find_results(task) is not None
        for task in found[:5]
    )


def list_task_files(folder: Path) -> list[Path]:
    """List the JSON files in `folder` that hold tasks."""
    return [file for file in find_files(folder, "*.json") if is_label_studio(read_json(file, "JSON", Any))]


def read(root: Path) -> RawData:
    """Read the tasks under `root`; the classes are background and the labels in alphabetical order.

    Raises DataError if there is no task, or a file is damaged.
    """
    folder = find_folder(root, lambda path: bool(list_task_files(path)), "Label Studio's JSON")
    index, notes = PictureIndex(folder), Notes()
    pictures = [
        picture
        for file in list_task_files(folder)
        for number, task in enumerate(read_json(file, "a list of tasks", list[dict[str, Any]]), start=1)
        if (picture := read_task(task, number, file, index, notes))
    ]
    index.note_unused({picture.image for picture in pictures}, notes)
    names = merge_class_tables({folder: list_names(pictures)}, notes)
    return make_raw_data("label_studio", names, pictures, notes)


def read_task(task: Entry, number: int, file: Path, index: PictureIndex, notes: Notes) -> AnnotatedPicture | None:
    """Read one task; None if it is not annotated. number: its place, which names it if it has no id."""
    place, results = f"task {task.get('id', number)}", find_results(task)
    if results is None:
        notes.add("tasks without a submitted annotation, left out", place)
        return None
    if len(task.get("annotations") or []) > 1:
        notes.add("tasks with several annotations, of which the newest is read", place)
    name = find_picture_name(task)
    if not name:
        return AnnotatedPicture(place, "", file, (), file, fault="no picture in its data, expected its path")
    image, fault = locate(name, index)
    try:
        annotations = list(read_results(results))
    except DataError as error:
        fault, annotations = fault or str(error), []
    sizes = {read_size(each.get("original_width"), each.get("original_height")) for each in results} - {None}
    if len(sizes) > 1:
        fault = fault or f"annotated at {len(sizes)} sizes, expected one"
    path = image.relative_to(index.root).as_posix()
    size = next(iter(sizes), None)
    return AnnotatedPicture(path, find_split_of_path(image, index.root), image, annotations, file, size, fault)


def find_results(task: Entry) -> Sequence[Entry] | None:
    """Find the results of a task: those of its newest annotation that was not cancelled; in JSON-MIN, its labels."""
    if "annotations" in task:
        given = task["annotations"] if isinstance(task["annotations"], list) else []
        valid = [each for each in given if isinstance(each, dict) and not each.get("was_cancelled")]
        newest = max(valid, key=lambda each: str(each.get("updated_at") or ""), default=None)
        found = newest.get("result") if newest else None
    else:
        lists = (value for key, value in task.items() if isinstance(value, list) and key != "predictions")
        found = next((value for value in lists if value and isinstance(value[0], dict)), None)
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else None


def find_picture_name(task: Entry) -> str:
    """Find the picture's path or address in a task; "" if there is none."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [data.get("image"), *data.values()]
    return next((text for text in texts if isinstance(text, str) and re.search(r"\.\w{3,4}\b", text)), "")


def locate(name: str, index: PictureIndex) -> tuple[Path, str]:
    """Locate a picture by its address, of which only the end stands here; that of a local file is behind `?d=`."""
    path = "/" + unquote(name.partition("?d=")[2] or name.partition("?")[0])
    image, fault = index.locate(path, ["images", "."])
    folder, _, last = path.rpartition("/")
    if index.holds(image) or fault or not UPLOAD.match(last):
        return image, fault
    return index.locate(f"{folder}/{UPLOAD.sub('', last, count=1)}", ["images", "."])


def read_results(results: Sequence[Entry]) -> Iterator[Annotation]:
    """Read the shapes among the results of an annotation. Raises DataError at one without a class."""
    names = {each.get("id"): name for each in results if (name := find_name(read_value(each)))}
    for number, each in enumerate(results, start=1):
        kind, value = read_kind(each), read_value(each)
        if not GEOMETRY & value.keys():
            # A choice, a text, or the labels of a shape that another result has.
            continue
        name = find_name(value) or names.get(each.get("id"), "")
        if not name:
            raise DataError(f"result {each.get('id', number)}: no label, expected the name of a class")
        yield Annotation(f"result {each.get('id', number)}", name, read_shape(kind, value, each))


def read_value(each: Entry) -> Entry:
    """The value of a result; in JSON-MIN, the result itself."""
    return each["value"] if isinstance(each.get("value"), dict) else each


def read_kind(each: Entry) -> str:
    """The kind of a result, such as brush or polygon, which JSON-MIN tells by the key of its labels."""
    key = str(each.get("type") or next((key for key in each if key.endswith("labels")), ""))
    return key.removesuffix("labels")


def find_name(value: Entry) -> str:
    """Find the one label of a value; "" if it has none."""
    lists = (found for key, found in value.items() if key.endswith("labels") and isinstance(found, list))
    return next((found[0] for found in lists if found and isinstance(found[0], str)), "").strip()


def read_shape(kind: str, value: Entry, each: Entry) -> Shape:
    """Read the shape of a result; a fault makes it unusable."""
    size = read_size(each.get("original_width"), each.get("original_height"))
    if kind not in SHAPES:
        return Unusable(f"type {kind!r}, expected one of: {', '.join(SHAPES)}")
    try:
        return SHAPES[kind](value, size)
    except (KeyError, TypeError, ValueError) as error:
        return Unusable(f"{kind} with {describe_value(error)}, expected numbers")


def read_polygon(value: Entry, _: object) -> Shape:
    """Read an outline in percent."""
    return Polygons([np.array(value["points"], np.float64) / 100], is_relative=True)


def read_rectangle(value: Entry, size: tuple[int, int] | None) -> Shape:
    """Read a rectangle in percent, turned around its top left corner."""
    if value.get("rotation") and not size:
        return Unusable("a turned rectangle without original_width and original_height")
    width, height = size or (1, 1)
    (corners,) = make_box(0, 0, value["width"] * width / 100, value["height"] * height / 100).rings
    angle = np.radians(value.get("rotation", 0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corner = np.array([value["x"], value["y"]], np.float64) / 100
    return Polygons([np.reshape(corners, (4, 2)) @ turn.T / (width, height) + corner], is_relative=True)


def read_ellipse(value: Entry, size: tuple[int, int] | None) -> Shape:
    """Read an ellipse in percent, turned around its centre."""
    if not size:
        return Unusable("an ellipse without original_width and original_height")
    x, y, radius_x, radius_y = (
        value[key] * side / 100 for key, side in zip(("x", "y", "radiusX", "radiusY"), size * 2, strict=True)
    )
    return make_ellipse(x, y, radius_x, radius_y, value.get("rotation", 0))


def read_brush(value: Entry, size: tuple[int, int] | None) -> Shape:
    """Read a brush, which has the picture's size."""
    if not size:
        return Unusable("a brush without original_width and original_height")
    return Bitmap(partial(decode_brush, value["rle"], *size))


def read_point(_: Entry, __: object) -> Shape:
    """Read a point, which has no area."""
    return NO_AREA


SHAPES = {
    "brush": read_brush,
    "polygon": read_polygon,
    "rectangle": read_rectangle,
    "ellipse": read_ellipse,
    "keypoint": read_point,
}
