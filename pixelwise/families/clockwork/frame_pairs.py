"""Pairs of frames that train a clock, without labels: two frames of a clip, or two windows of one picture."""

from collections.abc import Iterator

import numpy as np

from pixelwise.data.prepared import PreparedSplit
from pixelwise.errors import DataError

# The most that a pair is apart: in frames of a clip, and in pixels of a window in each direction.
MAX_AGE = 4
MAX_SHIFT = 32
Pair = tuple[np.ndarray, np.ndarray]


def draw_frame_pairs(split: PreparedSplit, count: int, seed: int) -> Iterator[Pair]:
    """Yield `count` pairs of pictures, (H, W, 3) uint8 each, the earlier one first.

    Pairs from moving windows (thesis §3.4) and from clips alternate; a split of stills has windows only.
    """
    rng = np.random.default_rng(seed)
    clips = list_clips(split)
    for number in range(count):
        if clips and number % 2:
            yield draw_clip_pair(split, clips[rng.integers(len(clips))], rng)
        else:
            yield draw_window_pair(split.image(int(rng.integers(len(split)))), rng)


def list_clips(split: PreparedSplit) -> list[list[int]]:
    """Return the indices in `split` of each clip's items, in frame order; clips of one item are left out."""
    indices: dict[str, list[int]] = {}
    for index, row in enumerate(split.rows):
        if row["clip"]:
            indices.setdefault(row["clip"], []).append(index)
    ordered = (sorted(clip, key=lambda index: split.rows[index]["frame"]) for clip in indices.values())
    return [clip for clip in ordered if len(clip) > 1]


def draw_clip_pair(split: PreparedSplit, clip: list[int], rng: np.random.Generator) -> Pair:
    """Draw two frames of a clip, at most MAX_AGE apart."""
    age = int(rng.integers(1, min(MAX_AGE, len(clip) - 1) + 1))
    first = int(rng.integers(len(clip) - age))
    return split.image(clip[first]), split.image(clip[first + age])


def draw_window_pair(image: np.ndarray, rng: np.random.Generator) -> Pair:
    """Draw two windows of one picture, up to MAX_SHIFT pixels apart in each direction.

    Raises DataError if a side of the picture is not over 2 · MAX_SHIFT pixels.
    """
    height, width = image.shape[:2]
    if min(height, width) <= 2 * MAX_SHIFT:
        raise DataError(f"picture of {width} × {height}: too small for a moving window, expected over {2 * MAX_SHIFT}")
    down, right = (int(shift) for shift in rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, size=2))
    rows, columns = height - abs(down), width - abs(right)
    top, left = max(-down, 0), max(-right, 0)
    then = image[top : top + rows, left : left + columns]
    return then, image[top + down : top + down + rows, left + right : left + right + columns]
