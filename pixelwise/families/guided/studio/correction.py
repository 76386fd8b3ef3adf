"""Correct the labels of suggested pictures: by clicks and strokes, for any number of classes, at full size."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
import yaml
from PIL import Image, ImageDraw

from pixelwise.data.class_file import CLASSES_FILE
from pixelwise.data.given import read_content
from pixelwise.data.image_codec import decode_map
from pixelwise.data.items import make_bit_palette
from pixelwise.data.notes import Notes
from pixelwise.data.writers.objects import find_components
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.click_disks import ObjectClick
from pixelwise.families.guided.runtime.click_model import CERTAIN, HALF, IMPOSSIBLE, ClickModel
from pixelwise.families.guided.runtime.clicked_picture import Click
from pixelwise.families.guided.runtime.working_size import move_point, reduce
from pixelwise.families.guided.studio.desk import View
from pixelwise.families.guided.studio.drawing import draw_label
from pixelwise.families.guided.studio.pictures import MOST_PIXELS, Picture, find_picture, read_dropped
from pixelwise.files import write_bytes, write_text
from pixelwise.labelling.suggestions import Opened
from pixelwise.reporting.label_images import encode_label

IMAGES, MASKS = "images", "masks"


class Change(NamedTuple):
    """What a change replaced: the part of a picture's label from (top, left) on, and the picture's clicks."""

    picture: int
    top: int
    left: int
    before: np.ndarray
    clicks: tuple[Click, ...]


@dataclass
class Correction:
    """Pictures in the order of their ranking, each with the label that it is to be corrected from.

    clicks_net: finds the object of a click; without it a click takes the connected area of one class. labels: (H, W)
    uint8 of the pictures that were opened; these alone are saved.
    """

    opened: Opened
    clicks_net: ClickModel | None
    notes: Notes = field(default_factory=Notes)
    pictures: list[Picture] = field(default_factory=list)
    labels: dict[int, np.ndarray] = field(default_factory=dict)
    clicks: dict[int, tuple[Click, ...]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the pictures. Raises DataError where one is missing."""
        self.names, self.palette = self.opened.names, self.opened.palette
        for file, name, _ in self.opened.pictures:
            self.pictures += read_dropped(name, read_content(file), self.notes)

    def drop(self, name: str, _: bytes) -> list[int]:
        """Refuse a dropped file with DataError: its label is unknown."""
        raise DataError(f"{name}: found a new picture, expected those that were suggested; suggest it too")

    def add_class(self, name: str) -> None:
        """Add a class. Raises DataError if the name is empty or taken."""
        if not name.strip() or name.strip() in self.names:
            raise DataError(f"class {name!r}: expected a new name")
        self.names = (*self.names, name.strip())
        self.palette = (*self.palette, make_bit_palette(len(self.names))[-1])

    def is_marked(self, picture: int) -> bool:
        """Whether a picture was opened, so that it will be saved."""
        return picture in self.labels

    def draw(self, label: np.ndarray) -> bytes:
        """Draw a label (H, W) as the page shows it."""
        return draw_label(label, self.palette, MOST_PIXELS)

    def find_picture(self, number: int) -> Picture:
        """Return the picture of this number. Raises DataError if there is no such picture."""
        return find_picture(self.pictures, number)

    def show(self, picture: int) -> View:
        """Return a picture's label. Raises DataError if there is no such picture."""
        return View(picture, [], self.open(picture))

    def open(self, picture: int) -> np.ndarray:
        """Return the label (H, W) of a picture: the corrected one, at first the suggested one."""
        size = self.find_picture(picture).size
        if picture not in self.labels:
            file = self.opened.pictures[picture][2]
            label = decode_map(read_content(file))
            if label.shape != size:
                found, expected = (f"{shape[1]}×{shape[0]}" for shape in (label.shape, size))
                raise DataError(f"{file}: {found}, expected the picture's {expected}")
            self.labels[picture] = label
        return self.labels[picture]

    def click(self, picture: int, x: int, y: int, way: int) -> View:
        """Give the object at pixel (x, y) the class `way`. Raises DataError where there is no such pixel or class."""
        label = self.open(picture)
        if not (0 <= x < label.shape[1] and 0 <= y < label.shape[0]):
            raise DataError(f"click ({x}, {y}): outside the picture of {label.shape[1]}×{label.shape[0]}")
        clicks = (*self.clicks.get(picture, ()), Click(x, y, way))
        found = self.find_area(label, x, y) if self.clicks_net is None else self.find_object(picture, clicks)
        found[y, x] = True
        return self.paint(picture, found, way, clicks)

    def find_area(self, label: np.ndarray, x: int, y: int) -> np.ndarray:
        """Find the connected area (H, W) bool of one class around a pixel."""
        found = np.zeros(label.shape, bool)
        for left, top, area in find_components(label == label[y, x]):
            height, width = area.shape
            if top <= y < top + height and left <= x < left + width and area[y - top, x - left]:
                found[top : top + height, left : left + width] = area
        return found

    def find_object(self, picture: int, clicks: Sequence[Click]) -> np.ndarray:
        """Find the object (H, W) bool of the last click by the click net. Clicks of other classes are not on it."""
        assert self.clicks_net is not None
        label, last = self.open(picture), clicks[-1]
        image = reduce(self.find_picture(picture).decode())
        size = image.shape[0], image.shape[1]
        moved = [ObjectClick(*move_point(x, y, label.shape, size), way == last.way) for x, y, way in clicks]
        known = np.where(reduce(label) == last.way, CERTAIN, IMPOSSIBLE).astype(np.float32)
        odds = Image.fromarray(self.clicks_net.segment(image, moved, known if (known > HALF).any() else None))
        return np.asarray(odds.resize(label.shape[::-1], Image.Resampling.BILINEAR)) > HALF

    def stroke(self, picture: int, points: Sequence[tuple[float, float]], radius: float, way: int) -> View:
        """Give the pixels within `radius` of the line through `points` (x, y) the class `way`.

        Raises DataError for an unknown picture or class.
        """
        label = self.open(picture)
        canvas = Image.new("1", label.shape[::-1])
        pen = ImageDraw.Draw(canvas)
        pen.line([tuple(point) for point in points], fill=1, width=max(1, round(2 * radius)), joint="curve")
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
        return self.paint(picture, np.array(canvas), way, self.clicks.get(picture, ()))

    def paint(self, picture: int, where: np.ndarray, way: int, clicks: tuple[Click, ...]) -> View:
        """Give the pixels `where` (H, W) bool the class `way`, so that it can be undone."""
        if not 0 <= way < len(self.names):
            raise DataError(f"class {way}: unknown, expected 0–{len(self.names) - 1}")
        rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            label = self.open(picture)
            before, old = label[part].copy(), self.clicks.get(picture, ())
            self.changes.append(Change(picture, int(rows[0]), int(columns[0]), before, old))
            label[where] = way
            self.clicks[picture] = clicks
        return self.show(picture)

    def remove(self, picture: int, number: int) -> View:
        """Refuse with DataError to remove a click of a picture: its object was painted."""
        raise DataError(f"click {number} of picture {picture}: painted already, expected undo")

    def undo(self) -> View:
        """Undo the last change and show its picture. Raises DataError if there is no change."""
        if not self.changes:
            raise DataError("undo: found no change to take back")
        change = self.changes.pop()
        height, width = change.before.shape
        label = self.open(change.picture)
        label[change.top : change.top + height, change.left : change.left + width] = change.before
        self.clicks[change.picture] = change.clicks
        return self.show(change.picture)

    def save_mask(self, picture: int, folder: Path) -> Path:
        """Write images/NAME and masks/NAME.png, whose values are classes, as ingest reads them."""
        file, name, _ = self.opened.pictures[picture]
        target = folder / IMAGES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        mask = (folder / MASKS / PurePath(name)).with_suffix(".png")
        write_bytes(mask, encode_label(self.open(picture), self.palette))
        return mask

    def finish(self, folder: Path, _: Path) -> tuple[Path, str]:
        """Write classes.yaml; return it and the command that reads the saved pictures."""
        described = {"names": list(self.names), "colours": [list(colour) for colour in self.palette]}
        write_text(folder / CLASSES_FILE, yaml.safe_dump(described, sort_keys=False))
        return folder / CLASSES_FILE, f"pixelwise ingest --dataset folder --root {folder} --out data/prepared"
