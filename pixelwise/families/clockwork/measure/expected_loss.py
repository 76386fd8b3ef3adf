"""The expected loss of a schedule on video without labels, from the class probabilities (odds) of the net."""

import numpy as np
from numpy.typing import NDArray

from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, run_whole
from pixelwise.families.clockwork.runtime.motion import Motion
from pixelwise.families.clockwork.runtime.stream_grids import SCORES, Grid

# Weight of earlier frames in the odds, moved to the current frame. Odds of a single frame count every deviation from
# the oracle as an error, even if other frames support it: on CamVid, they tripled the loss of schedules.
REMEMBERED = 2 / 3
Odds = NDArray[np.float32]


class ClassOdds:
    """The odds of each class in each cell of a video, by all frames up to the current one, all run whole."""

    def __init__(self, model: Staged) -> None:
        self.model = model
        self.reset()

    def reset(self) -> None:
        """Start a new video."""
        self.motion: Motion | None = None
        self.odds: Odds = np.zeros((0, 0, 0), np.float32)

    def step(self, image: np.ndarray) -> Odds:
        """Return the odds (K, h, w) of the next frame, (H, W, 3) uint8 RGB of the same size."""
        odds = compute_odds(self.model, image)
        if self.motion is None:
            self.motion, self.odds = Motion(image), odds
            return odds
        self.motion.follow(image)
        moved = self.motion.maps(self.odds[None], self.model.grids[SCORES])[0]
        self.motion.start()
        self.odds = REMEMBERED * moved + (1 - REMEMBERED) * odds
        return self.odds


def compute_odds(model: Staged, image: np.ndarray) -> Odds:
    """Return the softmax of the whole net's scores on the scores' grid, (K, h, w)."""
    scores = run_whole(model, "float32", image)[0]
    odds: Odds = np.exp(scores - scores.max(axis=0))
    return odds / odds.sum(axis=0)


def count_expected(odds: Odds, prediction: np.ndarray, where: Grid) -> NDArray[np.float64]:
    """Return the expected confusion (K, K) of a prediction (H, W): row = class of the odds, column = class predicted.

    odds: (K, h, w) on the grid `where`. Cells centred outside the picture are left out.
    """
    pixels = [np.rint(where.pixels(np.arange(cells))).astype(int) for cells in odds.shape[1:]]
    inside = [(centres >= 0) & (centres < side) for centres, side in zip(pixels, prediction.shape, strict=True)]
    labels = prediction[np.ix_(*(centres[within] for centres, within in zip(pixels, inside, strict=True)))].ravel()
    cells = odds[:, *np.ix_(*inside)].reshape(len(odds), -1)
    return np.stack([cells @ (labels == value) for value in range(len(odds))], axis=1).astype(np.float64)


def compute_loss(oracle: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the oracle's mean IU minus that of `counts`, a fraction, over the classes that the oracle predicted."""
    predicted = oracle.sum(axis=0) > 0
    ious = [np.diag(each) / (each.sum(axis=0) + each.sum(axis=1) - np.diag(each)) for each in (oracle, counts)]
    return float(np.mean((ious[0] - ious[1])[predicted]))
