"""Suspected label errors: regions where a model is confident of another class than their label.

Size × confidence alone would name the usual errors of the model first. Two factors tell these from errors of the label:
whether the labelled and the predicted object have one outline, and how rarely the model confuses the two classes.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np

from pixelwise.metrics.confusion import Counts
from pixelwise.metrics.regions import Region

# Regions that are kept of a split.
MOST = 10_000


class Suspect(NamedTuple):
    """A region whose label is suspected. score: the higher the more suspicious."""

    score: float
    region: Region


class Suspects:
    """The most suspicious regions of a split, MOST at most."""

    def __init__(self) -> None:
        self._kept: list[Suspect] = []

    def add(self, region: Region) -> None:
        """Keep a region of another prediction than its label if it is among the most suspicious."""
        suspect = Suspect(math.sqrt(region.pixels) * region.confidence * region.overlap, region)
        if len(self._kept) < MOST:
            heapq.heappush(self._kept, suspect)
        else:
            heapq.heappushpop(self._kept, suspect)

    def rank(self, counts: Counts) -> list[Suspect]:
        """The suspects, the most suspicious first. counts: (K, K) of the split, which say how rare a confusion is."""
        # One pixel more everywhere, so that every confusion has a rate.
        pixels = counts + 1
        of_label, of_prediction = (pixels / pixels.sum(axis=axis, keepdims=True) for axis in (1, 0))
        surprise = np.log(of_label * of_prediction) ** 2
        ranked = (Suspect(score * float(surprise[each.label, each.prediction]), each) for score, each in self._kept)
        return sorted(ranked, reverse=True)
