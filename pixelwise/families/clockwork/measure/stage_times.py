"""Measure the time of each stage of a net, and choose the borders of a pipeline by it (thesis §3.3.2)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import (
    FEATURES,
    Maps,
    Staged,
    decode_scores,
    fuse_streams,
    parse_stride,
    run_stage,
)


@dataclass(frozen=True)
class Cut:
    """Borders of a net and the milliseconds of the stages between them, shallow to deep."""

    borders: tuple[int, ...]
    stages: tuple[float, ...]

    @property
    def longest(self) -> float:
        """The longest stage, the least time per frame of a pipeline."""
        return max(self.stages)


@dataclass(frozen=True)
class StageTimes:
    """Times in milliseconds. ends: the stride at which each stage ends. fuse and decode run after it on every frame."""

    ends: tuple[int, ...]
    stages: tuple[float, ...]
    fuse: float
    decode: float

    @property
    def whole(self) -> float:
        """The time of a frame without overlap."""
        return sum(self.stages) + self.fuse + self.decode

    def compute_latency(self, cut: Cut) -> float:
        """Return the time from a frame to its labels in a pipeline with one core per part."""
        return cut.longest + self.fuse + self.decode

    def list_cuts(self) -> list[Cut]:
        """Return all cuts of the net at ends of its stages: fewest parts first, then most even first."""
        inner = range(1, len(self.stages))
        cuts = [self.make_cut(starts) for parts in inner for starts in combinations(inner, parts)]
        return sorted(cuts, key=lambda cut: (len(cut.stages), cut.longest))

    def make_cut(self, starts: Sequence[int]) -> Cut:
        """Return the cut before the stages `starts`."""
        bounds = [0, *starts, len(self.stages)]
        times = tuple(sum(self.stages[first:last]) for first, last in pairwise(bounds))
        return Cut(tuple(self.ends[start - 1] for start in starts), times)


def measure_stages(model: Staged, image: np.ndarray, rounds: int) -> StageTimes:
    """Return the least time of each part of a net on one picture, (H, W, 3) uint8, over `rounds` rounds of all parts.

    The least, because other load on the machine only adds time. A first round, which allocates, is not counted.
    """
    times = [time_round(model, image) for _ in range(rounds + 1)][1:]
    *stages, fuse, decode = (1000 * min(column) for column in zip(*times, strict=True))
    return StageTimes(tuple(list_ends(model)), tuple(stages), fuse, decode)


def time_round(model: Staged, image: np.ndarray) -> list[float]:
    """Return the seconds of each stage, of the fusion and of the decoding."""
    clock = [time.perf_counter()]
    states: list[Maps] = []
    given = image[None]
    for stage in model.stages:
        states.append(run_stage(stage, given))
        given = states[-1].get(FEATURES, given)
        clock.append(time.perf_counter())
    scores = fuse_streams(model, states)
    clock.append(time.perf_counter())
    decode_scores(model, scores, image)
    clock.append(time.perf_counter())
    return [after - before for before, after in pairwise(clock)]


def list_ends(model: Staged) -> list[int]:
    """Return the stride at which each stage ends: that of its coarsest stream."""
    return [
        max(parse_stride(out.name) for out in stage.get_outputs() if out.name != FEATURES) for stage in model.stages
    ]
