"""LabelMe: a JSON file a picture, named as its results; an object is a connected area, a shape `mask`."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.writers.objects import Area, find_areas
from pixelwise.files import write_json

# The first version of LabelMe that reads shapes `mask`.
VERSION = "5.2.0"


class Writer:
    """Writes NAME.json of every picture; `imagePath` leads from there to the picture."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Write the file of the label (H, W) uint8 of a picture."""
        file = self.folder / f"{name}.json"
        picture = Path(os.path.relpath(source.absolute(), file.absolute().parent))
        shapes = [describe_area(area, self.names[area.value]) for area in find_areas(label, self.names)]
        height, width = label.shape
        write_json(
            file,
            {
                "version": VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": picture.as_posix(),
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            },
        )

    def finish(self) -> Path:
        """Return the folder of the files."""
        return self.folder


def describe_area(area: Area, name: str) -> dict[str, Any]:
    """The shape of an area: two corners, both inside, and the mask between them as a PNG in base64."""
    height, width = area.mask.shape
    return {
        "label": name,
        "points": [[area.left, area.top], [area.left + width - 1, area.top + height - 1]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(encode_picture(area.mask.astype(np.uint8) * 255)).decode("ascii"),
    }
