"""Frames larger than a tile: one engine per tile, each with its own states and clocks, so that memory is bounded."""

from collections.abc import Sequence

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import Clockwork, Frame, Staged
from pixelwise.families.clockwork.runtime.key_frames import KeyFrames
from pixelwise.families.clockwork.runtime.schedules import Schedule
from pixelwise.families.clockwork.runtime.staged_execution import Pipeline
from pixelwise.inference.tiles import Span, keep_tile, split_picture


class TiledEngine:
    """Labels frames of any size on a schedule. A frame that fits into one tile is labelled as its engine labels it."""

    def __init__(self, model: Staged, schedule: Schedule) -> None:
        self.model, self.schedule = model, schedule
        self.reset()

    def reset(self) -> None:
        """Start a new video."""
        self.size: tuple[int, ...] = ()
        self.tiles: list[tuple[Span, Span]] = []
        self.engines: list[Clockwork | Pipeline] = []

    def step(self, image: np.ndarray) -> Frame:
        """Label the next frame, (H, W, 3) uint8 RGB. Raises ModelError if its type or shape differs."""
        self.model.plain.select_inputs({"image": image[None]})
        if image.shape != self.size:
            height, width, _ = self.size = image.shape
            self.tiles = list(split_picture(height, width, self.model.plain.tile))
            kind = Pipeline if self.schedule.overlapped else KeyFrames if self.schedule.runs_whole else Clockwork
            self.engines = [kind(self.model, self.schedule) for _ in self.tiles]
        parts = [
            engine.step(np.ascontiguousarray(image[rows.start : rows.end, columns.start : columns.end]))
            for engine, (rows, columns) in zip(self.engines, self.tiles, strict=True)
        ]
        return parts[0] if len(parts) == 1 else self.join(parts)

    def join(self, parts: Sequence[Frame]) -> Frame:
        """Return the whole frame of its tiles. A stage counts as fired where it fired in any tile."""
        prediction = np.empty(self.size[:2], np.uint8)
        for part, (rows, columns) in zip(parts, self.tiles, strict=True):
            keep_tile(prediction, part.prediction, rows, columns)
        fired = tuple(any(stage) for stage in zip(*(part.fired for part in parts), strict=True))
        return Frame(prediction, fired, sum(part.seconds for part in parts))
