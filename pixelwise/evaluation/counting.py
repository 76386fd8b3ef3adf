"""Confusion counts of a model over a split: label against prediction of every pixel (thesis §2.4)."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.class_mapping import make_class_table, map_classes
from pixelwise.data.items import Classes
from pixelwise.data.prepared import Sample
from pixelwise.data.splits import Split
from pixelwise.errors import DataError
from pixelwise.inference.session import CONFIDENCE, GEOMETRY, PREDICTION, Segmenter, select_truth, stack_samples
from pixelwise.metrics.confusion import Counts, count_pixels
from pixelwise.metrics.reliability import BINS, Reliability, count_reliability
from pixelwise.progress import progress


@dataclass(frozen=True)
class Scoring:
    """A model and the split on which it is scored.

    classes: the scored classes; those of the split if the model's first map is the prediction, else the model's.
    table: the index in `classes` of each class of the model; None if they are the same.
    """

    model: Path
    segmenter: Segmenter
    split: Split
    classes: Classes
    table: np.ndarray | None


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


def make_scoring(model: Path, segmenter: Segmenter, split: Split) -> Scoring:
    """Make the scoring of an open model on `split`. Raises DataError if their classes do not match."""
    classes = choose_classes(segmenter, split)
    return Scoring(model, segmenter, split, classes, make_class_table(segmenter.names, classes.names))


def choose_classes(segmenter: Segmenter, split: Split) -> Classes:
    """The classes of the scored map. Raises DataError if the data has none, or if they do not match."""
    if segmenter.outputs[0] != PREDICTION:
        return Classes(segmenter.names, segmenter.palette)
    if not len(split.classes):
        raise DataError(f"data set {split.dataset}: no labels, expected some to score")
    if make_class_table(segmenter.names, split.classes.names) is None:
        require_same_classes(model=segmenter.names, data=split.classes.names)
    return split.classes


def require_same_classes(model: Sequence[str], data: Sequence[str]) -> None:
    """Raise DataError naming the first difference between the classes of the model and of the data."""
    if len(model) != len(data):
        raise DataError(f"classes: the data has {len(data)}, the model has {len(model)}: {', '.join(model)}")
    for index, (model_class, data_class) in enumerate(zip(model, data, strict=True)):
        if model_class != data_class:
            raise DataError(f"class {index}: {data_class!r} in the data, but {model_class!r} in the model")


def count_images(scoring: Scoring, batch_size: int) -> Counted:
    """Count the pixels of each image of the split. Raises DataError naming an image whose label does not fit."""
    segmenter, samples, table = scoring.segmenter, scoring.split.samples, scoring.table
    predicted_classes = len(segmenter.names) if table is None else int(table.max()) + 1
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
                if reliability is not None and name == segmenter.outputs[0]:
                    reliability += count_reliability(truth, mapped, maps[CONFIDENCE])
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
