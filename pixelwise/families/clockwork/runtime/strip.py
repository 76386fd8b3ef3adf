"""A strip that shows which stages of a clockwork ran on the last frames, newest on the right (thesis figure 3.7)."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from pixelwise.reporting.label_images import INK, PAPER, Picture

# Frames that the strip shows, and the height of a line in pixels.
FRAMES = 96
LINE = 9
IDLE = (226, 229, 236)
NOW = (47, 111, 222)


class Strip:
    """One line per stage, shallow on top: dark cells where the stage ran, blue for the current frame."""

    def __init__(self, stages: int) -> None:
        self.stages = stages
        self.reset()

    def reset(self) -> None:
        """Start a new video."""
        self.seen: deque[Sequence[bool]] = deque([(False,) * self.stages] * FRAMES, maxlen=FRAMES)

    def after(self, fired: Sequence[bool], width: int) -> Picture:
        """Add a frame that ran the stages `fired` and return the strip (H, width, 3)."""
        self.seen.append(fired)
        cells = np.where(np.array(self.seen).T[..., None], np.array(INK, np.uint8), np.array(IDLE, np.uint8))
        cells[np.array(fired), -1] = NOW
        columns = np.arange(width) * FRAMES // width
        strip = np.full((self.stages * LINE + 1, width, 3), PAPER, np.uint8)
        for stage in range(self.stages):
            strip[stage * LINE + 1 : (stage + 1) * LINE] = cells[stage, columns]
        return strip
