"""A picture with what a model says of it."""

from dataclasses import dataclass

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.metrics.confusion import Counts


@dataclass(frozen=True)
class ScoredPicture:
    """A picture of the split at index `place`. label: (H, W) the truth, prediction: (H, W), of the same classes.

    clip: "" for a still. confidence: (H, W) float32 of the prediction; None where the model gives none. counts: (K, K).
    """

    place: int
    sample: Sample
    clip: str
    label: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray | None
    counts: Counts

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps that crops show, by their title."""
        return {"truth": self.label, "prediction": self.prediction}

    @property
    def source(self) -> str:
        """What neighbouring frames have in common: their clip. A still is alone."""
        return self.clip or self.sample.id
