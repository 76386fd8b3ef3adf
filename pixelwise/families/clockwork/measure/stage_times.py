"""What each stage of a net costs, and where to cut it for a pipeline: borders by measured time (thesis §3.3.2)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import (
    FEATURES,
    Maps,
    Staged,
    decoded,
    fused,
    run_stage,
    stride_of,
)


@dataclass(frozen=True)
class Cut:
    """Borders of a net and the milliseconds of the stages between them, shallow to deep."""

    borders: tuple[int, ...]
    stages: tuple[float, ...]

    @property
    def longest(self) -> float:
        """A pipeline of these stages gives a frame no sooner."""
        return max(self.stages)


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds. ends: the stride at which each stage ends; fuse and decode follow the last one on every frame."""

    ends: tuple[int, ...]
    stages: tuple[float, ...]
    fuse: float
    decode: float

    @property
    def whole(self) -> float:
        """All of a frame, nothing overlapping."""
        return sum(self.stages) + self.fuse + self.decode

    def latency(self, cut: Cut) -> float:
        """From a frame to its labels in a pipeline, each part having a core of its own."""
        return cut.longest + self.fuse + self.decode

    def cuts(self) -> list[Cut]:
        """Every way to cut the net at the ends of its stages, those of fewest parts first, most even first."""
        inner = range(1, len(self.stages))
        found = [self.cut(places) for parts in inner for places in combinations(inner, parts)]
        return sorted(found, key=lambda cut: (len(cut.stages), cut.longest))

    def cut(self, places: Sequence[int]) -> Cut:
        """The net cut before the stages `places`."""
        bounds = [0, *places, len(self.stages)]
        times = tuple(sum(self.stages[start:end]) for start, end in pairwise(bounds))
        return Cut(tuple(self.ends[place - 1] for place in places), times)


def measure_stages(model: Staged, image: np.ndarray, rounds: int) -> StageTimes:
    """The least time of every part of a net on one picture, (H, W, 3) uint8, of so many rounds in which all take turns.

    The least, because whatever else the machine does only adds; the first round allocates and does not count.
    """
    times = [one_round(model, image) for _ in range(rounds + 1)][1:]
    *stages, fuse, decode = (1000 * min(column) for column in zip(*times, strict=True))
    return StageTimes(tuple(ends(model)), tuple(stages), fuse, decode)


def one_round(model: Staged, image: np.ndarray) -> list[float]:
    """The seconds that each stage, the fusion and the decoding took."""
    clock = [time.perf_counter()]
    states: list[Maps] = []
    given = image[None]
    for stage in model.stages:
        states.append(run_stage(stage, given))
        given = states[-1].get(FEATURES, given)
        clock.append(time.perf_counter())
    scores = fused(model, states)
    clock.append(time.perf_counter())
    decoded(model, scores, image)
    clock.append(time.perf_counter())
    return [after - before for before, after in pairwise(clock)]


def ends(model: Staged) -> list[int]:
    """The stride at which each stage ends: that of its coarsest stream."""
    return [max(stride_of(out.name) for out in stage.get_outputs() if out.name != FEATURES) for stage in model.stages]
