"""Times of calls that take turns, and how times are written: median (p10–p90), ratios of the same turn, the machine."""

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
    """The median of some values, and their tenth and ninetieth percentile."""

    median: float
    p10: float
    p90: float

    def __format__(self, digits: str) -> str:
        """`12.3 (11.9–14.0)`; `digits` formats each of the three."""
        return f"{self.median:{digits}} ({self.p10:{digits}}–{self.p90:{digits}})"

    def as_json(self) -> dict[str, float]:
        """The three by name."""
        return asdict(self)


def measure_spread(values: Sequence[float] | np.ndarray) -> Spread:
    """The spread of `values`."""
    low, median, high = np.percentile(values, [10, 50, 90])
    return Spread(float(median), float(low), float(high))


def measure_ratio(times: Sequence[float], reference: Sequence[float]) -> Spread:
    """The spread of `times` over `reference`, turn by turn: what drifts with the machine cancels in a pair."""
    return measure_spread(np.asarray(times) / np.asarray(reference))


def take_turns(
    calls: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 0, words: str = ""
) -> dict[str, list[float]]:
    """Milliseconds of every call in turns, so that the machine's drift hits all alike; `warmup` turns do not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in progress(range(warmup + repeats), words) if words else range(warmup + repeats):
        for name, call in calls.items():
            started = perf_counter()
            call()
            times[name] += [1000 * (perf_counter() - started)] if turn >= warmup else []
    return times


def describe_machine() -> str:
    """`2 cores of Intel(R) Xeon(R) Processor @ 2.10GHz, Linux`."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {models[0] if models else platform.machine()}, {platform.system()}"
