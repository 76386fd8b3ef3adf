"""A strip that shows which stages of a clockwork ran on the last frames, newest on the right (thesis figure 3.7)."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from pixelwise.reporting.label_images import INK, PAPER, Picture

# Frames that the strip goes back, and its lines' height in pixels.
FRAMES = 96
LINE = 9
IDLE = (226, 229, 236)
NOW = (47, 111, 222)


class Strip:
    """A line a stage, shallow on top; a dark cell where it ran, this frame's in blue."""

    def __init__(self, stages: int) -> None:
        self.stages = stages
        self.reset()

    def reset(self) -> None:
        """Begin another video."""
        self.seen: deque[Sequence[bool]] = deque([(False,) * self.stages] * FRAMES, maxlen=FRAMES)

    def after(self, fired: Sequence[bool], width: int) -> Picture:
        """The strip (H, width, 3) once a further frame ran the stages `fired`."""
        self.seen.append(fired)
        cells = np.where(np.array(self.seen).T[..., None], np.array(INK, np.uint8), np.array(IDLE, np.uint8))
        cells[np.array(fired), -1] = NOW
        columns = np.arange(width) * FRAMES // width
        strip = np.full((self.stages * LINE + 1, width, 3), PAPER, np.uint8)
        for stage in range(self.stages):
            strip[stage * LINE + 1 : (stage + 1) * LINE] = cells[stage, columns]
        return strip
