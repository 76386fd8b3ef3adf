"""The loss of a schedule on video without labels: what mean IU it and the oracle can expect under the net's odds."""

import numpy as np
from numpy.typing import NDArray

from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, fused
from pixelwise.families.clockwork.runtime.motion import Motion
from pixelwise.families.clockwork.runtime.staged_execution import run_part
from pixelwise.families.clockwork.runtime.stream_grids import SCORES, Grid

# Share of the odds that comes from the frames before, along the motion. Odds of one frame alone call wrong whatever
# the oracle does not say, though other frames may know better; of CamVid's schedules they made three times the loss.
REMEMBERED = 2 / 3
Odds = NDArray[np.float32]


class Watched:
    """A video seen whole: how probable each class is in each cell, by every frame up to the current one."""

    def __init__(self, model: Staged) -> None:
        self.model = model
        self.reset()

    def reset(self) -> None:
        """Begin another video."""
        self.motion: Motion | None = None
        self.odds: Odds = np.zeros((0, 0, 0), np.float32)

    def step(self, image: np.ndarray) -> Odds:
        """The odds (K, h, w) of the cells of the next frame, (H, W, 3) uint8 RGB of the same size."""
        odds = odds_of(self.model, image)
        if self.motion is None:
            self.motion, self.odds = Motion(image), odds
            return odds
        self.motion.follow(image)
        before = self.motion.maps(self.odds[None], self.model.grids[SCORES])[0]
        self.motion.start()
        self.odds = REMEMBERED * before + (1 - REMEMBERED) * odds
        return self.odds


def odds_of(model: Staged, image: np.ndarray) -> Odds:
    """The softmax of the whole net's scores on their own grid, (K, h, w)."""
    scores = fused(model, run_part(model.stages, image[None]))[0]
    odds: Odds = np.exp(scores - scores.max(axis=0))
    return odds / odds.sum(axis=0)


def expected_counts(odds: Odds, prediction: np.ndarray, where: Grid) -> NDArray[np.float64]:
    """The (K, K) confusion to expect of a prediction (H, W): row = class of the odds, column = class predicted.

    odds: (K, h, w) of cells that lie as `where` says. Cells that look beyond the picture are left out.
    """
    pixels = [np.rint(where.pixels(np.arange(cells))).astype(int) for cells in odds.shape[1:]]
    inside = [(places >= 0) & (places < side) for places, side in zip(pixels, prediction.shape, strict=True)]
    seen = prediction[np.ix_(*(places[within] for places, within in zip(pixels, inside, strict=True)))].ravel()
    cells = odds[:, *np.ix_(*inside)].reshape(len(odds), -1)
    return np.stack([cells @ (seen == label) for label in range(len(odds))], axis=1).astype(np.float64)


def expected_loss(oracle: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """By how much the mean IU of `counts` is below the oracle's, a fraction; of the classes that the oracle found."""
    found = oracle.sum(axis=0) > 0
    ious = [np.diag(each) / (each.sum(axis=0) + each.sum(axis=1) - np.diag(each)) for each in (oracle, counts)]
    return float(np.mean((ious[0] - ious[1])[found]))
