"""Readers of data sets on disk, by name. A new data set needs a module with `read(root)` and a line here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pixelwise.data import video
from pixelwise.data.class_choice import choose_classes
from pixelwise.data.items import RawData
from pixelwise.data.read_params import LAYOUT_KEYS, ReadParams
from pixelwise.data.readers import (
    camvid,
    cityscapes,
    coco,
    coco_panoptic,
    context,
    csv_list,
    cvat,
    davis,
    folder,
    huggingface,
    label_map,
    label_studio,
    labelme,
    nyud,
    nyud_clips,
    object_masks,
    sbd,
    sift_flow,
    supervisely,
    voc,
    yolo,
    youtube_objects,
)
from pixelwise.errors import DataError, ParamsError

READERS: dict[str, Callable[[Path], RawData]] = {
    "camvid": camvid.read,
    "context": context.read,
    "folder": folder.read,
    "huggingface": huggingface.read,
    "nyud": nyud.read,
    "sbd": sbd.read,
    "sift_flow": sift_flow.read,
    "voc": voc.read,
    "cityscapes": cityscapes.read,
    "nyud_clips": nyud_clips.read,
    "video": video.read,
    "youtube_objects": youtube_objects.read,
    "davis": davis.read,
    "coco": coco.read,
    "coco_panoptic": coco_panoptic.read,
    "csv": csv_list.read,
    "yolo": yolo.read,
    "labelme": labelme.read,
    "cvat": cvat.read,
    "label_map": label_map.read,
    "label_studio": label_studio.read,
    "supervisely": supervisely.read,
    "coco_mval": object_masks.read_mval,
    "davis_frames": object_masks.read_frames,
    "guided": object_masks.read_together,
}


def read_dataset(name: str, root: Path, reading: ReadParams | None = None) -> RawData:
    """Read the data set `name`, a key of READERS, under the folder `root`. Pictures are decoded later, item by item.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> raw = pixelwise.read_dataset("folder", Path("mine"))
    >>> raw.classes.names, [item.id for item in raw.items]
    (('red', 'green', 'blue'), ['val/0', 'val/1'])

    Raises DataError if the name is unknown or nothing is found.
    """
    if name not in READERS:
        raise DataError(f"data set {name}: unknown, expected one of: {', '.join(READERS)}")
    reading = reading or ReadParams()
    raw = read_as(name, root, reading)
    if len(raw.items) == 0:
        raise DataError(f"root {root}: no labelled picture, expected a {name} data set")
    masks = replace(raw.masks, max_off_share=reading.max_off_share, notes=raw.notes)
    return choose_classes(replace(raw, drawn=reading.orientation, masks=masks), reading.classes)


def read_as(name: str, root: Path, reading: ReadParams) -> RawData:
    """Read a data set as `reading` says. Raises ParamsError if it gives the layout of one that has its own."""
    if name == "folder":
        return folder.read(root, reading)
    for key in LAYOUT_KEYS:
        if getattr(reading, key):
            raise ParamsError(f"{key}: found {getattr(reading, key)}, but only the data set folder takes a layout")
    return READERS[name](root)
