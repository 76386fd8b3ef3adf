"""COCO instances (Lin et al. 2014), in the layouts in which COCO, Roboflow, CVAT, Label Studio and FiftyOne write them.

A JSON file lists pictures, annotations and categories. Its split is named by the file (`instances_val2017.json`) or by
its folder (`valid/_annotations.coco.json`). A picture lies beside the file, or in a folder named after the split,
`images` or `data`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.data.annotation_set import AnnotatedPicture, Annotation, Polygons, RunLengths, Shape, Unusable, read_size
from pixelwise.data.archives import find_folder
from pixelwise.data.class_tables import BACKGROUND, check_class_name, merge_class_tables
from pixelwise.data.items import RawData
from pixelwise.data.notes import Notes
from pixelwise.data.painting import make_raw_data
from pixelwise.data.picture_index import PictureIndex, normalise_name
from pixelwise.data.readers.coco_file import LISTS, CocoFile, Entry, make_key, read_coco_file
from pixelwise.data.shapes import describe_value
from pixelwise.data.split_names import find_split
from pixelwise.data.walk import find_files
from pixelwise.errors import DataError

PREFIX = "instances_"
# The first that are found are read; other files beside them, such as captions, are not.
PATTERNS = (
    f"annotations/{PREFIX}*.json", "*/_annotations.coco.json", "_annotations.coco.json", "result.json", "labels.json",
    "*/labels.json", "annotations/*.json", "annotations.json", "*/annotations.json",
)  # fmt: skip
FOLDERS = ("images", "data", "")
# Names of files and folders that say nothing about a split.
GENERAL = ("_annotations.coco", "result", "labels", "annotations", "default")
# Beginnings of names of COCO's files without instances.
OTHER_KINDS = ("captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_")
Pictures = Iterator[AnnotatedPicture]


def list_annotation_files(folder: Path) -> list[Path]:
    """List the annotation files of COCO's layout in `folder`; [] if there is none."""
    for pattern in PATTERNS:
        if files := [file for file in find_files(folder, pattern) if not file.name.startswith(OTHER_KINDS)]:
            return files
    return []


def is_coco(found: Any) -> bool:
    """Whether a JSON value has COCO's lists."""
    return isinstance(found, dict) and all(isinstance(found.get(name), list) for name in LISTS)


def read(root: Path) -> RawData:
    """Read COCO under `root`: each file is a split; the classes are background and the categories, matched by name.

    Smaller objects are painted over larger ones, crowds are void, and the layer `instance` numbers a picture's objects.
    Raises DataError if there is no file of instances, or one is damaged or contradicts itself.
    """
    folder = find_folder(root, lambda path: bool(list_annotation_files(path)), "COCO's annotations/instances_*.json")
    files = [read_coco_file(file) for file in list_annotation_files(folder)]
    notes, index = Notes(), PictureIndex(folder)
    tables = {file.path: read_categories(file, notes) for file in files}
    pictures = [
        picture
        for file, (part, split) in zip(files, name_parts([file.path for file in files], folder), strict=True)
        for picture in read_pictures(file, tables[file.path], part, split, index)
    ]
    index.note_unused({picture.image for picture in pictures}, notes)
    names = merge_class_tables({path: table.values() for path, table in tables.items()}, notes)
    return make_raw_data("coco", names, pictures, notes)


def read_categories(file: CocoFile, notes: Notes) -> dict[Any, str]:
    """The categories of a file by ascending id, id -> name, without Roboflow's entry that only groups the others."""
    groups = {each.get("supercategory") for each in file.categories.values()} - {"none"}
    annotated = {make_key(each.get("category_id")) for each in file.annotations}
    table = {}
    for id_, each in sorted(file.categories.items(), key=lambda pair: (isinstance(pair[0], str), pair[0])):
        name = check_class_name(each.get("name"), file.path)
        if each.get("supercategory") == "none" and name in groups and id_ not in annotated:
            notes.add("categories that only group others, left out", name)
        else:
            table[id_] = name
    return table


def name_parts(files: Sequence[Path], folder: Path) -> list[tuple[str, str]]:
    """Name the part of the data set that each file describes, and its split; "" where no name tells one.

    A part whose name is no known split is a split of that name if the others have one.
    """
    parts = [name_part(file, folder) for file in files]
    splits = [find_split(part) for part in parts]
    if any(splits):
        splits = [split or part for part, split in zip(parts, splits, strict=True)]
    return list(zip(parts, splits, strict=True))


def name_part(file: Path, folder: Path) -> str:
    """The name of a file without what all such files have; that of its folder where nothing is left."""
    word = file.stem.removeprefix(PREFIX)
    if word not in GENERAL:
        return word
    return "" if file.parent == folder or file.parent.name in GENERAL else file.parent.name


def read_pictures(file: CocoFile, names: Mapping[Any, str], part: str, split: str, index: PictureIndex) -> Pictures:
    """Read the pictures of a file with their annotations. names: category -> class.

    Raises DataError if annotations belong to no picture.
    """
    of_picture: dict[Any, list[Annotation]] = defaultdict(list)
    for number, each in enumerate(file.annotations, start=1):
        of_picture[make_key(each.get("image_id"))].append(read_annotation(each, number, names))
    if lost := of_picture.keys() - file.images.keys():
        count, first = sum(len(of_picture[id_]) for id_ in lost), of_picture[min(lost, key=str)][0].id
        total = f"{count} of {len(file.annotations)} annotations"
        raise DataError(f"{file.path}: {total}, first {first}: image_id matches no picture, expected an id of images")
    beside = file.path.parent.relative_to(index.root).as_posix()
    folders = [
        part,
        *(f"{base}/{part}" for base in FOLDERS),
        beside,
        *(f"{beside}/{base}" for base in FOLDERS),
        *FOLDERS,
    ]
    for id_, entry in file.images.items():
        yield read_picture(entry, of_picture[id_], file.path, part if split else "", split, index, folders)


def read_picture(
    entry: Entry,
    annotations: Sequence[Annotation],
    source: Path,
    prefix: str,
    split: str,
    index: PictureIndex,
    folders: Sequence[str],
) -> AnnotatedPicture:
    """Read one entry of the list of pictures. prefix: first folder of the picture's identity."""
    name = normalise_name(entry["file_name"])
    path = name if not prefix or name.startswith(f"{prefix}/") else f"{prefix}/{name}"
    image, fault = index.locate(entry["file_name"], folders, split)
    size = read_size(entry.get("width"), entry.get("height"))
    return AnnotatedPicture(path, split, image, annotations, source, size, fault)


def read_annotation(each: Entry, number: int, names: Mapping[Any, str]) -> Annotation:
    """Read one annotation; an unknown category makes it unusable. number: its place, which names it if it has no id."""
    category = make_key(each.get("category_id"))
    if category in names:
        shape = read_shape(each)
    else:
        known = ", ".join(map(str, names)) if len(names) <= 10 else f"one of {len(names)} categories"
        shape = Unusable(f"category_id {category}, expected {known}")
    return Annotation(
        id=str(each.get("id", f"number {number}")),
        name=names.get(category, BACKGROUND),
        shape=shape,
        is_crowd=each.get("iscrowd") in (1, "1"),
        area=read_area(each),
    )


def read_shape(each: Entry) -> Shape:
    """Read the segmentation of an annotation: polygons, one polygon, or run lengths."""
    found = each.get("segmentation")
    if isinstance(found, dict):
        return RunLengths(found.get("size"), found.get("counts"))
    if not found and read_area(each):
        return Unusable("no segmentation, expected polygons or run lengths, not a box alone")
    if not isinstance(found, list):
        return Unusable(f"segmentation {describe_value(found)}, expected polygons or run lengths")
    # Some tools leave out the outer list of a single polygon. Four numbers may be a box as well.
    if len(found) >= 6 and all(isinstance(value, int | float) for value in found):
        return Polygons([found])
    if not all(isinstance(ring, list) for ring in found):
        return Unusable(f"segmentation {describe_value(found)}, expected a list of polygons")
    return Polygons(found)


def read_area(each: Entry) -> float:
    """The area that a file gives to an annotation, or that of its box; 0 where it gives none."""
    box: Any = each.get("bbox")
    is_box = isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)
    area = each.get("area") or (box[2] * box[3] if is_box else 0)
    return float(area) if isinstance(area, int | float) and area > 0 else 0
