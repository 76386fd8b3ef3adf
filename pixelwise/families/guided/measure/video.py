"""Score video object segmentation: masks or points on one frame or a few frames define the objects (thesis §4.4.1)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError
from pixelwise.families.guided.measure.segmenters import Annotated, make_shots
from pixelwise.families.guided.runtime.guidance import UNKNOWN, merge
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.tracker import Tracker, fit
from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.progress import progress


@dataclass(frozen=True)
class VideoScores:
    """The region score J of each sequence, or of each object as SEQUENCE/NUMBER.

    `frames_per_second` measures the time from the decoded frame to its label.
    """

    per_sequence: Mapping[str, float]
    frames_per_second: float
    provider: str
    measurement: Measurement
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_task(self) -> Mapping[str, NDArray[np.float64]]:
        """Return J of each sequence or object, under the name of the mean."""
        return {"mean_j": np.array(list(self.per_sequence.values()))}

    @property
    def mean_j(self) -> float:
        """Return the mean J over sequences, or over objects."""
        return float(np.mean(list(self.per_sequence.values())))

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {
            "mean_j": self.mean_j,
            "per_sequence": dict(self.per_sequence),
            "frames_per_second": self.frames_per_second,
            "provider": self.provider,
            "measures": {"J": "mean_j"},
            "scored_on": self.measurement.extent,
            **self.origin,
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
    """Track the object of every clip from its first frame, annotated by `points` of each class or (None) a dense mask.

    With several `shots`, further annotated frames are spread over the clip, as in interactive video where a person adds
    points while watching (figure 4.6). They are scored like all frames. With `is_apart`, each object is a class with
    its own score, as in DAVIS 2017; otherwise all objects are one class.

    samples: all frames, clip by clip. clips: the clip of each frame. J is computed as in the DAVIS tool: the mean over
    frames without the first and the last, and 1 where neither mask has a pixel. Raises DataError if a clip has fewer
    than three frames or no object in its first frame.
    """
    scores: dict[str, float] = {}
    pixels: list[int] = []
    frames, seconds = 0, 0.0
    for name, members in progress([(k, list(g)) for k, g in groupby(range(len(clips)), clips.__getitem__)], "clips"):
        if len(members) < 3:
            raise DataError(f"sequence {name}: found {len(members)} frames, expected three or more")
        annotated = [samples[members[frame]] for frame in choose_frames(len(members), shots)]
        labelled = [(sample.image, make_truth(sample, is_apart)) for sample in annotated]
        ways = count_ways(annotated[0], labelled[0][1])
        tracker = start_tracker(model, labelled, ways, points, np.random.default_rng((seed, *name.encode())))
        scores_by_frame, pixels_by_frame = [], []
        for index in members[1:-1]:
            sample = samples[index]
            began = time.perf_counter()
            prediction = tracker.step(sample.image)
            seconds += time.perf_counter() - began
            frames += 1
            truth = make_truth(sample, is_apart)
            scores_by_frame.append([compute_positive_iu(prediction, truth, way) for way in range(1, ways)])
            pixels_by_frame.append([int((truth == way).sum()) for way in range(1, ways)])
        means = np.mean(scores_by_frame, axis=0).tolist()
        scores |= {f"{name}/{way}" if is_apart else name: score for way, score in enumerate(means, start=1)}
        pixels += np.sum(pixels_by_frame, axis=0).tolist()
    return VideoScores(
        per_sequence=scores,
        frames_per_second=frames / max(seconds, 1e-9),
        provider=model.provider,
        measurement=measure_sequences(scores, pixels, shots, points, seed),
    )


def measure_sequences(
    scores: Mapping[str, float], labelled: Sequence[int], shots: int, points: int | None, seed: int
) -> Measurement:
    """Measure J by sequence. Other annotations or other labelled pixels of the object make it another sequence."""
    guidance = f"{shots} annotated, {points or 'dense'}, seed {seed}"
    ids = tuple(f"{name}, {guidance}" for name in scores)
    return Measurement("J", "sequence", ids, np.array(list(scores.values())), labelled=np.array(labelled, np.int64))


def choose_frames(frames: int, shots: int) -> list[int]:
    """Return the indices of at most `shots` of `frames` frames at even steps, starting with the first."""
    return sorted({shot * frames // shots for shot in range(shots)})


def make_truth(sample: Sample, is_apart: bool) -> np.ndarray:
    """Return a frame's objects, (H, W) uint8 with 255 = void: all as 1, or each by its number if `is_apart`."""
    objects = sample.layers["instance"] if is_apart else sample.label > 0
    return np.where(sample.label == VOID, VOID, objects).astype(np.uint8)


def count_ways(first: Sample, truth: np.ndarray) -> int:
    """Return the number of classes: background and the first frame's objects. Raises DataError without an object."""
    ways = int(truth[truth != VOID].max(initial=0)) + 1
    if ways == 1:
        raise DataError(f"{first.id}: found no object, expected one in a sequence's first frame")
    return ways


def start_tracker(
    model: GuidedModel,
    labelled: Sequence[tuple[np.ndarray, np.ndarray]],
    ways: int,
    points: int | None,
    rng: np.random.Generator,
) -> Tracker:
    """Return a tracker guided by frames, each an image (H, W, 3) and its truth (H, W) of `ways` classes."""
    annotated = [annotate_frame(model, image, truth, ways, points, rng) for image, truth in labelled]
    return Tracker(model, merge([shot for frame in annotated for shot in make_shots(model, frame, points is not None)]))


def annotate_frame(
    model: GuidedModel, image: np.ndarray, truth: np.ndarray, ways: int, points: int | None, rng: np.random.Generator
) -> Annotated:
    """Return a frame's features, resized as in the tracker, and its annotation: dense, or `points` of each class."""
    mask = fit(truth) if points is None else fit_points(sample_points(truth, ways, points, rng))
    return model.encode(fit(image)), (mask == np.arange(ways)[:, None, None]).astype(np.float32)


def sample_points(truth: np.ndarray, ways: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return `truth` (H, W) at `points` random pixels of each class, else unknown; smaller classes have no points."""
    mask = np.full_like(truth, UNKNOWN)
    for way in range(ways):
        rows, columns = np.nonzero(truth == way)
        chosen = rng.choice(len(rows), points if len(rows) >= points else 0, replace=False)
        mask[rows[chosen], columns[chosen]] = way
    return mask


def fit_points(mask: np.ndarray) -> np.ndarray:
    """Return the points of a mask for the resized picture; each point stays one pixel."""
    fitted = np.full_like(fit(mask), UNKNOWN)
    for y, x in np.argwhere(mask != UNKNOWN):
        fitted[y * fitted.shape[0] // mask.shape[0], x * fitted.shape[1] // mask.shape[1]] = mask[y, x]
    return fitted
