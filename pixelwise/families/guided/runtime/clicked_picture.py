"""The masks of all classes of a clicked picture, click by click."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pixelwise.families.guided.runtime.click_disks import ObjectClick
from pixelwise.families.guided.runtime.click_model import CERTAIN, HALF, IMPOSSIBLE, ClickModel


class Click(NamedTuple):
    """A pixel and the number of its class."""

    x: int
    y: int
    way: int


@dataclass(frozen=True)
class ClickedPicture:
    """A picture (h, w, 3) uint8 and its clicks. Clicks on other classes tell a class what it is not.

    label: (h, w) uint8 of classes before the first click, None without any. odds: the probability of each class but the
    first after the clicks, (h, w) float16 each; None before the class has a mask. A click makes a new object, so that
    it can be undone; the two share the odds of the classes that it does not change.
    """

    model: ClickModel
    image: np.ndarray
    label: np.ndarray | None = None
    clicks: tuple[Click, ...] = ()
    odds: tuple[np.ndarray | None, ...] = ()

    def add(self, click: Click, ways: int) -> "ClickedPicture":
        """Return the picture after one more click, with `ways` classes."""
        clicks, odds = (*self.clicks, click), []
        for way in range(1, ways):
            before = self.find_odds(way)
            # A click on another class tells nothing new where this class is not.
            if way == click.way or (before is not None and before[click.y, click.x] > HALF):
                corrections = [ObjectClick(x, y, of == way) for x, y, of in clicks]
                known = None if before is None else before.astype(np.float32)
                before = self.model.segment(self.image, corrections, known).astype(np.float16)
            odds.append(before)
        return replace(self, clicks=clicks, odds=tuple(odds))

    def repeat(self, clicks: Iterable[Click], ways: int) -> "ClickedPicture":
        """Return the picture after other clicks, from its label."""
        picture = replace(self, clicks=(), odds=())
        for click in clicks:
            picture = picture.add(click, ways)
        return picture

    def find_odds(self, way: int) -> np.ndarray | None:
        """Return the probability of class `way` so far: after its clicks, or by the label before any."""
        if way <= len(self.odds):
            return self.odds[way - 1]
        if self.label is None:
            return None
        return np.where(self.label == way, CERTAIN, IMPOSSIBLE).astype(np.float16)

    def compute_logits(self, ways: int) -> np.ndarray:
        """Return the logits (K, h, w) float32 of `ways` classes; those of the first are 0. Each click has its class."""
        logits = np.zeros((ways, *self.image.shape[:2]), np.float32)
        for way in range(1, ways):
            found = self.find_odds(way)
            odds = np.float32(0) if found is None else found.astype(np.float32)
            odds = np.clip(odds, IMPOSSIBLE / 2, 1 - IMPOSSIBLE / 2)
            logits[way] = np.log(odds) - np.log1p(-odds)
        return logits
