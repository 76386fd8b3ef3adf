"""Guided models and sessions: a picture is encoded once, clicks change the guidance, guidance labels any picture.

Only NumPy and ONNX Runtime are needed (thesis §4.3). A refused change leaves the session unchanged.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.runtime.annotations import OFFSET, Grid, spread, spread_points
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.early import is_early
from pixelwise.families.guided.runtime.guidance import (
    UNKNOWN,
    Guidance,
    Shot,
    find_places,
    merge,
    suppose_background,
)
from pixelwise.families.guided.runtime.working_size import label_full, move_point, reduce
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.model_folder import ModelFolder

GRAPHS = ("encode", "guide", "segment")
# Cells of the support that a picture is matched with: several times as fast as all cells of a dense mask, and as good.
MOST_CELLS = 600


class Features(NamedTuple):
    """An encoded picture: embedding (1, h, w, D), seen (1, 2C, h, w), fine (1, C/2, h4, w4), and its size (H, W).

    offset: the pixel on which cell 0 of the embedding is centred.
    """

    embedding: np.ndarray
    seen: np.ndarray
    fine: np.ndarray
    size: tuple[int, int]
    offset: float = 0.0

    @property
    def grid(self) -> Grid:
        """The grid of the embedding."""
        _, height, width, _ = self.embedding.shape
        return Grid(height, width, self.offset)


class Click(NamedTuple):
    """A pixel and the number of its class."""

    x: int
    y: int
    way: int


@dataclass(frozen=True)
class Support:
    """A picture of the support: its features at its working size, its own size (H, W), and its annotation.

    clicks: in pixels of the picture. mask: None, or (h, w) uint8 of classes at the working size, 255 unknown. shot: the
    picture's guidance, None without an annotation.
    """

    features: Features
    size: tuple[int, int]
    clicks: tuple[Click, ...] = ()
    mask: np.ndarray | None = None
    shot: Shot | None = None


class GuidedModel:
    """The three graphs of a guided model, on one provider. `encodes` counts the calls of the encoder.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> model = pixelwise.GuidedModel(Path("models/guided"), "cpu")
    >>> model.encode(pixelwise.read_picture(Path("disc.png"))).size
    (80, 120)
    """

    def __init__(self, folder: Path, provider: Provider = "auto", threads: int | None = None) -> None:
        """Open the graphs in `folder`. Raises ModelError if it is not an export of the guided family."""
        if is_early(folder):
            raise ModelError(f"{folder}: found a guide by early fusion, expected a late one; `evaluate` takes both")
        files = {name: ModelFolder(folder).require_graph(name) for name in GRAPHS}
        self.graphs: dict[str, ort.InferenceSession] = {
            name: open_session(file, provider, threads) for name, file in files.items()
        }
        if "cells" not in (taken := [given.name for given in self.graphs["guide"].get_inputs()]):
            raise ModelError(f"{files['guide']}: takes {' and '.join(taken)}, expected cells: export it again")
        metadata = self.graphs["encode"].get_modelmeta().custom_metadata_map
        self.fingerprint: str = metadata.get("fingerprint", "")
        # Older exports name none: their nets took every cell 0 for centred on pixel 0, and learned so.
        self.offset = float(metadata.get(OFFSET, 0))
        self.takes = [given.name for given in self.graphs["segment"].get_inputs()]
        self.provider: str = self.graphs["encode"].get_providers()[0]
        self.encodes = 0

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of a picture (H, W, 3) uint8 RGB. This is the costly part; call it once per picture.

        Raises DataError if `image` has another type or shape.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise DataError(f"image: found {image.dtype} {image.shape}, expected uint8 (H, W, 3)")
        self.encodes += 1
        embedding, seen, fine = run_graph(self.graphs["encode"], None, {"image": image[None]})
        return Features(embedding, seen, fine, image.shape[:2], self.offset)

    def guide(self, features: Features, annotation: np.ndarray) -> Shot:
        """Return the shot of a picture and its annotation (K, H, W) in 0–1."""
        return self.pool(features, spread(annotation, features.grid))

    def pool(self, features: Features, cells: np.ndarray) -> Shot:
        """Return the shot of a picture and an annotation on the grid of features, `cells` (K, h, w) float32."""
        # Cells without annotation only cost time. The graph gets the others as a picture of one row.
        says = cells.any(axis=0)
        keys, said = features.embedding[0][says], cells[:, says]
        mean, present, values = run_graph(
            self.graphs["guide"], None, {"embedding": keys[None, None], "cells": said[None, :, None]}
        )
        return Shot(mean[0], present[0], keys, values[0], find_places(np.argwhere(says), says.shape))

    def segment(self, features: Features, guidance: Guidance, hint: np.ndarray | None = None) -> np.ndarray:
        """Return logits (K, H, W). hint: (K, 2, h, w), the previous mask and the nearness of clicks.

        Guidance with an object but no background gets it from `suppose_background`.
        """
        if guidance.present[1:].any() and not guidance.present[0]:
            guidance = suppose_background(guidance, features.embedding)
        ways, cells = len(guidance.present), features.embedding.shape[1:3]
        inputs = {
            "embedding": features.embedding,
            "seen": features.seen,
            "fine": features.fine,
            "mean": guidance.mean[None],
            "present": guidance.present[None],
            "keys": guidance.keys[None],
            "values": guidance.values[None],
            "places": guidance.places[None],
            "hint": (np.zeros((ways, 2, *cells), np.float32) if hint is None else hint)[None],
            "size": np.zeros(features.size, np.uint8),
        }
        # Only a guide by places takes them.
        (logits,) = run_graph(self.graphs["segment"], None, {name: inputs[name] for name in self.takes})
        return np.asarray(logits[0])


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
        self.change(picture, replace(support, clicks=(*support.clicks, Click(x, y, way))))

    def remove_click(self, picture: int, number: int) -> None:
        """Remove a click by its number. Raises DataError if the number is unknown."""
        support = self.support(picture)
        if not 0 <= number < len(support.clicks):
            raise DataError(f"click {number}: unknown, expected one of {len(support.clicks)} clicks")
        kept = (*support.clicks[:number], *support.clicks[number + 1 :])
        self.change(picture, replace(support, clicks=kept))

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
        self.change(picture, replace(support, mask=reduce(mask)))

    def undo(self) -> None:
        """Undo the last change. Raises DataError if there is none."""
        if not self.past:
            raise DataError("undo: found no change to take back")
        before = self.past.pop()
        # Pictures added since then stay; they have no annotations.
        self.supports[: len(before)] = before

    def guidance(self) -> Guidance:
        """Return the guidance of all pictures and the loaded file. Raises DataError without any annotation."""
        shots = [support.shot for support in self.supports if support.shot]
        if not shots and self.loaded is None:
            raise DataError("guidance: found no annotation, expected a click or a mask")
        return merge(shots, self.loaded, len(self.names))

    def segment(self, picture: int) -> np.ndarray:
        """Return the label (H, W) uint8 of a picture of the session. The places of its clicks are a hint to the net."""
        return label_full(self.score_picture(picture), self.support(picture).size)

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Return the label (H, W) uint8 of any other picture (H, W, 3), of any size."""
        return label_full(self.score(self.model.encode(reduce(image))), image.shape[:2])

    def score_picture(self, picture: int) -> np.ndarray:
        """Return the logits (K, h, w) of a picture of the session at its working size."""
        support = self.support(picture)
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
        if any(support.shot for support in self.supports) and names != self.names:
            raise DataError(f"{file}: classes {', '.join(names)}, but this session has {', '.join(self.names)}")
        self.loaded, self.names = loaded, names

    def support(self, picture: int) -> Support:
        """Return a picture of the session. Raises DataError if the number is unknown."""
        if not 0 <= picture < len(self.supports):
            raise DataError(f"picture {picture}: unknown, expected one of {len(self.supports)}")
        return self.supports[picture]

    def change(self, picture: int, support: Support) -> None:
        """Replace a picture's support and recompute its shot from the stored features; no encoder runs."""
        shot = self.model.pool(support.features, self.cells(support)) if is_annotated(support) else None
        self.past.append(list(self.supports))
        self.supports[picture] = replace(support, shot=shot)

    def cells(self, support: Support) -> np.ndarray:
        """Return a picture's mask and clicks on the grid of features, (K, h, w). Clicks override the mask."""
        ways = len(self.names)
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


def is_annotated(support: Support) -> bool:
    """Whether a picture has any annotation."""
    return bool(support.clicks) or (support.mask is not None and bool((support.mask != UNKNOWN).any()))
