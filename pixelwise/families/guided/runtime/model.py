"""Label pictures and videos with a guided model and a guidance file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.errors import ParamsError
from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.refine import settle
from pixelwise.families.guided.runtime.tracker import Tracker
from pixelwise.families.guided.runtime.working_size import label_full, reduce
from pixelwise.inference.session import Provider

# Background is black. The other colours are easy to tell apart.
COLOURS = ((0, 0, 0), (220, 60, 50), (50, 110, 220), (60, 170, 80), (240, 180, 40), (150, 80, 190), (60, 190, 200))


@dataclass
class Followed:
    """Video labeller: tracks the objects of the guidance from frame to frame."""

    model: GuidedModel
    guidance: Guidance

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start a new video."""
        self.tracker = Tracker(self.model, self.guidance)

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:  # noqa: ARG002 - a stream's
        """Return the label (H, W) uint8 of the next frame (H, W, 3).

        `follows` is ignored: after a few lost frames an object is still near its last place.
        """
        return self.tracker.step(image)

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """Return the overlay unchanged."""
        return overlay

    def summary(self) -> str:
        """Return an empty string: tracking has nothing to summarise."""
        return ""


@dataclass(frozen=True)
class GuidedPredictor:
    """A guided model and its guidance: takes pictures, returns labels."""

    model: GuidedModel
    guidance: Guidance
    names: tuple[str, ...]
    inputs: tuple[str, ...] = ("image",)

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """One colour per class."""
        return tuple(COLOURS[index % len(COLOURS)] for index in range(len(self.names)))

    @property
    def provider(self) -> str:
        """What the graphs run on."""
        return self.model.provider

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return labels (N, H, W) uint8 of images (N, H, W, 3); each image is labelled independently."""
        return np.stack([self.segment(image) for image in images])

    def segment(self, image: np.ndarray) -> np.ndarray:
        """Return the label (H, W) uint8 of one picture (H, W, 3); its surest pixels refine the guidance."""
        features = self.model.encode(reduce(image))
        logits = self.model.segment(features, settle(self.model, features, self.guidance))
        return label_full(logits, image.shape[:2])

    def stream(self) -> Followed:
        """Return a labeller for the frames of videos."""
        return Followed(self.model, self.guidance)


def open_model(model: Path, provider: Provider = "auto", guidance: Path | None = None) -> GuidedPredictor:
    """Open an exported guided model. Raises ParamsError if `guidance` is None, otherwise as `open_guided`."""
    if guidance is None:
        raise ParamsError(f"predict {model}: found no --guidance, expected the file that `pixelwise guide` wrote")
    return open_guided(model, guidance, provider)


def open_guided(model: Path, guidance: Path, provider: Provider = "auto") -> GuidedPredictor:
    """Open a guided `model` with a `guidance` file from GuidedSession.save or `pixelwise guide`.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pixelwise
    >>> model = pixelwise.open_guided(Path("models/guided"), Path("disc.guidance"))
    >>> model.predict(np.zeros((1, 80, 120, 3), np.uint8)).shape, model.names
    ((1, 80, 120), ('background', 'object'))

    Raises ModelError or DataError if a file cannot be read or if another model made the guidance.
    """
    guided = GuidedModel(model, provider)
    found, names = Guidance.load(guidance, guided.fingerprint)
    return GuidedPredictor(guided, found, names)
