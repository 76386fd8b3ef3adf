"""The paired bootstrap: an interval of the difference of two models over the units and the seeds that both share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.measurement import Measurement, Resampled

CONFIDENCE, RESAMPLES = 0.95, 1000


@dataclass(frozen=True)
class Difference:
    """A difference of scores, and the ends of its two-sided interval."""

    gap: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


def bootstrap_difference(
    pairs: Sequence[tuple[Measurement, Measurement]],
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Bootstrap the first score of each pair less the second (Efron 1979). pairs: one per seed, of the same units.

    Paired: each resample draws the same units for both, so that only the difference of the models on a unit counts, not
    the difficulty of the unit. Seeds with the same units also share the draws. A few seeds cannot be resampled: their
    least and largest difference would be the ends. Student's t over the seeds stands for them.
    """
    gaps = np.array([left.score - right.score for left, right in pairs])
    samples = list(dict.fromkeys(left.ids for left, _ in pairs))
    draws = {left.ids: left.resample(resamples, seed + samples.index(left.ids)) for left, _ in pairs}
    scores = np.stack([left.score_draws(draws[left.ids]) - right.score_draws(draws[left.ids]) for left, right in pairs])
    deviations = widen(scores.mean(axis=0) - gaps.mean(), min(map(len, samples)), confidence)
    if len(pairs) > 1:
        rng = np.random.default_rng(seed)
        deviations = deviations + estimate_seed_spread(gaps, scores) * rng.standard_t(len(pairs) - 1, size=resamples)
    low, high = find_interval(gaps.mean() + deviations, confidence)
    return Difference(float(gaps.mean()), low, high)


def bootstrap_score(
    measurement: Measurement, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap the interval of one score over its units, not widened: the limits of releases were set by it."""
    return find_interval(measurement.score_draws(measurement.resample(resamples, seed)), confidence)


def widen(deviations: Resampled, units: int, confidence: float) -> Resampled:
    """Widen the deviations (B,) of resamples of few `units`, which are too narrow (Hesterberg 2015)."""
    if units < 2:
        return deviations
    from scipy.special import ndtri, stdtrit

    tail = (1 + confidence) / 2
    factor = np.sqrt(units / (units - 1)) * stdtrit(units - 1, tail) / ndtri(tail)
    return np.asarray(factor * deviations)


def estimate_seed_spread(gaps: NDArray[np.float64], scores: Resampled) -> float:
    """Estimate the standard error that the seeds add to their mean difference.

    gaps: (S,) of all units. scores: (S, B) of the resamples. What units and seeds share is in the deviations of the
    units already. It is the excess of the mean variance within a seed over the variance of the mean.
    """
    shared = (scores.var(axis=1).mean() - scores.mean(axis=0).var()) / (len(gaps) - 1)
    return float(np.sqrt(max(0.0, gaps.var(ddof=1) / len(gaps) - max(0.0, shared))))


def find_interval(scores: Resampled, confidence: float) -> tuple[float, float]:
    """Find the two-sided percentile interval of the scores of resamples (B,)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)
