"""What an evaluation found about the errors of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.metrics.confusion import Counts
from pixelwise.metrics.object_sizes import SizeCounts
from pixelwise.metrics.suspects import Suspect
from pixelwise.reporting.errors.crops import Crop


@dataclass(frozen=True)
class Slice:
    """The pictures of a split that have something in common, such as their clip. counts: (K, K), their sum."""

    name: str
    images: int
    counts: Counts


@dataclass(frozen=True)
class Beside:
    """Another model on the same pictures. counts: (K, K), its pixels.

    gained, lost: (K,) pixels of each class of the truth that only the evaluated model has right, or only the other one.
    gains, losses: crops of the largest such regions.
    """

    name: str
    counts: Counts
    gained: np.ndarray
    lost: np.ndarray
    gains: Sequence[Crop]
    losses: Sequence[Crop]


@dataclass(frozen=True)
class ErrorAnalysis:
    """The errors of a model on a split.

    shapes: (height, width) of each picture. counts: (K, K) of all pixels. boundary: (K, K) of those near a boundary of
    two classes. sizes: of the objects. confidence: (K,) its sum over the pixels predicted as each class. slices: what
    they are by -> slices. pictures, regions: the worst. examples: class -> its largest regions of another prediction.
    suspects: suspected label errors, the most suspicious first. shown: crops of the first of them. Where the model
    gives no confidence, `confidence` and `suspects` are None.
    """

    shapes: Sequence[tuple[int, int]]
    counts: Counts
    boundary: Counts
    sizes: SizeCounts
    confidence: np.ndarray | None
    slices: Mapping[str, Sequence[Slice]]
    pictures: Sequence[Crop]
    regions: Sequence[Crop]
    examples: Mapping[int, Sequence[Crop]]
    suspects: Sequence[Suspect] | None
    shown: Sequence[Crop]
    beside: Beside | None
