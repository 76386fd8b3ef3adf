"""A guided model at work: pictures are encoded once, clicks change the guidance, guidance labels any picture.

NumPy and ONNX Runtime alone (thesis §4.3). Whatever is refused leaves the session as it was.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.runtime.annotations import STRIDE, spread, spread_points
from pixelwise.families.guided.runtime.clicks import hint_of
from pixelwise.families.guided.runtime.guidance import UNKNOWN, Guidance, Shot, merge, suppose_background
from pixelwise.inference.session import Provider, open_session
from pixelwise.model_folder import ModelFolder

GRAPHS = ("encode", "guide", "segment")
# Cells of the support that a picture is matched with: several times as fast as all of a dense mask, and as good.
MOST_CELLS = 600


class Features(NamedTuple):
    """A picture encoded: embedding (1, h, w, D), seen (1, 2C, h, w), fine (1, C/2, h4, w4), and its (H, W)."""

    embedding: np.ndarray
    seen: np.ndarray
    fine: np.ndarray
    size: tuple[int, int]


class Click(NamedTuple):
    """A pixel and the number of its class."""

    x: int
    y: int
    way: int


@dataclass(frozen=True)
class Support:
    """A picture of the support: its features, clicks, and a mask (H, W) uint8 of classes, 255 unknown, if there is one.

    `shot` is what the picture says, None where nothing is annotated.
    """

    features: Features
    clicks: tuple[Click, ...] = ()
    mask: np.ndarray | None = None
    shot: Shot | None = None


class GuidedModel:
    """The three graphs of a guided model, on one provider. `encodes` counts the encoder's calls.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> model = pixelwise.GuidedModel(Path("models/guided"), "cpu")
    >>> model.encode(pixelwise.read_picture(Path("disc.png"))).size
    (80, 120)
    """

    def __init__(self, folder: Path, provider: Provider = "auto", threads: int | None = None) -> None:
        """Raises ModelError where `folder` does not hold what export wrote of the guided family."""
        files = {name: ModelFolder(folder).require_graph(name) for name in GRAPHS}
        self.graphs: dict[str, ort.InferenceSession] = {
            name: open_session(file, provider, threads) for name, file in files.items()
        }
        if "cells" not in (taken := [given.name for given in self.graphs["guide"].get_inputs()]):
            raise ModelError(f"{files['guide']}: takes {' and '.join(taken)}, expected cells: export it again")
        metadata = self.graphs["encode"].get_modelmeta().custom_metadata_map
        self.fingerprint: str = metadata.get("fingerprint", "")
        self.provider: str = self.graphs["encode"].get_providers()[0]
        self.encodes = 0

    def encode(self, image: np.ndarray) -> Features:
        """The features of a picture (H, W, 3) uint8 RGB: the costly part, once a picture."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise DataError(f"image: found {image.dtype} {image.shape}, expected uint8 (H, W, 3)")
        self.encodes += 1
        embedding, seen, fine = self.graphs["encode"].run(None, {"image": image[None]})
        return Features(embedding, seen, fine, image.shape[:2])

    def guide(self, features: Features, annotation: np.ndarray) -> Shot:
        """What a picture annotated by (K, H, W) in 0–1 says of each class."""
        return self.pool(features, spread(annotation, STRIDE))

    def pool(self, features: Features, cells: np.ndarray) -> Shot:
        """`guide` by an annotation that is on the grid of features already, `cells` (K, h, w) float32."""
        # Cells that say nothing would only cost time. To the graph those that do are a picture of one row.
        says = cells.any(axis=0)
        keys, said = features.embedding[0][says], cells[:, says]
        mean, present, values = self.graphs["guide"].run(
            None, {"embedding": keys[None, None], "cells": said[None, :, None]}
        )
        return Shot(mean[0], present[0], keys, values[0])

    def segment(self, features: Features, guidance: Guidance, hint: np.ndarray | None = None) -> np.ndarray:
        """Logits (K, H, W). hint: (K, 2, h, w), the mask before and clicks. Without guidance: foreground–background."""
        if guidance.present[1:].any() and not guidance.present[0]:
            guidance = suppose_background(guidance, features.embedding)
        ways, cells = len(guidance.present), features.embedding.shape[1:3]
        (logits,) = self.graphs["segment"].run(
            None,
            {
                "embedding": features.embedding,
                "seen": features.seen,
                "fine": features.fine,
                "mean": guidance.mean[None],
                "present": guidance.present[None],
                "keys": guidance.keys[None],
                "values": guidance.values[None],
                "hint": (np.zeros((ways, 2, *cells), np.float32) if hint is None else hint)[None],
                "size": np.zeros(features.size, np.uint8),
            },
        )
        return np.asarray(logits[0])


@dataclass
class GuidedSession:
    """Annotate pictures, and label these and others. `names` are the classes, the first the negative one.

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
    # The supports before each change.
    past: list[list[Support]] = field(default_factory=list)

    def add_picture(self, image: np.ndarray) -> int:
        """Encode a picture and return its number. Saying nothing yet, it changes no guidance."""
        self.supports.append(Support(self.model.encode(image)))
        return len(self.supports) - 1

    def add_class(self, name: str) -> None:
        """One class more, of which nothing is said yet. Raises DataError where there is one so called."""
        if name in self.names:
            raise DataError(f"class {name}: there is one already, expected a new name")
        self.names = (*self.names, name)

    def click(self, picture: int, x: int, y: int, way: int = 1) -> None:
        """Say that pixel (x, y) is of class `way`.

        Raises DataError outside the picture, at an unknown class, or where the same pixel has another class.
        """
        support = self.support(picture)
        height, width = support.features.size
        if not (0 <= x < width and 0 <= y < height):
            raise DataError(f"click ({x}, {y}): outside the picture, expected x in 0–{width - 1}, y in 0–{height - 1}")
        if not 0 <= way < len(self.names):
            raise DataError(f"click ({x}, {y}): found class {way}, expected 0–{len(self.names) - 1}")
        for other in support.clicks:
            if other[:2] == (x, y):
                found = "twice the same" if other.way == way else f"already {self.names[other.way]}"
                raise DataError(f"click ({x}, {y}): {found}; undo the other first")
        self.change(picture, replace(support, clicks=(*support.clicks, Click(x, y, way))))

    def remove_click(self, picture: int, number: int) -> None:
        """Take back a click. Raises DataError where there is none of this number."""
        support = self.support(picture)
        if not 0 <= number < len(support.clicks):
            raise DataError(f"click {number}: unknown, expected one of {len(support.clicks)} clicks")
        kept = (*support.clicks[:number], *support.clicks[number + 1 :])
        self.change(picture, replace(support, clicks=kept))

    def annotate(self, picture: int, mask: np.ndarray) -> None:
        """Say it all at once: (H, W) uint8 of classes, 255 unknown. Raises DataError at another size or class."""
        support = self.support(picture)
        if mask.shape != support.features.size:
            (height, width), (rows, columns) = support.features.size, mask.shape[:2]
            raise DataError(f"mask: found {columns}×{rows}, expected the picture's {width}×{height}")
        unknown = set(np.unique(mask).tolist()) - {*range(len(self.names)), UNKNOWN}
        if unknown:
            raise DataError(f"mask: found class {min(unknown)}, expected 0–{len(self.names) - 1} or {UNKNOWN}")
        self.change(picture, replace(support, mask=mask))

    def undo(self) -> None:
        """Take back the last change. Raises DataError where there is none."""
        if not self.past:
            raise DataError("undo: found no change to take back")
        before = self.past.pop()
        # Pictures that were added since stay; they say nothing.
        self.supports[: len(before)] = before

    def guidance(self) -> Guidance:
        """What all pictures and a loaded file say together. Raises DataError where nothing is annotated."""
        shots = [support.shot for support in self.supports if support.shot]
        if not shots and self.loaded is None:
            raise DataError("guidance: found no annotation, expected a click or a mask")
        return merge(shots, self.loaded, len(self.names))

    def segment(self, picture: int) -> np.ndarray:
        """The label (H, W) uint8 of a picture of the session; its own clicks count by their place too."""
        support = self.support(picture)
        points = [[click[:2] for click in support.clicks if click.way == way] for way in range(len(self.names))]
        return self.label(support.features, hint_of(points, support.features.embedding.shape[1:3], STRIDE))

    def predict(self, image: np.ndarray) -> np.ndarray:
        """The label (H, W) uint8 of any other picture (H, W, 3)."""
        return self.label(self.model.encode(image))

    def label(self, features: Features, hint: np.ndarray | None = None) -> np.ndarray:
        """The label (H, W) uint8 of an encoded picture. A class of which nothing is said, but the first, is nowhere."""
        guidance = self.guidance()
        logits = self.model.segment(features, guidance, hint)
        logits[1:][~guidance.present[1:]] = -np.inf
        return label(logits)

    def save(self, file: Path) -> None:
        """Write the guidance to a small `file`."""
        self.guidance().save(file, self.model.fingerprint, self.names)

    def load(self, file: Path) -> None:
        """Take the guidance of `file`; clicks of this session add to it. Raises what `Guidance.load` raises."""
        loaded, names = Guidance.load(file, self.model.fingerprint)
        if any(support.shot for support in self.supports) and names != self.names:
            raise DataError(f"{file}: classes {', '.join(names)}, but this session has {', '.join(self.names)}")
        self.loaded, self.names = loaded, names

    def support(self, picture: int) -> Support:
        """A picture of the session. Raises DataError where there is none of this number."""
        if not 0 <= picture < len(self.supports):
            raise DataError(f"picture {picture}: unknown, expected one of {len(self.supports)}")
        return self.supports[picture]

    def change(self, picture: int, support: Support) -> None:
        """Put `support` in its place, its shot renewed from features that are there; no encoder runs."""
        shot = self.model.pool(support.features, self.cells(support)) if said(support) else None
        self.past.append(list(self.supports))
        self.supports[picture] = replace(support, shot=shot)

    def cells(self, support: Support) -> np.ndarray:
        """Mask and clicks of a picture on the grid of features, (K, h, w); a click wins over the mask."""
        ways = len(self.names)
        if support.mask is None:
            return spread_points(support.clicks, ways, support.features.size, STRIDE)
        values = support.mask.copy()
        for x, y, way in support.clicks:
            values[y, x] = way
        return spread(values == np.arange(ways)[:, None, None], STRIDE)


def said(support: Support) -> bool:
    """Whether anything of a picture is annotated."""
    return bool(support.clicks) or (support.mask is not None and bool((support.mask != UNKNOWN).any()))


def label(logits: np.ndarray) -> np.ndarray:
    """The best class of each pixel, (H, W) uint8; of equal ones the first."""
    # Class by class, as argmax over a short first axis is ten times as slow. A later class has the higher number.
    best, found = logits[0], np.zeros(logits.shape[1:], np.uint8)
    for way in range(1, len(logits)):
        found = np.maximum(found, (logits[way] > best) * np.uint8(way))
        best = np.maximum(best, logits[way])
    return found
