"""Pipelined clockwork: the parts of a net work on different frames at the same time (thesis §3.3.2)."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import (
    FEATURES,
    Frame,
    Maps,
    Staged,
    decode_scores,
    fuse_streams,
    run_stage,
)
from pixelwise.families.clockwork.runtime.schedules import Schedule
from pixelwise.inference.binding import Value
from pixelwise.inference.graph_session import GraphSession


class Pipeline:
    """Labels frames like `Clockwork`, with each part of the net one frame behind the previous part.

    In a 3-part pipeline the labels of frame t come from the first part on frame t, the second on t − 1 and the third on
    t − 2. Each part has its thread, so that with enough cores a frame takes as long as the longest part and the fusion.
    On the first frame the parts run one after the other.
    """

    def __init__(self, model: Staged, schedule: Schedule) -> None:
        self.model, self.schedule = model, schedule
        ends = list(accumulate(schedule.overlapped))
        starts = [0, *ends[:-1]]
        self.parts = [model.stages[start:end] for start, end in zip(starts, ends, strict=True)]
        self.workers = ThreadPoolExecutor(len(self.parts), "stage")
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one fills the pipeline."""
        # The inputs of all parts but the first for the next frame.
        self.waiting: list[Value] = []
        self.size: tuple[int, ...] = ()

    def step(self, image: np.ndarray) -> Frame:
        """Label the next frame, (H, W, 3) uint8 RGB. Raises ModelError if its type or shape differs."""
        began = time.perf_counter()
        self.model.plain.select_inputs({"image": image[None]})
        if image.shape != self.size:
            self.reset()
        found = self.at_once(image) if self.waiting else self.fill(image)
        self.size, self.waiting = image.shape, [states[-1][FEATURES] for states in found[:-1]]
        prediction = decode_scores(
            self.model, fuse_streams(self.model, [state for states in found for state in states]), image
        )
        return Frame(prediction, (True,) * len(self.model.stages), time.perf_counter() - began)

    def at_once(self, image: np.ndarray) -> list[list[Maps]]:
        """Run all parts at the same time, each on its waiting input, and return their states."""
        given: list[Value] = [image[None], *self.waiting]
        return list(self.workers.map(run_part, self.parts, given))

    def fill(self, image: np.ndarray) -> list[list[Maps]]:
        """Run all parts on one frame, one after the other, and return their states."""
        found, given = [], image[None]
        for part in self.parts:
            found.append(run_part(part, given))
            given = found[-1][-1].get(FEATURES, given)
        return found


def run_part(stages: Sequence[GraphSession], given: Value) -> list[Maps]:
    """Run stages one after the other and return their states."""
    states: list[Maps] = []
    for stage in stages:
        states.append(run_stage(stage, given))
        given = states[-1].get(FEATURES, given)
    return states
