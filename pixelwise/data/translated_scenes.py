"""Translated scenes: labelled video made from labelled stills by a moving window (thesis §3.4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pixelwise.data.decoding import MIN_SIDE, format_size
from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError

FRAMES = 6
# The first two frames fill a pipeline of three stages, so that every schedule is scored on the same four frames.
SCORED = range(2, FRAMES)


class TranslatedScenes(Sequence[Sample]):
    """Six frames of each still; a window moves by `shift` pixels per frame along the longer side (down if square).

    The window has the length (longer side − 5·shift) and the full shorter side. The labels of frames 0 and 1 are void,
    so that only frames 2 to 5 are scored. A shift of 0 makes still video.

    `rows` holds clip and frame of each item without decoding; a clip's name is the index of its still. Raises DataError
    if `shift` is negative; indexing raises DataError if a picture is too small.
    """

    def __init__(self, stills: Sequence[Sample], shift: int) -> None:
        if shift < 0:
            raise DataError(f"shift {shift}: expected 0 pixels a frame or more")
        self.stills, self.shift = stills, shift
        self.rows = [{"clip": str(place), "frame": frame} for place in range(len(stills)) for frame in range(FRAMES)]
        self._last: tuple[int, Sample] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        place, frame = divmod(range(len(self))[index], FRAMES)
        still = self._still(place)
        window = find_window(still, self.shift, frame)
        label = still.label[window].copy() if frame in SCORED else np.full_like(still.label[window], VOID)
        return Sample(
            id=f"{still.id}/{frame}",
            image=still.image[window].copy(),
            label=label,
            layers={name: layer[window].copy() for name, layer in still.layers.items()},
        )

    def _still(self, place: int) -> Sample:
        # Keep the last still: its six frames are usually read in succession, and decoding costs more than cropping.
        last = self._last
        if last is None or last[0] != place:
            last = self._last = place, self.stills[place]
        return last[1]


def find_window(still: Sample, shift: int, frame: int) -> tuple[slice, slice]:
    """Compute the rows and columns of `still` that `frame` shows. Raises DataError if the window is too small."""
    height, width = still.image.shape[:2]
    start, length = shift * frame, max(height, width) - shift * (FRAMES - 1)
    if length < MIN_SIDE:
        least = f"a longer side of at least {MIN_SIDE + shift * (FRAMES - 1)}"
        frames = f"{FRAMES} frames {shift} pixels apart"
        raise DataError(f"{still.id}: size {format_size((width, height))}, expected {least} for {frames}")
    moving = slice(start, start + length)
    return (moving, slice(None)) if height >= width else (slice(None), moving)
