"""The release gate decides whether a challenger replaces the champion: a pure function of both versions' evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt

from pixelwise.metrics.confusion import compute_scores, divide_where
from pixelwise.params import Params

Counts = NDArray[np.int64]
Comparability = Literal["same images", "changed data", "other split"]


class ReleaseParams(Params):
    """Section `<family>.release`: what a challenger must show to become champion."""

    mean_iu_floor: float = Field(0.3, ge=0, le=1, description="minimum mean IU of a champion")
    pixel_accuracy_floor: float = Field(0.7, ge=0, le=1, description="minimum pixel accuracy of a champion")
    class_iu_floor: float = Field(0.0, ge=0, le=1, description="minimum IU of every class in the images")
    margin: float = Field(0.005, ge=0, le=1, description="mean IU that a challenger may lose to the champion")
    class_margin: float = Field(0.1, ge=0, le=1, description="IU that a single class may lose to the champion")
    confidence: float = Field(
        0.95, gt=0, lt=1, description="confidence level of the two-sided bootstrap interval of the difference"
    )
    resamples: int = Field(1000, ge=100, description="number of bootstrap resamples of the images")
    seed: NonNegativeInt = Field(0, description="seed of the resamples, so that a decision is reproducible")
    parity_floor: float = Field(
        0.999, ge=0, le=1, description="minimum share of pixels on which ONNX Runtime and torch agree"
    )
    milliseconds_limit: float | None = Field(
        None, gt=0, description="maximum median latency of one image; null: no limit"
    )


@dataclass(frozen=True)
class Evidence:
    """Measurements of one model version. `counts` (M, K, K) int64 holds one confusion matrix per image.

    `ids` names the M images of `split` of `dataset`, `classes` the K classes; `parity` is the share of pixels on which
    ONNX and torch agree, `milliseconds` the median latency at batch 1, None = not measured.
    """

    ids: tuple[str, ...]
    counts: Counts
    classes: tuple[str, ...]
    dataset: str
    split: str
    parity: float
    milliseconds: float | None


@dataclass(frozen=True)
class Check:
    """One check of the gate: the value found, the value needed, and whether the check passed."""

    name: str
    passed: bool
    found: str
    needed: str


@dataclass(frozen=True)
class Decision:
    """The gate's decision: promote only if every check passed."""

    checks: tuple[Check, ...]

    @property
    def promote(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> str:
        """The checks that failed, on one line."""
        return "; ".join(f"{c.name}: found {c.found}, needed {c.needed}" for c in self.checks if not c.passed)

    def __str__(self) -> str:
        rows = [(c.name, "ok" if c.passed else "FAILED", c.found, c.needed) for c in self.checks]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(
            f"  {name:<{widths[0]}}  {passed:<{widths[1]}}  {found:<{widths[2]}}  needed: {needed}"
            for name, passed, found, needed in rows
        )


def decide(challenger: Evidence, champion: Evidence | None, params: ReleaseParams) -> Decision:
    """Judge `challenger` by absolute floors and, where there is a `champion`, against it on the images both scored.

    If the data changed, the two were scored on different images: only the floors apply, and a check states this. If the
    two were scored on different splits of one data set, the gate refuses: evaluate both on one split.
    """
    checks = list(check_floors(challenger, params))
    if champion is not None:
        checks.extend(check_against_champion(challenger, champion, params))
    return Decision(tuple(checks))


def check_floors(challenger: Evidence, params: ReleaseParams) -> Iterator[Check]:
    """Yield the checks that every champion must pass, the first one too."""
    scores = compute_scores(challenger.counts.sum(axis=0))
    per_class = np.array(scores.per_class)
    worst = int(np.nanargmin(per_class))
    yield check_at_least("mean IU", scores.mean_iu, params.mean_iu_floor)
    yield check_at_least("pixel accuracy", scores.pixel_accuracy, params.pixel_accuracy_floor)
    yield check_at_least(f"worst class ({challenger.classes[worst]})", per_class[worst], params.class_iu_floor)
    yield check_at_least("ONNX parity", challenger.parity, params.parity_floor, digits=5)
    if params.milliseconds_limit is not None:
        yield check_latency(challenger.milliseconds, params.milliseconds_limit)


def check_against_champion(challenger: Evidence, champion: Evidence, params: ReleaseParams) -> Iterator[Check]:
    """Yield the checks against the champion on the same images, or one check that names why they cannot be compared."""
    footing = judge_comparability(challenger, champion)
    if footing == "other split":
        found = f"champion on {champion.split}, challenger on {challenger.split}"
        yield Check("comparison", False, found, "both on one split")
        return
    if footing == "changed data":
        yield Check("comparison", True, "none, the champion was scored on other data", "the floors alone")
        return
    low, high = bootstrap_difference(challenger.counts, champion.counts, params)
    needed = f"lower end of the {params.confidence:.0%} interval >= {-params.margin:.4f}"
    yield Check("mean IU against champion", low >= -params.margin, f"{low:+.4f} to {high:+.4f}", needed)
    yield check_worst_class(challenger, champion, params.class_margin)


def judge_comparability(challenger: Evidence, champion: Evidence) -> Comparability:
    """Whether the two can be compared image by image.

    Equal ids with equal pixels a class in every image are the same labelled images, even where the data set changed
    elsewhere: more training images do not end the comparison.
    """
    same = challenger.classes == champion.classes and challenger.ids == champion.ids
    if same and np.array_equal(challenger.counts.sum(axis=2), champion.counts.sum(axis=2)):
        return "same images"
    return (
        "other split"
        if challenger.dataset == champion.dataset and challenger.split != champion.split
        else "changed data"
    )


def bootstrap_difference(challenger: Counts, champion: Counts, params: ReleaseParams) -> tuple[float, float]:
    """Bootstrap percentile interval of mean IU(challenger) - mean IU(champion) over images (Efron 1979).

    challenger, champion: (M, K, K). Paired: each resample draws the same images for both, so that only the
    difference of the models on an image counts, not the difficulty of the image.
    """
    images = len(challenger)
    generator = np.random.default_rng(params.seed)
    # How often each image is drawn, (B, M): a resample is then one product instead of a sum over drawn matrices.
    draws = generator.multinomial(images, np.full(images, 1 / images), size=params.resamples)
    difference = compute_resampled_mean_iu(draws, challenger) - compute_resampled_mean_iu(draws, champion)
    tail = (1 - params.confidence) / 2
    low, high = np.quantile(difference, [tail, 1 - tail])
    return float(low), float(high)


def compute_resampled_mean_iu(draws: NDArray[np.int64], counts: Counts) -> NDArray[np.float64]:
    """Mean IU of each resample, (B,), from `draws` (B, M) and `counts` (M, K, K), over the classes of its images."""
    # In float64, where BLAS multiplies; pixel counts stay exact below 2**53.
    flat = draws.astype(np.float64) @ counts.reshape(len(counts), -1).astype(np.float64)
    matrices = flat.reshape(len(draws), *counts.shape[1:])
    correct = np.diagonal(matrices, axis1=1, axis2=2)
    truth, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    return np.nanmean(divide_where(correct, truth + predicted - correct, where=truth > 0), axis=1)


def check_worst_class(challenger: Evidence, champion: Evidence, margin: float) -> Check:
    """Check that the class with the largest loss against the champion loses at most `margin`."""
    challenger_ius, champion_ius = (
        np.array(compute_scores(e.counts.sum(axis=0)).per_class) for e in (challenger, champion)
    )
    change = challenger_ius - champion_ius
    worst = int(np.nanargmin(change))
    name = f"largest class change ({challenger.classes[worst]})"
    return Check(name, bool(change[worst] >= -margin), f"{change[worst]:+.4f}", f">= {-margin:.4f}")


def check_at_least(name: str, found: float, floor: float, digits: int = 4) -> Check:
    """A check that `found` reaches `floor`."""
    return Check(name, bool(found >= floor), f"{found:.{digits}f}", f">= {floor:.{digits}f}")


def check_latency(milliseconds: float | None, limit: float) -> Check:
    """A check that the median latency is known and within `limit`."""
    if milliseconds is None:
        return Check("median latency", False, "no benchmark", f"<= {limit:g} ms")
    return Check("median latency", milliseconds <= limit, f"{milliseconds:.1f} ms", f"<= {limit:g} ms")
