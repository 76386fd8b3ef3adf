"""One confusion matrix gives every score of thesis §2.4: pixel accuracy, mean accuracy, mean IU, frequency weighted."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.items import VOID
from pixelwise.errors import DataError

Absent = Literal["exclude", "zero_if_predicted"]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """The four scores as fractions, and the IU of each class in class order; nan = the class is absent."""

    mean_iu: float
    pixel_accuracy: float
    mean_accuracy: float
    frequency_weighted_iu: float
    per_class: tuple[float, ...]


class ConfusionMatrix:
    """Sums pixel counts over images; `counts` is (K, K), rows = truth, columns = prediction. Void truth is dropped.

    >>> import numpy as np
    >>> import pixelwise
    >>> matrix = pixelwise.ConfusionMatrix(classes=2)
    >>> matrix.add(label=np.array([[0, 0, 1, 255]]), prediction=np.array([[0, 1, 1, 1]]))
    >>> matrix.scores().mean_iu
    0.5
    """

    def __init__(self, classes: int) -> None:
        self.counts: Counts = np.zeros((classes, classes), np.int64)

    def add(self, label: np.ndarray, prediction: np.ndarray) -> None:
        """Count the pixels of `label` and `prediction`, equal in shape; raises DataError like `count_pixels`."""
        self.counts += count_pixels(label, prediction, len(self.counts))

    def scores(self, absent: Absent = "exclude", classes: np.ndarray | None = None) -> Scores:
        """The scores of all that was added; see `compute_scores`."""
        return compute_scores(self.counts, absent, classes)


def count_pixels(label: np.ndarray, prediction: np.ndarray, classes: int) -> Counts:
    """The (K, K) counts of one image or batch: row = class in `label`, column = class in `prediction`.

    Raises DataError where the shapes differ, a label is neither a class nor void, or a labelled pixel has no class
    predicted.
    """
    if label.shape != prediction.shape:
        raise DataError(f"prediction: shape {prediction.shape}, expected the label's shape {label.shape}")
    pairs = convert_to_uint8(label, "label").astype(np.uint16) << 8 | convert_to_uint8(prediction, "prediction")
    # Counting all 256 by 256 byte pairs also finds values out of range, without a second pass.
    square = np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)
    reject_out_of_range(square, classes)
    return square[:classes, :classes].astype(np.int64)


def convert_to_uint8(values: np.ndarray, name: str) -> NDArray[np.uint8]:
    """Convert `values` to uint8. Raises DataError if they are not whole numbers from 0 to 255."""
    if values.dtype == np.uint8:
        return values
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{name}: values of type {values.dtype}, expected whole numbers")
    if values.size and (values.min() < 0 or values.max() > VOID):
        raise DataError(f"{name}: values {values.min()} to {values.max()}, expected 0 to {VOID}")
    return values.astype(np.uint8)


def reject_out_of_range(square: np.ndarray, classes: int) -> None:
    """Raise DataError naming the first value of the (256, 256) byte-pair counts that is no class."""
    strange = np.flatnonzero(square[classes:VOID].sum(axis=1))
    if strange.size:
        raise DataError(f"label: value {strange[0] + classes}, expected classes 0 to {classes - 1} or void {VOID}")
    strange = np.flatnonzero(square[:classes, classes:].sum(axis=0))
    if strange.size:
        raise DataError(f"prediction: value {strange[0] + classes}, expected classes 0 to {classes - 1}")


def compute_scores(counts: Counts, absent: Absent = "exclude", classes: np.ndarray | None = None) -> Scores:
    """The scores of (K, K) `counts`. Means are over classes; a class without a truth pixel is absent.

    absent: "exclude" leaves absent classes out of the means, as in the thesis; "zero_if_predicted" gives an absent
    class IU 0 if it was predicted anywhere, as the published code does. classes: (K,) bool, the classes that the three
    means are over, e.g. all but the background (table 2.8); unions and pixel accuracy still count every pixel. Raises
    DataError if no pixel of these classes was counted.
    """
    correct, truth, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    mask = np.ones(len(counts), bool) if classes is None else classes
    if not truth.any():
        raise DataError("labels: found only void, expected pixels with a class to score")
    present = truth > 0
    averaged = present & mask
    if not averaged.any():
        raise DataError("labels: found no pixel of the classes to average over, expected some")
    union = truth + predicted - correct
    iu = divide_where(correct, union, where=present if absent == "exclude" else union > 0)
    return Scores(
        mean_iu=float(np.nanmean(iu[mask])),
        pixel_accuracy=float(correct.sum() / truth.sum()),
        mean_accuracy=float(np.mean(correct[averaged] / truth[averaged])),
        frequency_weighted_iu=float(np.sum(truth[averaged] * iu[averaged]) / truth[averaged].sum()),
        per_class=tuple(iu.tolist()),
    )


def divide_where(part: np.ndarray, whole: np.ndarray, where: np.ndarray) -> NDArray[np.float64]:
    """`part / whole` elementwise, nan elsewhere than `where`."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=where)


def compute_mean_iu_or_nan(counts: Counts) -> float:
    """Compute the mean IU of (K, K) counts; nan if all counts are zero."""
    try:
        return compute_scores(counts).mean_iu
    except DataError:
        return math.nan
