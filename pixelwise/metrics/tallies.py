"""Tallies: what the scores of thesis §2.4 need of a confusion matrix, three numbers a class instead of K."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.confusion import divide_where

# The correct, the true and the predicted pixels of each class, (…, 3, K).
Tallies = NDArray[np.int64]
Scored = NDArray[np.float64]


def tally(counts: NDArray[np.int64]) -> Tallies:
    """Reduce confusion matrices (…, K, K) to tallies (…, 3, K)."""
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.stack([correct, counts.sum(axis=-1), counts.sum(axis=-2)], axis=-2)


def compute_mean_iu(tallies: Tallies) -> Scored:
    """Mean IU over the classes with true pixels, (…)."""
    return np.asarray(np.nanmean(compute_iu(tallies), axis=-1))


def compute_pixel_accuracy(tallies: Tallies) -> Scored:
    """Correct pixels as a share of all, (…)."""
    return np.asarray(tallies[..., 0, :].sum(axis=-1) / tallies[..., 1, :].sum(axis=-1))


def compute_mean_accuracy(tallies: Tallies) -> Scored:
    """Correct pixels as a share of each class's true ones, averaged over the classes with true pixels, (…)."""
    correct, truth = tallies[..., 0, :], tallies[..., 1, :]
    return np.asarray(np.nanmean(divide_where(correct, truth, where=truth > 0), axis=-1))


def compute_frequency_weighted_iu(tallies: Tallies) -> Scored:
    """IU averaged with the true pixels of each class as weights, (…)."""
    truth = tallies[..., 1, :]
    return np.asarray(np.nansum(truth * compute_iu(tallies), axis=-1) / truth.sum(axis=-1))


def compute_iu(tallies: Tallies) -> Scored:
    """Intersection over union of each class, (…, K); nan for a class without true pixels."""
    correct, truth, predicted = (tallies[..., place, :] for place in range(3))
    return divide_where(correct, truth + predicted - correct, where=truth > 0)


SCORES: Mapping[str, Callable[[Tallies], Scored]] = {
    "mean IU": compute_mean_iu,
    "pixel accuracy": compute_pixel_accuracy,
    "mean accuracy": compute_mean_accuracy,
    "frequency weighted IU": compute_frequency_weighted_iu,
}
