"""Confusion counts of a model over a split: label against prediction of every pixel (thesis §2.4)."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwise.data.class_mapping import map_classes
from pixelwise.data.prepared import Sample
from pixelwise.data.splits import read_clip_and_frame
from pixelwise.errors import DataError
from pixelwise.evaluation.error_analysis.collector import ErrorCollector
from pixelwise.evaluation.error_analysis.picture import ScoredPicture
from pixelwise.evaluation.scoring import Scoring
from pixelwise.inference.session import CONFIDENCE, GEOMETRY, PREDICTION, Segmenter, select_truth, stack_samples
from pixelwise.metrics.confusion import Counts, count_pixels
from pixelwise.metrics.reliability import BINS, Reliability, count_reliability
from pixelwise.progress import progress


@dataclass(frozen=True)
class Counted:
    """The ids of the M images, and for each map of the model the (M, K, K) pixel counts per image.

    speed: the entries that a video model adds to metrics.json about its speed. reliability: that of the first map's
    confidence over all images; None where the model gives none.
    """

    ids: tuple[str, ...]
    counts: Mapping[str, Counts]
    speed: Mapping[str, Any] = field(default_factory=dict)
    reliability: Reliability | None = None


def count_images(scoring: Scoring, batch_size: int, errors: ErrorCollector | None = None) -> Counted:
    """Count the pixels of each image of the split. Raises DataError naming an image whose label does not fit.

    errors: also gets every image with its labels, those of the first map.
    """
    segmenter, samples, table = scoring.segmenter, scoring.split.samples, scoring.table
    predicted_classes = len(segmenter.names) if table is None else int(table.max()) + 1
    first = segmenter.outputs[0]
    ids: list[str] = []
    counts: dict[str, list[Counts]] = {name: [] for name in segmenter.outputs}
    reliability = np.zeros((BINS, 3)) if segmenter.gives_confidence else None
    for sample, maps in progress(predict_all(segmenter, samples, batch_size), "evaluate", total=len(samples)):
        try:
            for name in segmenter.outputs:
                truth, prediction = select_truth(name, sample), maps[name]
                mapped = map_classes(prediction, table) if name == PREDICTION else prediction
                classes = predicted_classes if name == PREDICTION else len(GEOMETRY)
                counts[name].append(count_pixels(truth, mapped, classes))
                if reliability is not None and name == first:
                    reliability += count_reliability(truth, mapped, maps[CONFIDENCE])
                if errors and name == first:
                    clip, _ = read_clip_and_frame(samples, len(ids))
                    errors.add(
                        ScoredPicture(len(ids), sample, clip, truth, mapped, maps.get(CONFIDENCE), counts[name][-1])
                    )
        except DataError as error:
            raise DataError(f"{sample.id}: {error}") from None
        ids.append(sample.id)
    return Counted(tuple(ids), {name: np.stack(rows) for name, rows in counts.items()}, reliability=reliability)


def predict_all(
    segmenter: Segmenter, samples: Sequence[Sample], batch_size: int
) -> Iterator[tuple[Sample, dict[str, np.ndarray]]]:
    """Yield every sample with its maps (H, W) by name. Neighbours of equal size are predicted in one batch."""
    ordered = (samples[index] for index in range(len(samples)))
    for _, alike in itertools.groupby(ordered, key=lambda sample: sample.image.shape):
        while batch := list(itertools.islice(alike, batch_size)):
            maps = segmenter.label(stack_samples(batch), segmenter.gives_confidence)
            for index, sample in enumerate(batch):
                yield sample, {name: values[index] for name, values in maps.items()}
