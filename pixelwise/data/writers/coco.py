"""COCO: one `annotations/instances_default.json`; an object is a connected area, with packed run lengths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.writers.objects import Area, find_areas, list_objects, name_picture
from pixelwise.files import write_json

FILE = Path("annotations/instances_default.json")


class Writer:
    """Collects the annotations of all pictures; `file_name` is the path of the results with the picture's suffix."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.file, self.names = folder / FILE, names
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Add the label (H, W) uint8 of a picture."""
        number, (height, width) = len(self.images) + 1, label.shape
        self.images.append({"id": number, "file_name": name_picture(name, source), "width": width, "height": height})
        for area in find_areas(label, self.names):
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": number,
                    "category_id": area.value + 1,
                    "iscrowd": 0,
                    "area": int(area.mask.sum()),
                    "bbox": [area.left, area.top, area.mask.shape[1], area.mask.shape[0]],
                    "segmentation": encode_area(area, label.shape),
                }
            )

    def finish(self) -> Path:
        """Write the file and return it."""
        classes = [
            {"id": value + 1, "name": name, "supercategory": ""} for value, name in list_objects(self.names).items()
        ]
        write_json(self.file, {"images": self.images, "annotations": self.annotations, "categories": classes})
        return self.file


def encode_area(area: Area, size: tuple[int, ...]) -> dict[str, Any]:
    """Encode an area of a label of `size` (H, W) as COCO's packed run lengths."""
    from pycocotools import mask

    height, width = area.mask.shape
    whole = np.zeros(size, np.uint8, order="F")
    whole[area.top : area.top + height, area.left : area.left + width] = area.mask
    packed = mask.encode(whole)
    return {"size": list(size), "counts": packed["counts"].decode("ascii")}
