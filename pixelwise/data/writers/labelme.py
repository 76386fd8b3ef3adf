"""LabelMe: a JSON file a picture, named as its results; an object is a connected area, drawn as polygons.

An area with holes is several polygons of one group, since LabelMe's polygons have no holes.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.writers.objects import find_areas
from pixelwise.data.writers.outlines import trace_outlines
from pixelwise.files import write_json

# Of the format, which has not changed since.
VERSION = "5.0.0"


class Writer:
    """Writes NAME.json of every picture; `imagePath` leads from there to the picture."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Write the file of the label (H, W) uint8 of a picture."""
        file = self.folder / f"{name}.json"
        picture = Path(os.path.relpath(source.absolute(), file.absolute().parent))
        height, width = label.shape
        write_json(
            file,
            {
                "version": VERSION,
                "flags": {},
                "shapes": list(list_polygons(label, self.names)),
                "imagePath": picture.as_posix(),
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            },
        )

    def finish(self) -> Path:
        """Return the folder of the files."""
        return self.folder


def list_polygons(label: np.ndarray, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """List the shapes of the label (H, W) uint8 of a picture."""
    for number, area in enumerate(find_areas(label, names), start=1):
        outlines = trace_outlines(area.mask, area.left, area.top)
        for outline in outlines:
            yield {
                "label": names[area.value],
                "points": outline.tolist(),
                "group_id": number if len(outlines) > 1 else None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
