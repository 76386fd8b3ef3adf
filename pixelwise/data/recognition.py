"""Recognise which data set of READERS a folder holds, by the files that only this format has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.archives import find_folder
from pixelwise.data.class_file import CLASSES_FILE
from pixelwise.data.readers import (
    coco,
    csv_list,
    cvat,
    huggingface,
    label_map,
    label_studio,
    labelme,
    object_masks,
    supervisely,
    voc,
    yolo,
)
from pixelwise.data.walk import find_files, walk
from pixelwise.documents import read_json
from pixelwise.errors import DataError

# Folders and files that are only in one published data set.
PUBLISHED = {
    "cityscapes": "gtFine",
    "davis": "ImageSets/201[67]/*.txt",
    "camvid": "trainannot",
    "sift_flow": "SemanticLabels",
    "youtube_objects": "youtube_masks",
    "context": "pascal-context",
    "sbd": "dataset/cls",
}
# Files read to tell what kind of JSON a folder holds.
TRIED = 3


@dataclass(frozen=True)
class Recognised:
    """A data set that a folder holds. dataset: key of READERS. reason: the files that tell it."""

    dataset: str
    reason: str


def recognise(root: Path) -> list[Recognised]:
    """Recognise the data sets that `root` holds, the most specific first; [] if it holds none.

    It reads names, and of JSON, YAML and XML files those that may describe a data set. A damaged file is none.
    """
    found = []
    for dataset, (holds, reason) in TESTS.items():
        try:
            folder = find_folder(root, holds, reason)
        except DataError:
            continue
        found.append(Recognised(dataset, f"{reason} in {folder}"))
    return found


def has_coco(folder: Path) -> bool:
    """Whether `folder` has a file of COCO's instances."""
    files = coco.list_annotation_files(folder)
    return bool(files) and (files[0].name.startswith(coco.PREFIX) or is_json(files[0], coco.is_coco))


def has_labelme(folder: Path) -> bool:
    """Whether one of the first JSON files in `folder` is LabelMe's."""
    return any(is_json(file, labelme.is_labelme) for file in find_files(folder, "*.json")[:TRIED])


def has_label_studio(folder: Path) -> bool:
    """Whether one of the first JSON files in `folder` is Label Studio's."""
    return any(is_json(file, label_studio.is_label_studio) for file in find_files(folder, "*.json")[:TRIED])


def is_json(file: Path, is_kind: Callable[[Any], bool]) -> bool:
    """Whether `file` is JSON of a kind. A damaged file is not."""
    try:
        return is_kind(read_json(file, "JSON", Any))
    except DataError:
        return False


def has_any(*patterns: str) -> Callable[[Path], bool]:
    """Make a test whether a folder has a path that matches one of the `patterns`."""
    return lambda folder: any(find_files(folder, pattern) for pattern in patterns)


def has_yolo(folder: Path) -> bool:
    """Whether `folder` has YOLO's description, which may be damaged."""
    try:
        return yolo.find_description(folder) is not None
    except DataError:
        return True


def has_video(folder: Path) -> bool:
    """Whether `folder` has videos and no pictures."""
    return bool(walk(folder, ["video"]).files) and not walk(folder, ["picture"]).files


# Data set -> its test and the files that it looks for.
TESTS: dict[str, tuple[Callable[[Path], bool], str]] = {
    "guided": (object_masks.is_together, f"the folders {', '.join(object_masks.PARTS)}"),
    "csv": (lambda folder: csv_list.find_list(folder) is not None, f"a list of image and mask beside {CLASSES_FILE}"),
    "folder": (has_any(CLASSES_FILE), CLASSES_FILE),
    "coco_panoptic": (has_any("annotations/panoptic_*.json"), "annotations/panoptic_*.json"),
    "coco": (has_coco, "COCO's lists of images, annotations and categories"),
    "yolo": (has_yolo, "YOLO's names of classes"),
    "label_map": (label_map.is_label_map, f"{label_map.FILE} beside {label_map.MASKS}"),
    "supervisely": (supervisely.is_project, "Supervisely's meta.json beside */ann"),
    "cvat": (lambda folder: bool(cvat.list_xml_files(folder)), "CVAT's XML"),
    "label_studio": (has_label_studio, "Label Studio's tasks"),
    "labelme": (has_labelme, "LabelMe's JSON with shapes"),
    "coco_mval": (object_masks.is_mval, f"{object_masks.INDEX} of objects"),
    "davis_frames": (object_masks.is_frames, f"{object_masks.INDEX} of frames"),
    **{name: (has_any(pattern), pattern) for name, pattern in PUBLISHED.items()},
    "voc": (has_any(f"{voc.LISTS}/*.txt"), f"VOC's {voc.LISTS}/*.txt"),
    "huggingface": (huggingface.is_dataset, f"{huggingface.SOURCE_FILE}, metadata.csv or Parquet files"),
    "video": (has_video, "videos and no pictures"),
}
