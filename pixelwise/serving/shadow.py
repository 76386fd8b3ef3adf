"""A challenger that labels what the champion labelled, beside the answers, and how much the two disagree."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pixelwise.errors import ModelError
from pixelwise.serving.answers import Labelled
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.models import Served
from pixelwise.serving.side_work import SideWork
from pixelwise.serving.watcher import require_same_requests
from pixelwise.watching.rows import Compared, compare

# Pictures that wait for the challenger. A slow one sees a sample of the requests.
PLACES = 4
# The lowest priority: on a CPU the challenger gets what the champion leaves.
NICE = 19


class Shadow:
    """Labels with `challenger` what was answered by another model, and passes the comparison to `write`."""

    def __init__(self, challenger: Served, metrics: Metrics, write: Callable[[Compared], None]) -> None:
        self.challenger, self.metrics, self.write = challenger, metrics, write
        count = metrics.shadowed.labels
        self.side = SideWork("shadow", self.compare, PLACES, count("dropped").inc, lower_priority)

    def offer(self, labelled: Labelled) -> None:
        """Queue a picture that the champion labelled; one that the challenger answered has nothing to compare."""
        if labelled.served.sha256 != self.challenger.sha256:
            self.side.offer(labelled)

    def compare(self, labelled: Labelled) -> None:
        """Label a picture with the challenger, and count where the two differ."""
        champion, model = labelled.served, self.challenger.model
        try:
            prediction = model.predict(labelled.image[None])[0]
        except Exception:
            self.metrics.shadowed.labels("failed").inc()
            raise
        row = compare(labelled.prediction, prediction, champion.sha256, self.challenger.sha256, len(model.names))
        self.metrics.shadowed.labels("compared").inc()
        self.metrics.shadow_pixels.inc(prediction.size)
        self.metrics.shadow_differing.inc(prediction.size - sum(row.both))
        for name, one, other, both in zip(model.names, row.champion, row.challenger, row.both, strict=True):
            self.metrics.shadow_class_pixels.labels(name).inc(one + other - both)
            self.metrics.shadow_class_differing.labels(name).inc(one + other - 2 * both)
        self.write(row)


def require_comparable(challenger: Served, champion: Served) -> None:
    """Raise ModelError where the labels of the two cannot be compared pixel by pixel."""
    require_same_requests(challenger, champion)
    if not champion.model.names:
        raise ModelError(f"shadow: {champion} has no classes of its own to compare, expected a model with classes")
    if challenger.model.names != champion.model.names:
        found, expected = (", ".join(served.model.names) for served in (challenger, champion))
        raise ModelError(f"{challenger}: found classes {found}, expected those of {champion}: {expected}")


def open_in_background(open_model: Callable[[], Served]) -> Served:
    """Open a model in a thread of the lowest priority: the threads of its session inherit that."""
    with ThreadPoolExecutor(1, "shadow", lower_priority) as pool:
        return pool.submit(open_model).result()


def lower_priority() -> None:
    """Give this thread the lowest priority, where the system has one for each thread, as Linux does."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
