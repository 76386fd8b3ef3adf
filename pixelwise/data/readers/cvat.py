"""CVAT for images 1.1: one XML file with outlines, boxes, ellipses and masks in pixels, and layers (`z_order`)."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

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
from pixelwise.data.bitmaps import decode_row_runs
from pixelwise.data.class_tables import merge_class_tables
from pixelwise.data.items import RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import PictureIndex, normalise_name
from pixelwise.data.split_names import find_split
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

LINES = ("polyline", "points", "skeleton")
SHAPES = ("polygon", "box", "ellipse", "mask", "cuboid", *LINES)


def list_xml_files(folder: Path) -> list[Path]:
    """List the XML files in `folder` whose root is CVAT's `annotations`."""
    return [file for file in find_files(folder, "*.xml") if "<annotations" in file.read_bytes()[:400].decode("latin-1")]


def read(root: Path) -> RawData:
    """Read CVAT's XML under `root`; the classes are background and the labels in the order of the project.

    Raises DataError if a file is damaged, or holds the tracks of a video.
    """
    folder = find_folder(root, lambda path: bool(list_xml_files(path)), "CVAT's annotations.xml")
    index, notes = PictureIndex(folder), Notes()
    trees = {file: parse(file) for file in list_xml_files(folder)}
    pictures = [read_picture(each, file, index) for file, tree in trees.items() for each in tree.iter("image")]
    index.note_unused({picture.image for picture in pictures}, notes)
    names = merge_class_tables({file: list_labels(tree, notes) for file, tree in trees.items()}, notes)
    return make_raw_data("cvat", names, pictures, notes)


def parse(file: Path) -> Element:
    """Parse an XML file. Raises DataError if it is damaged, declares entities, or holds tracks."""
    text = read_text(file, "CVAT's XML")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # Entities can name files of this machine, and grow to gigabytes.
        raise DataError(f"{file}: declares a document type, expected CVAT's XML, which has none")
    try:
        tree = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{file}: {error}, expected CVAT's XML") from None
    if tree.find("track") is not None:
        raise DataError(f"{file}: holds tracks of a video, expected the export `CVAT for images 1.1`")
    return tree


def list_labels(tree: Element, notes: Notes) -> list[str]:
    """List the labels of the project or task, then those of its shapes that are not among them, which are noted."""
    labels = [each.findtext("name", "") for each in tree.iter("label") if each.find("name") is not None]
    used = {each.get("label", "") for image in tree.iter("image") for each in image if each.tag in SHAPES}
    others = sorted(used - set(labels) - {""})
    for label in others if labels else ():
        notes.add("labels of shapes that the project does not list", label)
    return [*labels, *others]


def read_picture(image: Element, file: Path, index: PictureIndex) -> AnnotatedPicture:
    """Read one element `image` with its shapes, and locate its picture."""
    name, subset = image.get("name", ""), image.get("subset", "")
    folders = [f"images/{subset}" if subset else "images", "images", subset or ".", "."]
    path, fault = index.locate(name, folders, find_split(subset))
    annotations = [
        Annotation(f"{each.tag} {place}", each.get("label", ""), read_shape(each), layer=read_layer(each))
        for place, each in enumerate((each for each in image if each.tag in SHAPES), start=1)
    ]
    size = read_size(image.get("width"), image.get("height"))
    identity = normalise_name(f"{subset}/{name}" if find_split(subset) else name)
    fault = fault or ("" if name else "no name, expected the picture's path")
    return AnnotatedPicture(identity, find_split(subset), path, annotations, file, size, fault)


def read_layer(each: Element) -> int:
    """The layer of a shape; 0 where it gives none."""
    try:
        return int(each.get("z_order", "0"))
    except ValueError:
        return 0


def read_shape(each: Element) -> Shape:
    """Read a shape; a fault makes it unusable."""
    if not each.get("label", "").strip():
        return Unusable("no label, expected the name of a class")
    if each.tag in LINES:
        return NO_AREA
    if each.tag not in READERS:
        return Unusable(f"a {each.tag}, expected one of: {', '.join(READERS)}")
    try:
        return READERS[each.tag](each.attrib)
    except (KeyError, ValueError, OverflowError) as error:
        return Unusable(f"{each.tag} with {error}, expected numbers")


def read_polygon(given: Mapping[str, str]) -> Shape:
    """Read an outline: `x,y;x,y;…`."""
    return Polygons([[[float(number) for number in point.split(",")] for point in given["points"].split(";")]])


def read_ellipse(given: Mapping[str, str]) -> Shape:
    """Read an ellipse, turned around its centre."""
    x, y, radius_x, radius_y = (float(given[key]) for key in ("cx", "cy", "rx", "ry"))
    return make_ellipse(x, y, radius_x, radius_y, read_turn(given))


def read_box(given: Mapping[str, str]) -> Shape:
    """Read a box, turned around its centre."""
    left, top, right, bottom = (float(given[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
    (corners,) = make_box(left, top, right - left, bottom - top).rings
    angle, centre = np.radians(read_turn(given)), np.array([left + right, top + bottom]) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Polygons([(np.reshape(corners, (4, 2)) - centre) @ turn.T + centre])


def read_mask(given: Mapping[str, str]) -> Shape:
    """Read a mask, run lengths row by row of its own rectangle."""
    counts = [int(count) for count in given["rle"].split(",")]
    left, top, width, height = (int(float(given[key])) for key in ("left", "top", "width", "height"))
    return Bitmap(partial(decode_row_runs, counts, width, height), left, top)


def read_turn(given: Mapping[str, str]) -> float:
    """The clockwise rotation of a shape in degrees."""
    return float(given.get("rotation", 0))


READERS: dict[str, Callable[[Mapping[str, str]], Shape]] = {
    "polygon": read_polygon,
    "box": read_box,
    "ellipse": read_ellipse,
    "mask": read_mask,
}
