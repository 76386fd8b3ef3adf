"""The clips of a split, with frames in order."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from pixelwise.data.splits import read_clip_and_frame


def split_into_clips(samples: Any) -> list[list[int]]:
    """Return the indices in a split of each clip's frames, in order. A still is a clip; a gap starts a new clip.

    samples: `rows` or `items` with clip and frame. A gap is a step above the clip's median step: frames are missing, so
    the state from earlier frames is useless.
    """
    clips: dict[Any, list[tuple[int, int]]] = {}
    for index in range(len(samples)):
        clip, frame = read_clip_and_frame(samples, index)
        clips.setdefault(clip or index, []).append((frame, index))
    return [part for frames in clips.values() for part in split_at_gaps(sorted(frames))]


def split_at_gaps(frames: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the indices of (frame, index) pairs, split where a step is above the median step."""
    steps = [after[0] - before[0] for before, after in pairwise(frames)]
    usual = median(steps) if steps else 0
    parts = [[frames[0][1]]]
    for step, (_, index) in zip(steps, frames[1:], strict=True):
        if step > usual:
            parts.append([])
        parts[-1].append(index)
    return parts
