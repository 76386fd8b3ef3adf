"""Label Studio: one `tasks.json` to import, whose tasks have a prediction each, and the project's labelling interface.

A prediction is a brush a class: a project with a brush for each connected area would be too slow to edit.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from pixelwise.data.bitmaps import CHANNELS, COUNT_BITS, FIELD_BITS, WORD_BITS
from pixelwise.data.writers.objects import list_objects
from pixelwise.files import write_bytes, write_text

FILE, INTERFACE = "tasks.json", "label_config.xml"
# The names of the tags in the labelling interface, which the results refer to.
BRUSH, IMAGE = "label", "image"
# Where Label Studio serves the files of its local storage, by their paths below its document root.
LOCAL_FILES = "/data/local-files/?d="
# Bits of the fields for lengths of runs, as Label Studio's own encoder has them; a run has at most 2^16 values.
FIELDS, LONGEST = (3, 4, 8, 16), 2**16
VALUE_BITS = 8


class Writer:
    """Collects the tasks of all pictures, in their order. A picture is named by its folder and its path in the folder.

    The document root of Label Studio's local storage is then the folder that holds the given folder.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        self.tasks: list[dict[str, Any]] = []

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Add the label (H, W) uint8 of a picture."""
        path = "/".join(source.absolute().parts[-len(name.parts) - 1 :])
        self.tasks.append(
            {
                "data": {IMAGE: f"{LOCAL_FILES}{quote(path)}"},
                "predictions": [{"model_version": "pixelwise", "result": list(list_brushes(label, self.names))}],
            }
        )

    def finish(self) -> Path:
        """Write the tasks and the interface; returns the file of the tasks."""
        write_bytes(self.folder / INTERFACE, make_interface(list_objects(self.names).values()))
        # On one line: a brush is thousands of numbers.
        write_text(self.folder / FILE, json.dumps(self.tasks) + "\n")
        return self.folder / FILE


def make_interface(names: Iterable[str]) -> bytes:
    """Make the XML of a labelling interface with a brush of each class."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    brushes = ElementTree.SubElement(view, "BrushLabels", name=BRUSH, toName=IMAGE)
    for name in names:
        ElementTree.SubElement(brushes, "Label", value=name)
    return ElementTree.tostring(view, encoding="utf-8")


def list_brushes(
    label: np.ndarray, names: Sequence[str], brush: str = BRUSH, image: str = IMAGE
) -> Iterator[dict[str, Any]]:
    """List the results of a label (H, W) uint8: a brush of each class in it, but not of a first class background.

    brush, image: names of the tags in the labelling interface.
    """
    height, width = label.shape
    for value, name in list_objects(names).items():
        if (mask := label == value).any():
            yield {
                "id": f"class-{value}",
                "type": "brushlabels",
                "from_name": brush,
                "to_name": image,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [name]},
            }


def encode_brush(mask: np.ndarray) -> list[int]:
    """Pack a mask (H, W) bool as bytes: RGBA values, row by row, 255 inside (thi.ng/rle-pack)."""
    pixels = mask.ravel()
    edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate([[0], edges])
    lengths = CHANNELS * np.diff([*starts, pixels.size])
    header = f"{CHANNELS * pixels.size:0{COUNT_BITS}b}{VALUE_BITS - 1:0{WORD_BITS}b}"
    header += "".join(f"{bits - 1:0{FIELD_BITS}b}" for bits in FIELDS)
    runs = [pack_run(length, 255 * bool(pixels[start])) for start, length in zip(starts, lengths.tolist(), strict=True)]
    bits = "".join([header, *runs])
    return np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tolist()


def pack_run(length: int, value: int) -> str:
    """The bits of `length` equal values, in as many runs as they need."""
    packed = ""
    while length:
        part = min(length, LONGEST)
        field = next(place for place, bits in enumerate(FIELDS) if part <= 2**bits)
        packed += f"1{field:02b}{part - 1:0{FIELDS[field]}b}{value:0{VALUE_BITS}b}"
        length -= part
    return packed
