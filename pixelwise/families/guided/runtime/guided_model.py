"""The graphs of a guided model: a picture is encoded once, annotations make guidance, guidance labels any picture.

Only NumPy and ONNX Runtime are needed (thesis §4.3).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.runtime.annotations import OFFSET, Grid, spread
from pixelwise.families.guided.runtime.click_model import CLICK, ClickModel
from pixelwise.families.guided.runtime.early import is_early
from pixelwise.families.guided.runtime.guidance import Guidance, Shot, find_places, suppose_background
from pixelwise.inference.graph_session import GraphSession
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.model_folder import ModelFolder

GRAPHS = ("encode", "guide", "segment")
# Cells of the support that a picture is matched with: several times as fast as all cells of a dense mask, and as good.
MOST_CELLS = 600


class Features(NamedTuple):
    """An encoded picture: embedding (1, h, w, D), seen (1, 2C, h, w), fine (1, C/2, h4, w4), and itself (H, W, 3).

    offset: the pixel on which cell 0 of the embedding is centred.
    """

    embedding: np.ndarray
    seen: np.ndarray
    fine: np.ndarray
    image: np.ndarray
    offset: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def grid(self) -> Grid:
        """The grid of the embedding."""
        _, height, width, _ = self.embedding.shape
        return Grid(height, width, self.offset)


class GuidedModel:
    """The graphs of a guided model, on one provider. `encodes` counts the calls of the encoder.

    clicks: the click net, None in a model without one.

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
        self.graphs: dict[str, GraphSession] = {
            name: open_session(file, provider, threads) for name, file in files.items()
        }
        if "cells" not in (taken := [given.name for given in self.graphs["guide"].get_inputs()]):
            raise ModelError(f"{files['guide']}: takes {' and '.join(taken)}, expected cells: export it again")
        metadata = self.graphs["encode"].get_modelmeta().custom_metadata_map
        self.fingerprint: str = metadata.get("fingerprint", "")
        click = ModelFolder(folder).graph(CLICK)
        self.clicks = ClickModel(open_session(click, provider, threads)) if click.is_file() else None
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
        return Features(embedding, seen, fine, image, self.offset)

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
