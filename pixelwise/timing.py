"""Time calls in alternation, and format times: median (p10–p90), ratios per turn, the machine."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from pixelwise.progress import progress


@dataclass(frozen=True)
class Spread:
    """The median, 10th and 90th percentile of values."""

    median: float
    p10: float
    p90: float

    def __format__(self, digits: str) -> str:
        """Format as `12.3 (11.9–14.0)`; `digits` is the format of each number."""
        return f"{self.median:{digits}} ({self.p10:{digits}}–{self.p90:{digits}})"

    def as_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return asdict(self)


def measure_spread(values: Sequence[float] | np.ndarray) -> Spread:
    """The spread of `values`."""
    low, median, high = np.percentile(values, [10, 50, 90])
    return Spread(float(median), float(low), float(high))


def measure_ratio(times: Sequence[float], reference: Sequence[float]) -> Spread:
    """The spread of `times` / `reference` per turn. The machine's drift cancels within a turn."""
    return measure_spread(np.asarray(times) / np.asarray(reference))


@dataclass(frozen=True)
class Engine:
    """A call to time. images: the number of pictures that it labels. compared_with: the engine it is compared with.

    equal_pixels: the share of pixels that both label alike, None for what does not label pictures. provider: on which
    it runs the exported graphs of full precision, None for other engines.
    """

    call: Callable[[], object]
    compared_with: str
    images: int = 1
    equal_pixels: float | None = None
    provider: str | None = None


def take_turns(
    calls: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 0, words: str = ""
) -> dict[str, list[float]]:
    """Time the calls in turns, so that machine drift affects all equally. Returns milliseconds by name.

    `warmup` turns are not counted. `words`: title of the progress bar; none if empty.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in progress(range(warmup + repeats), words) if words else range(warmup + repeats):
        for name, call in calls.items():
            started = perf_counter()
            call()
            times[name] += [1000 * (perf_counter() - started)] if turn >= warmup else []
    return times


def describe_machine() -> str:
    """The machine as text: `2 cores of Intel(R) Xeon(R) Processor @ 2.10GHz, Linux`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {read_processor()}, {platform.system()}"


def read_processor() -> str:
    """The kind of the processor: `Intel(R) Xeon(R) Processor @ 2.10GHz`; the architecture where the system hides it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
