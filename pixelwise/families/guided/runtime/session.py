"""Guided sessions: clicks and masks on pictures make guidance, and guidance labels these and other pictures.

A picture that is clicked is segmented by the click net, and its mask guides the others (beyond thesis §4.3). A refused
change leaves the session unchanged.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.annotations import spread, spread_points
from pixelwise.families.guided.runtime.clicked_picture import Click, ClickedPicture
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.guidance import UNKNOWN, Guidance, Shot, merge
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel
from pixelwise.families.guided.runtime.working_size import label, label_full, move_point, reduce


@dataclass(frozen=True)
class Support:
    """A picture of the support: its features at its working size, its own size (H, W), and its annotation.

    clicks: in pixels of the picture. mask: None, or (h, w) uint8 of classes at the working size, 255 unknown. clicked:
    what the click net makes of the clicks, None without any. shot: the picture's guidance, None until it is wanted.
    """

    features: Features
    size: tuple[int, int]
    clicks: tuple[Click, ...] = ()
    mask: np.ndarray | None = None
    clicked: ClickedPicture | None = None
    shot: Shot | None = None

    @property
    def is_annotated(self) -> bool:
        """Whether the picture has any annotation."""
        return bool(self.clicks) or (self.mask is not None and bool((self.mask != UNKNOWN).any()))


@dataclass
class GuidedSession:
    """Annotate pictures, and label these and others. `names` are the classes; the first is the negative one.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> session = pixelwise.GuidedSession(pixelwise.GuidedModel(Path("models/guided")))
    >>> disc = session.add_picture(pixelwise.read_picture(Path("disc.png")))
    >>> session.click(disc, x=40, y=40)
    >>> session.segment(disc).shape
    (80, 120)
    >>> session.save(Path("disc.guidance"))
    """

    model: GuidedModel
    names: tuple[str, ...] = ("background", "object")
    supports: list[Support] = field(default_factory=list)
    loaded: Guidance | None = None
    # The supports before each change, for undo.
    past: list[list[Support]] = field(default_factory=list)

    def add_picture(self, image: np.ndarray) -> int:
        """Encode a picture of any size and return its number. The guidance changes only when it is annotated."""
        return self.add_features(self.model.encode(reduce(image)), image.shape[:2])

    def add_features(self, features: Features, size: tuple[int, int]) -> int:
        """Add a picture of `size` (H, W) by its features at its working size, and return its number."""
        self.supports.append(Support(features, size))
        return len(self.supports) - 1

    def add_class(self, name: str) -> None:
        """Add a class without annotations. Raises DataError if the name is taken."""
        if name in self.names:
            raise DataError(f"class {name}: there is one already, expected a new name")
        self.names = (*self.names, name)

    def click(self, picture: int, x: int, y: int, way: int = 1) -> None:
        """Annotate pixel (x, y) with class `way`.

        Raises DataError if the pixel is outside the picture or has a click already, or if the class is unknown.
        """
        support = self.support(picture)
        height, width = support.size
        if not (0 <= x < width and 0 <= y < height):
            raise DataError(f"click ({x}, {y}): outside the picture, expected x in 0–{width - 1}, y in 0–{height - 1}")
        if not 0 <= way < len(self.names):
            raise DataError(f"click ({x}, {y}): found class {way}, expected 0–{len(self.names) - 1}")
        for other in support.clicks:
            if other[:2] == (x, y):
                found = "twice the same" if other.way == way else f"already {self.names[other.way]}"
                raise DataError(f"click ({x}, {y}): {found}; undo the other first")
        more = replace(support, clicks=(*support.clicks, Click(x, y, way)))
        self.change(picture, replace(more, clicked=self.follow_clicks(more)))

    def remove_click(self, picture: int, number: int) -> None:
        """Remove a click by its number. Raises DataError if the number is unknown."""
        support = self.support(picture)
        if not 0 <= number < len(support.clicks):
            raise DataError(f"click {number}: unknown, expected one of {len(support.clicks)} clicks")
        kept = (*support.clicks[:number], *support.clicks[number + 1 :])
        fewer = replace(support, clicks=kept)
        self.change(picture, replace(fewer, clicked=self.repeat_clicks(fewer)))

    def annotate(self, picture: int, mask: np.ndarray) -> None:
        """Annotate a picture with a mask (H, W) uint8 of classes, 255 unknown.

        Raises DataError if the size differs from the picture's or a class is unknown.
        """
        support = self.support(picture)
        if mask.shape != support.size:
            (height, width), (rows, columns) = support.size, mask.shape[:2]
            raise DataError(f"mask: found {columns}×{rows}, expected the picture's {width}×{height}")
        unknown = set(np.unique(mask).tolist()) - {*range(len(self.names)), UNKNOWN}
        if unknown:
            raise DataError(f"mask: found class {min(unknown)}, expected 0–{len(self.names) - 1} or {UNKNOWN}")
        drawn = replace(support, mask=reduce(mask))
        self.change(picture, replace(drawn, clicked=self.repeat_clicks(drawn)))

    def undo(self) -> None:
        """Undo the last change. Raises DataError if there is none."""
        if not self.past:
            raise DataError("undo: found no change to take back")
        before = self.past.pop()
        # Pictures added since then stay; they have no annotations.
        self.supports[: len(before)] = before

    def guidance(self) -> Guidance:
        """Return the guidance of all pictures and the loaded file. Raises DataError without any annotation."""
        if not self.is_guided:
            raise DataError("guidance: found no annotation, expected a click or a mask")
        shots = [self.find_shot(number) for number, support in enumerate(self.supports) if support.is_annotated]
        return merge(shots, self.loaded, len(self.names))

    @property
    def is_guided(self) -> bool:
        """Whether there is any annotation, of this session or of a loaded file."""
        return self.loaded is not None or any(support.is_annotated for support in self.supports)

    def segment(self, picture: int) -> np.ndarray:
        """Return the label (H, W) uint8 of a picture of the session, in which each click has its class."""
        support = self.support(picture)
        found = label_full(self.score_picture(picture), support.size)
        # The label of a large picture is enlarged, and may miss the very pixel.
        for x, y, way in support.clicks:
            found[y, x] = way
        return found

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Return the label (H, W) uint8 of any other picture (H, W, 3), of any size."""
        return label_full(self.score(self.model.encode(reduce(image))), image.shape[:2])

    def score_picture(self, picture: int) -> np.ndarray:
        """Return the logits (K, h, w) of a picture of the session at its working size.

        A picture with clicks has those of the click net; one without, those of the guidance.
        """
        support = self.support(picture)
        if support.clicked:
            return support.clicked.compute_logits(len(self.names))
        points: list[list[tuple[int, int]]] = [[] for _ in self.names]
        for x, y, way in move_clicks(support):
            points[way].append((x, y))
        return self.score(support.features, make_hint(points, support.features.grid))

    def score(self, features: Features, hint: np.ndarray | None = None) -> np.ndarray:
        """Return the logits (K, h, w) of an encoded picture, without unannotated classes other than the first."""
        guidance = self.guidance()
        logits = self.model.segment(features, guidance, hint)
        logits[1:][~guidance.present[1:]] = -np.inf
        return logits

    def save(self, file: Path) -> None:
        """Write the guidance to a small `file`."""
        self.guidance().save(file, self.model.fingerprint, self.names)

    def load(self, file: Path) -> None:
        """Load the guidance in `file`; annotations of this session add to it.

        Raises what `Guidance.load` raises, and DataError if annotations exist and the classes differ.
        """
        loaded, names = Guidance.load(file, self.model.fingerprint)
        if any(support.is_annotated for support in self.supports) and names != self.names:
            raise DataError(f"{file}: classes {', '.join(names)}, but this session has {', '.join(self.names)}")
        self.loaded, self.names = loaded, names

    def support(self, picture: int) -> Support:
        """Return a picture of the session. Raises DataError if the number is unknown."""
        if not 0 <= picture < len(self.supports):
            raise DataError(f"picture {picture}: unknown, expected one of {len(self.supports)}")
        return self.supports[picture]

    def change(self, picture: int, support: Support) -> None:
        """Replace a picture's support."""
        self.past.append(list(self.supports))
        self.supports[picture] = replace(support, shot=None)

    def find_shot(self, picture: int) -> Shot:
        """Return the guidance of an annotated picture, made of the stored features when it is first wanted.

        A click does not wait for it: guidance labels other pictures, and takes longer than the click's own mask.
        """
        support = self.supports[picture]
        shot = support.shot or self.model.pool(support.features, self.cells(support))
        self.supports[picture] = replace(support, shot=shot)
        return shot

    def follow_clicks(self, support: Support) -> ClickedPicture | None:
        """Return what the click net makes of the last click of `support`; None if the model has no such net."""
        if support.clicked is None:
            return self.repeat_clicks(support)
        return support.clicked.add(move_clicks(support)[-1], len(self.names))

    def repeat_clicks(self, support: Support) -> ClickedPicture | None:
        """Return what the click net makes of all clicks of `support`; None without any, or without such a net.

        The first click corrects the picture's drawn mask, or what other pictures' guidance makes of it.
        """
        if self.model.clicks is None or not support.clicks:
            return None
        start = ClickedPicture(self.model.clicks, support.features.image, self.label_before_clicks(support))
        return start.repeat(move_clicks(support), len(self.names))

    def label_before_clicks(self, support: Support) -> np.ndarray | None:
        """Return the label (h, w) of a picture without its clicks; None if nothing tells it."""
        if support.mask is not None:
            return support.mask
        if support.clicked:
            return support.clicked.label
        return label(self.score(support.features)) if self.is_guided else None

    def cells(self, support: Support) -> np.ndarray:
        """Return a picture's annotation on the grid of features, (K, h, w).

        Its clicks count by the mask that the click net made of them. Without such a net they override a drawn mask.
        """
        ways = len(self.names)
        if support.clicked:
            values = label(support.clicked.compute_logits(ways))
            return spread(values == np.arange(ways)[:, None, None], support.features.grid)
        if support.mask is None:
            return spread_points(move_clicks(support), ways, support.features.grid)
        values = support.mask.copy()
        for x, y, way in move_clicks(support):
            values[y, x] = way
        return spread(values == np.arange(ways)[:, None, None], support.features.grid)


def move_clicks(support: Support) -> list[Click]:
    """Return a picture's clicks in pixels of its working size."""
    target = support.features.size
    return [Click(*move_point(x, y, support.size, target), way) for x, y, way in support.clicks]
