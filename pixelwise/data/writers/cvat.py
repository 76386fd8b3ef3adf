"""CVAT for images 1.1: one `annotations.xml`; an object is a connected area, a mask in run lengths row by row."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from pixelwise.data.writers.objects import Area, find_areas, list_objects, name_picture
from pixelwise.files import write_bytes

FILE = "annotations.xml"


class Writer:
    """Collects the elements of all pictures; `name` is the path of the results with the picture's suffix."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.file, self.names = folder / FILE, names
        self.root = ElementTree.Element("annotations")
        ElementTree.SubElement(self.root, "version").text = "1.1"
        job = ElementTree.SubElement(ElementTree.SubElement(self.root, "meta"), "job")
        labels = ElementTree.SubElement(job, "labels")
        for name in list_objects(names).values():
            ElementTree.SubElement(ElementTree.SubElement(labels, "label"), "name").text = name

    def add(self, name: Path, source: Path, label: np.ndarray) -> None:
        """Add the label (H, W) uint8 of a picture."""
        number, (height, width) = len(self.root.findall("image")), label.shape
        facts = {"id": number, "name": name_picture(name, source), "width": width, "height": height}
        image = ElementTree.SubElement(self.root, "image", {key: str(value) for key, value in facts.items()})
        for area in find_areas(label, self.names):
            ElementTree.SubElement(image, "mask", describe_area(area, self.names[area.value]))

    def finish(self) -> Path:
        """Write the file and return it."""
        write_bytes(self.file, ElementTree.tostring(self.root, encoding="utf-8", xml_declaration=True))
        return self.file


def describe_area(area: Area, name: str) -> dict[str, str]:
    """The attributes of an area's element."""
    pixels = area.mask.ravel()
    edges = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff([0, *edges, len(pixels)]).tolist()
    # The first run is of zeros.
    counts = [0, *runs] if pixels[0] else runs
    height, width = area.mask.shape
    place = {"left": area.left, "top": area.top, "width": width, "height": height, "z_order": 0}
    return {
        "label": name,
        "source": "auto",
        "occluded": "0",
        "rle": ", ".join(map(str, counts)),
        **{key: str(value) for key, value in place.items()},
    }
