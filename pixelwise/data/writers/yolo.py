"""YOLO segmentation: `labels/NAME.txt` of every picture and one `data.yaml`; an object is a connected area.

The format knows only polygons without holes, so an area with holes becomes several polygons beside one another.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from pixelwise.data.writers.objects import find_areas, list_objects
from pixelwise.data.writers.outlines import trace_outlines
from pixelwise.files import write_text

NAMES_FILE, LABELS, IMAGES = "data.yaml", "labels", "images"


class Writer:
    """Writes the text file of every picture. The pictures belong into the folder `images`, by the same names."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        # The format numbers the classes of objects from 0.
        self.numbers = {value: number for number, value in enumerate(list_objects(names))}

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:  # noqa: ARG002 - a writer's
        """Write the polygons of the label (H, W) uint8 of a picture, in fractions of its width and height."""
        size = label.shape[::-1]
        lines = [
            " ".join([str(self.numbers[area.value]), *(f"{number:.8g}" for number in (outline / size).ravel())])
            for area in find_areas(label, self.names)
            for outline in trace_outlines(area.mask, area.left, area.top)
        ]
        write_text(self.folder / LABELS / f"{name}.txt", "".join(f"{line}\n" for line in lines))

    def finish(self) -> Path:
        """Write data.yaml and return it."""
        names = dict(enumerate(list_objects(self.names).values()))
        described = {"path": ".", "train": IMAGES, "nc": len(names), "names": names}
        write_text(self.folder / NAMES_FILE, yaml.safe_dump(described, sort_keys=False))
        return self.folder / NAMES_FILE
