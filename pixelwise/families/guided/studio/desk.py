"""The desk of one user: pictures, clicks on them, and the masks that follow."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile

import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.picture_index import normalise_name
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.model import COLOURS
from pixelwise.families.guided.runtime.session import Features, GuidedModel, GuidedSession, Support
from pixelwise.families.guided.runtime.working_size import label, label_full, reduce
from pixelwise.families.guided.studio.pictures import Picture, read_dropped
from pixelwise.files import write_bytes, write_json
from pixelwise.reporting.label_images import encode_label, overlay

# Pictures without clicks whose features are cached.
KEPT = 4


@dataclass(frozen=True)
class Seen:
    """A picture as the page shows it: clicks (x, y, class) in its pixels; label (H, W), None without any click.

    The label has the size at which the picture is labelled (families/guided/runtime/working_size.py).
    """

    picture: int
    clicks: list[tuple[int, int, int]]
    label: np.ndarray | None


class Desk:
    """Pictures of a guided session. The first click on a picture adds it to the support; others are only labelled."""

    def __init__(self, model: GuidedModel) -> None:
        self.session = GuidedSession(model)
        self.pictures: list[Picture] = []
        # Position in the session of each picture with clicks.
        self.members: dict[int, int] = {}
        self.features: dict[int, Features] = {}
        # The picture of each change that can be undone.
        self.changes: list[int] = []

    def drop(self, name: str, content: bytes) -> list[int]:
        """Add a picture, a clip or a guidance file; return the numbers of new pictures. Raises DataError for others."""
        # Pictures of one name in different folders are different pictures. No step upwards remains in the path.
        name = normalise_name(name)
        if Path(name).suffix == ".npz":
            with NamedTemporaryFile(suffix=".npz") as file:
                file.write(content)
                file.flush()
                self.session.load(Path(file.name))
            return []
        found = read_dropped(name, content)
        taken = {PurePath(picture.name).with_suffix("") for picture in self.pictures}
        if any(PurePath(picture.name).with_suffix("") in taken for picture in found):
            raise DataError(f"{name}: there is one of this name already, expected another; rename it")
        self.pictures += found
        return list(range(len(self.pictures) - len(found), len(self.pictures)))

    def add_class(self, name: str) -> None:
        """Add a class. Raises DataError for an empty name, for a name that is taken, or where no colour is left."""
        if not name.strip():
            raise DataError("class: found no name, expected one")
        if len(self.session.names) == len(COLOURS):
            raise DataError(f"class {name}: found {len(COLOURS) - 1} classes already, as many as there are colours")
        self.session.add_class(name.strip())

    def see(self, picture: int) -> Seen:
        """The picture with its clicks and its mask. Raises DataError where there is none of this number."""
        return Seen(picture, self.clicks(picture), self.label(picture))

    def clicks(self, picture: int) -> list[tuple[int, int, int]]:
        """The clicks (x, y, class) on a picture, in its own pixels."""
        member = self.support(picture)
        return [(x, y, way) for x, y, way in member.clicks] if member else []

    def click(self, picture: int, x: int, y: int, way: int) -> Seen:
        """Add a click: pixel (x, y) of the picture has class `way`. Raises DataError as the session does."""
        features, (height, width) = self.encoded(picture), self.picture(picture).size
        if not (0 <= x < width and 0 <= y < height):
            raise DataError(f"click ({x}, {y}): outside the picture, expected x in 0–{width - 1}, y in 0–{height - 1}")
        if picture not in self.members:
            self.members[picture] = self.session.add_features(features, (height, width))
        self.session.click(self.members[picture], x, y, way)
        self.changes.append(picture)
        return self.see(picture)

    def remove(self, picture: int, number: int) -> Seen:
        """Remove a click of the picture. Raises DataError where there is none of this number."""
        if picture not in self.members:
            raise DataError(f"click {number}: unknown, expected one; the picture has none")
        self.session.remove_click(self.members[picture], number)
        self.changes.append(picture)
        return self.see(picture)

    def undo(self) -> Seen:
        """Undo the last change and show its picture. Raises DataError where there is none."""
        self.session.undo()
        return self.see(self.changes.pop())

    def label(self, picture: int) -> np.ndarray | None:
        """The label of a picture at its working size; None without any click on any picture."""
        scores = self.score(picture)
        return None if scores is None else label(scores)

    def score(self, picture: int) -> np.ndarray | None:
        """The logits (K, h, w) of a picture at its working size; None without any click on any picture."""
        session = self.session
        if session.loaded is None and not any(support.shot for support in session.supports):
            return None
        if self.support(picture):
            return session.score_picture(self.members[picture])
        return session.score(self.encoded(picture))

    def support(self, picture: int) -> Support | None:
        """The support that the session has of a picture; None without a click on it."""
        return self.session.supports[self.members[picture]] if picture in self.members else None

    def encoded(self, picture: int) -> Features:
        """The features of a picture, cached or encoded now. Raises DataError where there is no such picture."""
        if member := self.support(picture):
            return member.features
        if picture not in self.features:
            image = self.picture(picture).image()
            while len(self.features) >= KEPT:
                del self.features[next(iter(self.features))]
            self.features[picture] = self.session.model.encode(reduce(image))
        return self.features[picture]

    def picture(self, number: int) -> Picture:
        """The picture of this number. Raises DataError where there is none."""
        if not 0 <= number < len(self.pictures):
            raise DataError(f"picture {number}: unknown, expected one of {len(self.pictures)}")
        return self.pictures[number]

    def save_mask(self, picture: int, folder: Path) -> Path:
        """Write the picture's label and overlay as `pixelwise predict` does; frames of a clip go to its folder."""
        scores, found, palette = self.score(picture), self.picture(picture), COLOURS[: len(self.session.names)]
        if scores is None:
            raise DataError("save: found no guidance, expected a click or a guidance file")
        image, stem = found.image(), str(PurePath(found.name).with_suffix(""))
        whole = label_full(scores, image.shape[:2])
        clip, _, frame = stem.rpartition(".")
        file = folder / f"{stem}.label.png" if found.frame is None else folder / f"{clip}.label" / f"{frame}.png"
        write_bytes(file, encode_label(whole, palette))
        if found.frame is None:
            write_bytes(folder / f"{stem}.overlay.png", encode_picture(overlay(image, whole, palette)))
        return file

    def save_guidance(self, folder: Path) -> Path:
        """Write guidance.npz, and the clicks and the frames that they are on as `pixelwise guide` reads them."""
        self.session.save(folder / "guidance.npz")
        clicks = {}
        for picture in self.members:
            found = self.picture(picture)
            if said := self.clicks(picture):
                clicks[found.name] = [[x, y, self.session.names[way]] for x, y, way in said]
                if found.frame is not None:
                    write_bytes(folder / found.name, found.content)
        write_json(folder / "clicks.json", clicks)
        return folder / "guidance.npz"
