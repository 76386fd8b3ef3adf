"""A clockwork whose stages have one clock: the whole net runs on key frames, and its labels move in between."""

from collections.abc import Sequence

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import Clockwork, run_whole


class KeyFrames(Clockwork):
    """Labels frames as `Clockwork` does, for a schedule with one clock for all stages.

    On key frames the whole net runs as one graph. Run stage by stage it takes 1.1 times as long, since maps are copied
    between stages, and it cannot run in int8.
    """

    def run_stages(self, image: np.ndarray) -> tuple[bool, ...]:
        """Return whether this is a key frame, once for each stage."""
        clock, seen = self.clocks[0], self.seen(image, 0, [])
        fires = self.frame == 0 or clock.fires(seen)
        if fires:
            clock.ran(seen)
        return (fires,) * len(self.clocks)

    def score(self, image: np.ndarray, fired: Sequence[bool]) -> np.ndarray:  # noqa: ARG002 - as of `Clockwork`
        """Return the scores (1, K, h, w) of a key frame."""
        return run_whole(self.model, self.schedule.precision, image)
