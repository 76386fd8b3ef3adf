"""The figures of an error analysis by name, for errors.json and for the tables of the page; shares are fractions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pixelwise.metrics.confusion import Counts, compute_scores
from pixelwise.metrics.object_sizes import SIZES, SizeCounts
from pixelwise.reporting.errors.analysis import Beside, ErrorAnalysis

# Other classes that are named for each class.
CONFUSED_WITH = 3


def describe_errors(analysis: ErrorAnalysis, names: Sequence[str]) -> dict[str, Any]:
    """The content of errors.json; a figure without pixels is None."""
    return {
        "classes": describe_classes(analysis, names),
        "places": {
            "boundary": describe_counts(analysis.boundary),
            "interior": describe_counts(analysis.counts - analysis.boundary),
        },
        "sizes": describe_sizes(analysis.sizes, names),
        "slices": {
            by: {each.name: {"images": each.images, **describe_counts(each.counts)} for each in slices}
            for by, slices in analysis.slices.items()
        },
        "suspects": None if analysis.suspects is None else len(analysis.suspects),
        "beside": analysis.beside and describe_beside(analysis.beside, analysis.counts, names),
    }


def describe_counts(counts: Counts) -> dict[str, Any]:
    """The pixels of (K, K) counts, and their scores; None without a pixel."""
    if not counts.any():
        return {"pixels": 0, "mean_iu": None, "pixel_accuracy": None}
    scores = compute_scores(counts)
    return {"pixels": int(counts.sum()), "mean_iu": scores.mean_iu, "pixel_accuracy": scores.pixel_accuracy}


def describe_classes(analysis: ErrorAnalysis, names: Sequence[str]) -> dict[str, Any]:
    """For each class: what its pixels are predicted as, what is predicted as it, and how right and sure that is."""
    counts, predicted = analysis.counts, analysis.counts.sum(axis=0)
    sure = np.full(len(names), np.nan) if analysis.confidence is None else analysis.confidence
    return {
        name: {
            "missed_as": name_largest(counts[index], index, names),
            "taken_for_it": name_largest(counts[:, index], index, names),
            "precision": divide(counts[index, index], predicted[index]),
            "confidence": divide(sure[index], predicted[index]),
        }
        for index, name in enumerate(names)
    }


def name_largest(counts: np.ndarray, own: int, names: Sequence[str]) -> dict[str, float]:
    """The shares (K,) `counts` of the classes other than `own` that have the most pixels, by name, largest first."""
    others = [index for index in np.argsort(-counts, kind="stable").tolist() if index != own and counts[index]]
    return {names[index]: float(counts[index] / counts.sum()) for index in others[:CONFUSED_WITH]}


def describe_sizes(sizes: SizeCounts, names: Sequence[str]) -> dict[str, Any]:
    """For each size of objects: their number, the share that is found and that of right pixels, also by class."""
    return {
        size: {
            **describe_objects(sizes[:, index].sum(axis=0)),
            "classes": {name: describe_objects(sizes[row, index]) for row, name in enumerate(names)},
        }
        for index, size in enumerate(SIZES)
    }


def describe_objects(counts: np.ndarray) -> dict[str, Any]:
    """The entry of objects counted as in `SizeCounts`, (4,)."""
    objects, found, pixels, right = counts.tolist()
    return {"objects": objects, "found": divide(found, objects), "pixel_accuracy": divide(right, pixels)}


def describe_beside(beside: Beside, counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Both models' scores, and for each class the shares of its pixels that are gained and lost."""
    own, other, pixels = compute_scores(counts), compute_scores(beside.counts), counts.sum(axis=1)
    return {
        "model": beside.name,
        "mean_iu": [own.mean_iu, other.mean_iu],
        "pixel_accuracy": [own.pixel_accuracy, other.pixel_accuracy],
        "classes": {
            name: {
                "iu": [divide(own.per_class[index], 1), divide(other.per_class[index], 1)],
                "gained": divide(beside.gained[index], pixels[index]),
                "lost": divide(beside.lost[index], pixels[index]),
            }
            for index, name in enumerate(names)
        },
    }


def divide(part: float, whole: float) -> float | None:
    """`part / whole` as JSON holds it: None without a whole, or where the part is not known."""
    return float(part / whole) if whole and not np.isnan(part) else None
