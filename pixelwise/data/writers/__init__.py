"""Write predictions as labelling tools read them: one module a format, with the same names as the readers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from pixelwise.data.writers import coco, cvat, label_studio, labelme, yolo

Format = Literal["coco", "cvat", "label_studio", "labelme", "yolo"]


class Writer(Protocol):
    """Writes the label maps of a run below its folder."""

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Add the label (H, W) uint8 of the picture `source`, whose results have the relative path `name`."""

    def finish(self) -> Path:
        """Write what the format keeps in one file for all pictures; returns the file or folder to import."""


# Each takes the folder to write to and the names of the classes. A first class `background` is not written.
WRITERS: dict[Format, Callable[[Path, Sequence[str]], Writer]] = {
    "coco": coco.Writer,
    "cvat": cvat.Writer,
    "label_studio": label_studio.Writer,
    "labelme": labelme.Writer,
    "yolo": yolo.Writer,
}
