"""The load on the machine during a run: metrics system/… of processor, memory, disk, network and GPU, every 10 s.

MLflow's own monitor asks the store in each round and ends for good at the first that does not answer.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

RecordMetrics = Callable[[Mapping[str, float], int], None]
SECONDS = 10.0


class MachineLoadMonitor:
    """A thread that tells the load until `finish`."""

    def __init__(self, record: RecordMetrics, step: int) -> None:
        """Start telling, at `step` and those after it."""
        from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL

        self.record, self.step = record, step
        self.seconds = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or SECONDS
        self.monitors, self.is_over = make_monitors(), threading.Event()
        self.thread = threading.Thread(target=self.collect_load, name="load", daemon=True)
        self.thread.start()

    def collect_load(self) -> None:
        """Measure, wait, tell, and again."""
        while True:
            for monitor in self.monitors:
                monitor.collect_metrics()
            if self.is_over.wait(self.seconds):
                return
            found = {name: value for monitor in self.monitors for name, value in monitor.aggregate_metrics().items()}
            self.record({f"system/{name}": value for name, value in found.items()}, self.step)
            self.step += 1
            for monitor in self.monitors:
                monitor.clear_metrics()

    def finish(self) -> None:
        """End the thread."""
        self.is_over.set()
        self.thread.join()


def make_monitors() -> list[Any]:
    """MLflow's monitors of what this machine has."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    found = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    # It raises one of several errors where there is no GPU of NVIDIA's, or nothing to ask it with.
    with suppress(Exception):
        found.append(GPUMonitor())
    return found
