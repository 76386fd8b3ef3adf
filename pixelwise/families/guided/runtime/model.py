"""Label pictures and video with a guided model, as a guidance file says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.refine import settle
from pixelwise.families.guided.runtime.session import GuidedModel, label
from pixelwise.families.guided.runtime.tracker import Tracker
from pixelwise.inference.session import Provider

# Background is black; classes after that as easy to tell apart as can be.
COLOURS = ((0, 0, 0), (220, 60, 50), (50, 110, 220), (60, 170, 80), (240, 180, 40), (150, 80, 190), (60, 190, 200))
INSTEAD_OF_SERVING = "`pixelwise predict --guidance FILE` labels pictures and videos with it"


@dataclass
class Followed:
    """The objects of the guidance, followed from frame to frame of each video."""

    model: GuidedModel
    guidance: Guidance

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin another video."""
        self.tracker = Tracker(self.model, self.guidance)

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:  # noqa: ARG002 - a stream's
        """The label (H, W) uint8 of the next frame (H, W, 3); an object is still near where frames are lost."""
        return self.tracker.step(image)

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """The overlay as it is."""
        return overlay

    def summary(self) -> str:
        """Nothing to say."""
        return ""


@dataclass(frozen=True)
class GuidedPredictor:
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

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels (N, H, W) uint8 of images (N, H, W, 3), each on its own."""
        return np.stack([self.segment(image) for image in images])

    def segment(self, image: np.ndarray) -> np.ndarray:
        """The label (H, W) uint8 of one picture (H, W, 3), guided by what is sure of itself too."""
        features = self.model.encode(image)
        return label(self.model.segment(features, settle(self.model, features, self.guidance)))

    def stream(self) -> Followed:
        """What labels the frames of videos."""
        return Followed(self.model, self.guidance)


def open_model(model: Path, provider: Provider = "auto", guidance: Path | None = None) -> GuidedPredictor:
    """The exported guided model. Raises ParamsError where no guidance is given, else as `open_guided`."""
    if guidance is None:
        raise ParamsError(f"predict {model}: found no --guidance, expected the file that `pixelwise guide` wrote")
    return open_guided(model, guidance, provider)


def open_guided(model: Path, guidance: Path, provider: Provider = "auto") -> GuidedPredictor:
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
    return GuidedPredictor(guided, found, names)
