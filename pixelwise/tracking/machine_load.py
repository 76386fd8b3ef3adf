"""The load on the machine during a run: metrics system/… of processor, memory, disk, network and GPU, every 10 s.

MLflow's own monitor contacts the store in each round and stops for good when the store does not answer once.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

RecordMetrics = Callable[[Mapping[str, float], int], None]
SECONDS = 10.0


class MachineLoadMonitor:
    """A thread that records the machine's load until `finish` is called."""

    def __init__(self, record: RecordMetrics, step: int) -> None:
        """Start recording; the first measurement has step `step`."""
        from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL

        self.record, self.step = record, step
        self.seconds = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or SECONDS
        self.monitors, self.is_over = make_monitors(), threading.Event()
        self.thread = threading.Thread(target=self.collect_load, name="load", daemon=True)
        self.thread.start()

    def collect_load(self) -> None:
        """Measure, wait and record in a loop."""
        while True:
            for monitor in self.monitors:
                monitor.collect_metrics()
            if self.is_over.wait(self.seconds):
                return
            values = {name: value for monitor in self.monitors for name, value in monitor.aggregate_metrics().items()}
            self.record({f"system/{name}": value for name, value in values.items()}, self.step)
            self.step += 1
            for monitor in self.monitors:
                monitor.clear_metrics()

    def finish(self) -> None:
        """End the thread."""
        self.is_over.set()
        self.thread.join()


def make_monitors() -> list[Any]:
    """MLflow's monitors for the hardware of this machine."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    # GPUMonitor raises various errors without an NVIDIA GPU or its driver library.
    with suppress(Exception):
        monitors.append(GPUMonitor())
    return monitors
