"""A model and the split on which it is scored, with the classes that both have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.data.class_mapping import make_class_table
from pixelwise.data.items import Classes
from pixelwise.data.splits import Split
from pixelwise.errors import DataError
from pixelwise.inference.session import PREDICTION, Segmenter


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
