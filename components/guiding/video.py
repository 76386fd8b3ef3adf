"""Video object segmentation: the first frame says what to follow, densely or by dots (thesis §4.4.1, figure 4.6)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from components.datasets.episodes import draw_points
from components.datasets.items import VOID
from components.datasets.prepared import Sample
from components.errors import DataError
from components.measures.positive import positive_iu
from components.progress import progress
from components.runtime.guidance import UNKNOWN, merge
from components.runtime.guided import GuidedModel, Tracker, enlarge
from components.runtime.settling import settle


@dataclass(frozen=True)
class VideoScores:
    """The region score of each sequence; `frames_per_second` counts decoded frame in, label out."""

    per_sequence: Mapping[str, float]
    frames_per_second: float
    provider: str

    @property
    def mean_j(self) -> float:
        """The mean over sequences."""
        return float(np.mean(list(self.per_sequence.values())))

    def metrics(self) -> dict[str, Any]:
        """The scores as JSON."""
        return {
            "mean_j": self.mean_j,
            "per_sequence": dict(self.per_sequence),
            "frames_per_second": self.frames_per_second,
            "provider": self.provider,
        }

    def __str__(self) -> str:
        rows = [f"  {name:<20} {score:.3f}" for name, score in self.per_sequence.items()]
        return "\n".join([f"mean J {self.mean_j:.3f} at {self.frames_per_second:.1f} frames a second", *rows])


def score_sequences(
    model: GuidedModel, samples: Sequence[Sample], clips: Sequence[str], points: int | None, seed: int
) -> VideoScores:
    """Follow the object of every clip from its first frame; `points` of each class, or None for its dense mask.

    samples: all frames, those of a clip one after the other; clips: the clip of each. J as the DAVIS tool counts it:
    the mean over frames without the first and the last, and 1 where neither mask has a pixel. Raises DataError where a
    clip has fewer than three frames.
    """
    scores: dict[str, float] = {}
    frames, seconds = 0, 0.0
    for name, members in progress([(k, list(g)) for k, g in groupby(range(len(clips)), clips.__getitem__)], "clips"):
        if len(members) < 3:
            raise DataError(f"sequence {name}: found {len(members)} frames, expected three or more")
        found = []
        tracker = start(model, samples[members[0]], points, np.random.default_rng((seed, *name.encode())))
        for index in members[1:-1]:
            sample = samples[index]
            began = time.perf_counter()
            prediction = tracker.step(sample.image)
            seconds += time.perf_counter() - began
            frames += 1
            found.append(positive_iu(prediction, np.where(sample.label == VOID, VOID, sample.label > 0)))
        scores[name] = float(np.mean(found))
    return VideoScores(scores, frames / max(seconds, 1e-9), model.provider)


def start(model: GuidedModel, first: Sample, points: int | None, rng: np.random.Generator) -> Tracker:
    """A tracker guided by the first frame. Raises DataError where that has no object."""
    truth = np.where(first.label == VOID, UNKNOWN, first.label > 0).astype(np.uint8)
    if not (truth == 1).any():
        raise DataError(f"{first.id}: found no object, expected one in a sequence's first frame")
    said = truth
    if points is not None:
        said = np.full_like(truth, UNKNOWN)
        for way, chosen in enumerate(draw_points(truth, points, rng)):
            for x, y in chosen:
                said[y, x] = way
    image, said = enlarge(first.image), enlarge_points(said) if points is not None else enlarge(said)
    annotation = (said == np.arange(2)[:, None, None]).astype(np.float32)
    features = model.encode(image)
    guidance = merge([model.guide(features, annotation)])
    # Dots show a few points of an object; what they find of it in their own frame shows it whole.
    return Tracker(model, guidance if points is None else settle(model, features, guidance))


def enlarge_points(said: np.ndarray) -> np.ndarray:
    """Points of a mask, each still one pixel where the picture is enlarged."""
    found = np.full_like(enlarge(said), UNKNOWN)
    for y, x in np.argwhere(said != UNKNOWN):
        found[y * found.shape[0] // said.shape[0], x * found.shape[1] // said.shape[1]] = said[y, x]
    return found
