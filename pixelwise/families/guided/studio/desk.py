"""The desk of one user: pictures, clicks on them, and the resulting masks."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile

import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.notes import Notes
from pixelwise.data.picture_index import normalise_name
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel
from pixelwise.families.guided.runtime.model import COLOURS
from pixelwise.families.guided.runtime.session import GuidedSession, Support
from pixelwise.families.guided.runtime.working_size import label, label_full, reduce
from pixelwise.families.guided.studio.drawing import draw_mask
from pixelwise.families.guided.studio.pictures import Picture, find_picture, read_dropped
from pixelwise.files import write_bytes, write_json
from pixelwise.reporting.label_images import encode_label, overlay

# Number of pictures without clicks whose features are cached.
CACHED = 4


@dataclass(frozen=True)
class View:
    """A picture as the page shows it.

    clicks: (x, y, class) in pixels of the picture. label: (h, w) at the working size of the picture (working_size.py);
    None without any click.
    """

    picture: int
    clicks: list[tuple[int, int, int]]
    label: np.ndarray | None


class Desk:
    """Pictures of a guided session. A picture with clicks belongs to the support; other pictures are only labelled."""

    def __init__(self, model: GuidedModel) -> None:
        self.session = GuidedSession(model)
        self.pictures: list[Picture] = []
        # How dropped pictures are read, where the page says so.
        self.notes = Notes()
        # Index in the session's support of each picture with clicks.
        self.members: dict[int, int] = {}
        self.features: dict[int, Features] = {}
        # The picture of each change that can be undone.
        self.changes: list[int] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The class names."""
        return self.session.names

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """One colour per class."""
        return COLOURS[: len(self.names)]

    def drop(self, name: str, content: bytes) -> list[int]:
        """Add a picture, a clip or a guidance file; return the numbers of new pictures.

        Raises DataError for other files and for a picture whose name is taken.
        """
        # Pictures of one name in different folders are different pictures. No step upwards remains in the path.
        name = normalise_name(name)
        if Path(name).suffix == ".npz":
            with NamedTemporaryFile(suffix=".npz") as file:
                file.write(content)
                file.flush()
                self.session.load(Path(file.name))
            return []
        pictures = read_dropped(name, content, self.notes)
        taken = {PurePath(picture.name).with_suffix("") for picture in self.pictures}
        if any(PurePath(picture.name).with_suffix("") in taken for picture in pictures):
            raise DataError(f"{name}: found another picture of this name, expected a new name; rename the file")
        self.pictures += pictures
        return list(range(len(self.pictures) - len(pictures), len(self.pictures)))

    def add_class(self, name: str) -> None:
        """Add a class. Raises DataError if the name is empty or taken, or no colour is left."""
        if not name.strip():
            raise DataError("class: found no name, expected one")
        if len(self.session.names) == len(COLOURS):
            raise DataError(f"class {name}: found {len(COLOURS) - 1} classes already, one per colour, expected fewer")
        self.session.add_class(name.strip())

    def show(self, picture: int) -> View:
        """Return the picture with its clicks and its mask. Raises DataError if there is no such picture."""
        return View(picture, self.list_clicks(picture), self.label_picture(picture))

    def list_clicks(self, picture: int) -> list[tuple[int, int, int]]:
        """List the clicks (x, y, class) on a picture, in its own pixels."""
        support = self.find_support(picture)
        return [(x, y, way) for x, y, way in support.clicks] if support else []

    def click(self, picture: int, x: int, y: int, way: int) -> View:
        """Add a click: pixel (x, y) of the picture has class `way`. Raises DataError as the session does."""
        features, (height, width) = self.encode(picture), self.find_picture(picture).size
        if not (0 <= x < width and 0 <= y < height):
            raise DataError(f"click ({x}, {y}): outside the picture, expected x in 0–{width - 1}, y in 0–{height - 1}")
        if picture not in self.members:
            self.members[picture] = self.session.add_features(features, (height, width))
        self.session.click(self.members[picture], x, y, way)
        self.changes.append(picture)
        return self.show(picture)

    def remove(self, picture: int, number: int) -> View:
        """Remove a click of the picture. Raises DataError if there is no such click."""
        if picture not in self.members:
            raise DataError(f"click {number}: unknown, expected none; the picture has no clicks")
        self.session.remove_click(self.members[picture], number)
        self.changes.append(picture)
        return self.show(picture)

    def undo(self) -> View:
        """Undo the last change and show its picture. Raises DataError if there is no change."""
        self.session.undo()
        return self.show(self.changes.pop())

    def label_picture(self, picture: int) -> np.ndarray | None:
        """Label a picture at its working size; None without any click on any picture."""
        scores = self.score(picture)
        return None if scores is None else label(scores)

    def score(self, picture: int) -> np.ndarray | None:
        """Return the logits (K, h, w) of a picture at its working size; None without any click on any picture."""
        session = self.session
        if not session.is_guided:
            return None
        if self.find_support(picture):
            return session.score_picture(self.members[picture])
        return session.score(self.encode(picture))

    def find_support(self, picture: int) -> Support | None:
        """Return the session's support of a picture; None if the picture has no click."""
        return self.session.supports[self.members[picture]] if picture in self.members else None

    def encode(self, picture: int) -> Features:
        """Return the features of a picture, cached if possible. Raises DataError if there is no such picture."""
        if support := self.find_support(picture):
            return support.features
        if picture not in self.features:
            image = self.find_picture(picture).decode()
            while len(self.features) >= CACHED:
                del self.features[next(iter(self.features))]
            self.features[picture] = self.session.model.encode(reduce(image))
        return self.features[picture]

    def is_marked(self, picture: int) -> bool:
        """Whether a picture has clicks."""
        return bool(self.list_clicks(picture))

    def draw(self, mask: np.ndarray) -> bytes:
        """Draw a mask (h, w) as the page shows it."""
        return draw_mask(mask)

    def find_picture(self, number: int) -> Picture:
        """Return the picture of this number. Raises DataError if there is no such picture."""
        return find_picture(self.pictures, number)

    def save_mask(self, picture: int, folder: Path) -> Path:
        """Write the picture's label and overlay as `pixelwise predict` does; frames of a clip go to its folder."""
        scores, shown, palette = self.score(picture), self.find_picture(picture), self.palette
        if scores is None:
            raise DataError("save: found no guidance, expected a click or a guidance file")
        image, stem = shown.decode(), str(PurePath(shown.name).with_suffix(""))
        member = self.members.get(picture)
        whole = label_full(scores, image.shape[:2]) if member is None else self.session.segment(member)
        clip, _, frame = stem.rpartition(".")
        file = folder / f"{stem}.label.png" if shown.frame is None else folder / f"{clip}.label" / f"{frame}.png"
        write_bytes(file, encode_label(whole, palette))
        if shown.frame is None:
            write_bytes(folder / f"{stem}.overlay.png", encode_picture(overlay(image, whole, palette)))
        return file

    def save_guidance(self, folder: Path) -> Path:
        """Write guidance.npz, and the clicks and their frames as `pixelwise guide` reads them."""
        self.session.save(folder / "guidance.npz")
        by_name = {}
        for number in self.members:
            picture = self.find_picture(number)
            if clicks := self.list_clicks(number):
                by_name[picture.name] = [[x, y, self.session.names[way]] for x, y, way in clicks]
                if picture.frame is not None:
                    write_bytes(folder / picture.name, picture.content)
        write_json(folder / "clicks.json", by_name)
        return folder / "guidance.npz"

    def finish(self, folder: Path, model: Path) -> tuple[Path, str]:
        """Write guidance and clicks; return the guidance's file and the command that uses it."""
        file = self.save_guidance(folder)
        return file, f"pixelwise predict --model {model} --guidance {file} PICTURES --output predictions"
