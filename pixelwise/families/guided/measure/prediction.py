"""Apply a guidance file to pictures and videos as any other model is applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.refine import settle
from pixelwise.families.guided.runtime.session import GuidedModel, label
from pixelwise.families.guided.runtime.tracker import Tracker
from pixelwise.inference.session import Provider

# Background is black; classes after that as easy to tell apart as can be.
COLOURS = ((0, 0, 0), (220, 60, 50), (50, 110, 220), (60, 170, 80), (240, 180, 40), (150, 80, 190), (60, 190, 200))


@dataclass(frozen=True)
class GuidedSegmenter:
    """A guided model with its guidance: pictures in, labels out."""

    model: GuidedModel
    guidance: Guidance
    names: tuple[str, ...]
    inputs: tuple[str, ...] = ("image",)

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """A colour a class."""
        return tuple(COLOURS[index % len(COLOURS)] for index in range(len(self.names)))

    @property
    def provider(self) -> str:
        """Where it runs."""
        return self.model.provider

    def predict(self, images: np.ndarray, **_: Mapping[str, np.ndarray]) -> np.ndarray:
        """Labels (N, H, W) uint8 of images (N, H, W, 3), each on its own."""
        return np.stack([self.segment(image) for image in images])

    def segment(self, image: np.ndarray) -> np.ndarray:
        """The label (H, W) uint8 of one picture (H, W, 3), guided by what is sure of itself too."""
        features = self.model.encode(image)
        return label(self.model.segment(features, settle(self.model, features, self.guidance)))

    def tracker(self) -> Tracker:
        """What labels the frames of one video."""
        return Tracker(self.model, self.guidance)


def open_guided(model: Path, guidance: Path, provider: Provider = "auto") -> GuidedSegmenter:
    """A guided `model` with the `guidance` file, which GuidedSession.save or `pixelwise guide` writes.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pixelwise
    >>> model = pixelwise.open_guided(Path("models/guided"), Path("disc.guidance"))
    >>> model.predict(np.zeros((1, 80, 120, 3), np.uint8)).shape, model.names
    ((1, 80, 120), ('background', 'object'))

    Raises ModelError or DataError where they cannot be read or differ.
    """
    guided = GuidedModel(model, provider)
    found, names = Guidance.load(guidance, guided.fingerprint)
    return GuidedSegmenter(guided, found, names)
