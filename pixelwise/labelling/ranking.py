"""Rank pictures: those that the model doubts and that differ from all that is labelled or ranked before them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.labelling.doubt import Doubt
from pixelwise.labelling.looks import Looks, place

# Added to distances, so that among copies the doubt decides.
LEAST = 1e-9


class Ranked(NamedTuple):
    """A picture's place in the list of pictures, and why it is ranked where it is.

    doubt: 0 to 1, the share of the pictures that the model doubts less. novelty: distance to the nearest labelled
    picture, inf without any. distance: to the nearest one that is labelled or ranked before.
    """

    place: int
    doubt: float
    novelty: float
    distance: float


def rank_pictures(doubts: Sequence[Doubt], looks: Sequence[Looks], known: Sequence[Looks]) -> list[Ranked]:
    """Rank N pictures by the doubts about them and their looks. known: the looks of M labelled pictures."""
    points = place([*looks, *known])
    return rank(measure_shares(doubts), points[: len(looks)], points[len(looks) :])


def rank(doubts: Sequence[float], points: np.ndarray, known: np.ndarray) -> list[Ranked]:
    """Rank N pictures by the product of doubt and distance (farthest-first traversal, Gonzalez 1985, weighted).

    doubts: N shares, of `measure_shares`. points: (N, D) places of the pictures. known: (M, D) those of labelled ones.
    A picture like one that is ranked before it has a distance near 0, so the copies of a scene come last.
    """
    novelty = np.array([measure_nearest(point, known) for point in points])
    nearest, weights = novelty.copy(), np.asarray(doubts, np.float64)
    left, ranked = np.ones(len(points), bool), []
    for _ in range(len(points)):
        # Without anything to compare with, the doubt alone decides.
        scores = np.where(left, weights * np.where(np.isinf(nearest), 1.0, nearest + LEAST), -1.0)
        best = int(np.argmax(scores))
        ranked.append(Ranked(best, float(weights[best]), float(novelty[best]), float(nearest[best])))
        left[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(points - points[best], axis=1))
    return ranked


def measure_nearest(point: np.ndarray, known: np.ndarray) -> float:
    """Measure the distance of a point (D,) to the nearest of `known` (M, D); inf without any."""
    return float(np.linalg.norm(known - point, axis=1).min(initial=np.inf))


def measure_shares(doubts: Sequence[Doubt]) -> list[float]:
    """Combine the doubts of each picture: the mean of its places among all by uncertainty and by disagreement."""
    measures = [np.array([doubt.disagreement for doubt in doubts])]
    if all(doubt.uncertainty is not None for doubt in doubts):
        measures.append(np.array([doubt.uncertainty for doubt in doubts]))
    return np.mean([place_in_order(values) for values in measures], axis=0).tolist()


def place_in_order(values: np.ndarray) -> np.ndarray:
    """Compute the place of each of N values in ascending order, in (0, 1]; equal values have the mean of their places.

    Places, since the scales of two measures of doubt have nothing in common.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - (counts - 1) / 2) / len(values))[inverse]
