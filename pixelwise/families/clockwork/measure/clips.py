"""The clips of a split, in the order of their frames."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from pixelwise.data.splits import read_clip_and_frame


def clips_of(samples: Any) -> list[list[int]]:
    """The places of each clip's frames in a split, in order; a still is a clip of its own, and a gap begins another.

    samples: `rows` or `items` with clip and frame. A gap is a step wider than the clip's usual one: frames are missing
    there, and what was seen before is of no use.
    """
    known: dict[Any, list[tuple[int, int]]] = {}
    for place in range(len(samples)):
        clip, frame = read_clip_and_frame(samples, place)
        known.setdefault(clip or place, []).append((frame, place))
    return [run for frames in known.values() for run in without_gaps(sorted(frames))]


def without_gaps(frames: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The places of (frame, place) pairs, cut where a step is wider than usual."""
    steps = [after[0] - before[0] for before, after in pairwise(frames)]
    usual = median(steps) if steps else 0
    runs = [[frames[0][1]]]
    for step, (_, place) in zip(steps, frames[1:], strict=True):
        if step > usual:
            runs.append([])
        runs[-1].append(place)
    return runs
