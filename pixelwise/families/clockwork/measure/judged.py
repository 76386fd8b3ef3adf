"""What the release gate judges of a clockwork: one schedule's score, its loss and its speed-up, in one paired run."""

from collections.abc import Sequence

import numpy as np

from pixelwise.families.clockwork.measure.paired_runs import ScheduleRun
from pixelwise.metrics.measurement import Measurement

# Frames of a block. Changes within a block depend on each other; over more frames a schedule has long begun anew.
BLOCK = 16
LOST, SPEED_UP = "mean IU lost", "speed-up"


def measure_schedule(
    run: ScheduleRun, oracle: ScheduleRun, clips: Sequence[Sequence[int]], classes: tuple[str, ...]
) -> tuple[Measurement, ...]:
    """Measure a schedule: mean IU, mean IU lost to the `oracle`, and speed-up over it by round.

    The frames of a clip depend on each other, so the units are clips; of a single clip, they are its blocks of BLOCK
    frames (Carlstein 1986). clips: of a split, in the order in which both ran them.
    """
    unit, starts = find_units(clips)
    ids = tuple(run.ids[start] for start in starts)
    plain, own = (np.add.reduceat(np.stack(one.counts), starts, axis=0) for one in (oracle, run))
    speed_ups = np.array(run.compute_speed_ups(oracle))
    rounds = tuple(f"{number}" for number in range(1, len(speed_ups) + 1))
    return (
        Measurement("mean IU", unit, ids, own, "mean IU", classes),
        Measurement(LOST, unit, ids, np.stack([plain, own], axis=1), LOST, classes),
        Measurement(SPEED_UP, "round", rounds, speed_ups),
    )


def find_units(clips: Sequence[Sequence[int]]) -> tuple[str, list[int]]:
    """Return the name of a unit and the place of each unit's first frame, among the frames of all clips."""
    lengths = [len(clip) for clip in clips]
    # A remainder of at most half a block joins the block before it.
    blocks = list(range(0, max(lengths[0] - BLOCK // 2, 1), BLOCK))
    if len(lengths) == 1 and len(blocks) > 1:
        return f"{BLOCK}-frame block", blocks
    return "clip", np.cumsum([0, *lengths[:-1]]).tolist()
