"""Video object segmentation: the first frame, or a few, say what to follow, densely or by dots (thesis §4.4.1)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError
from pixelwise.families.guided.measure.categories import Told, shots_of
from pixelwise.families.guided.runtime.guidance import UNKNOWN, merge
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.families.guided.runtime.tracker import Tracker, enlarge
from pixelwise.metrics.positive_iu import positive_iu
from pixelwise.progress import progress


@dataclass(frozen=True)
class VideoScores:
    """The region score of each sequence, or of each object as SEQUENCE/NUMBER.

    `frames_per_second` counts decoded frame in, label out.
    """

    per_sequence: Mapping[str, float]
    frames_per_second: float
    provider: str

    @property
    def mean_j(self) -> float:
        """The mean over sequences, or over objects."""
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
    model: GuidedModel,
    samples: Sequence[Sample],
    clips: Sequence[str],
    points: int | None,
    seed: int,
    shots: int = 1,
    is_apart: bool = False,
) -> VideoScores:
    """Follow the object of every clip from its first frame; `points` of each class, or None for its dense mask.

    Of several `shots` the others are spread over the clip: interactive video, where a person adds dots as they watch
    (figure 4.6). They are scored like all frames. Where objects are kept apart, each is a class, and a score, of its
    own, as DAVIS 2017 counts; otherwise all are one.

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
        frames_told = [samples[members[place]] for place in spread(len(members), shots)]
        told = [(sample.image, truth_of(sample, is_apart)) for sample in frames_told]
        ways = count_ways(frames_told[0], told[0][1])
        tracker = start(model, told, ways, points, np.random.default_rng((seed, *name.encode())))
        for index in members[1:-1]:
            sample = samples[index]
            began = time.perf_counter()
            prediction = tracker.step(sample.image)
            seconds += time.perf_counter() - began
            frames += 1
            truth = truth_of(sample, is_apart)
            found.append([positive_iu(prediction, truth, way) for way in range(1, ways)])
        means = np.mean(found, axis=0).tolist()
        scores |= {f"{name}/{way}" if is_apart else name: score for way, score in enumerate(means, start=1)}
    return VideoScores(scores, frames / max(seconds, 1e-9), model.provider)


def spread(frames: int, shots: int) -> list[int]:
    """The places of at most `shots` of so many frames, the first among them, at even steps."""
    return sorted({place * frames // shots for place in range(shots)})


def truth_of(sample: Sample, is_apart: bool) -> np.ndarray:
    """The object of a frame as 1, (H, W) uint8 with 255 = void; or its objects by their numbers."""
    found = sample.layers["instance"] if is_apart else sample.label > 0
    return np.where(sample.label == VOID, VOID, found).astype(np.uint8)


def count_ways(first: Sample, truth: np.ndarray) -> int:
    """Background and the objects of the first frame. Raises DataError where that has none."""
    ways = int(truth[truth != VOID].max(initial=0)) + 1
    if ways == 1:
        raise DataError(f"{first.id}: found no object, expected one in a sequence's first frame")
    return ways


def start(
    model: GuidedModel,
    told: Sequence[tuple[np.ndarray, np.ndarray]],
    ways: int,
    points: int | None,
    rng: np.random.Generator,
) -> Tracker:
    """A tracker guided by frames `told`, each an image (H, W, 3) and its truth (H, W) of so many `ways`."""
    found = [annotated(model, image, truth, ways, points, rng) for image, truth in told]
    return Tracker(model, merge([shot for each in found for shot in shots_of(model, each, points)]))


def annotated(
    model: GuidedModel, image: np.ndarray, truth: np.ndarray, ways: int, points: int | None, rng: np.random.Generator
) -> Told:
    """A frame encoded as the tracker encodes frames, and annotated densely or by `points` of each class."""
    said = enlarge(truth) if points is None else enlarge_points(some_of(truth, ways, points, rng))
    return model.encode(enlarge(image)), (said == np.arange(ways)[:, None, None]).astype(np.float32)


def some_of(truth: np.ndarray, ways: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """`truth` (H, W) at `points` pixels of each class, and unknown elsewhere; a class of fewer pixels gives none."""
    said = np.full_like(truth, UNKNOWN)
    for way in range(ways):
        rows, columns = np.nonzero(truth == way)
        chosen = rng.choice(len(rows), points if len(rows) >= points else 0, replace=False)
        said[rows[chosen], columns[chosen]] = way
    return said


def enlarge_points(said: np.ndarray) -> np.ndarray:
    """Points of a mask, each still one pixel where the picture is enlarged."""
    found = np.full_like(enlarge(said), UNKNOWN)
    for y, x in np.argwhere(said != UNKNOWN):
        found[y * found.shape[0] // said.shape[0], x * found.shape[1] // said.shape[1]] = said[y, x]
    return found
