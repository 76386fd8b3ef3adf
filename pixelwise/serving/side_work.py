"""Work beside the answers: one thread behind a bounded queue, so that no request waits for it."""

import queue
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
# Seconds without work after which `rest` is called.
REST_SECONDS = 5.0


def do_nothing() -> None:
    """Do nothing."""


class SideWork(Generic[T]):
    """Does `work` on each item in a thread of its own. An item that finds the queue full is dropped.

    places: of the queue. drop: called for each dropped item. prepare: called first, in the thread. rest: called while
    there is no work, and at the end.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        places: int,
        drop: Callable[[], None],
        prepare: Callable[[], None] = do_nothing,
        rest: Callable[[], None] = do_nothing,
    ) -> None:
        self.name, self.work, self.drop, self.prepare, self.rest = name, work, drop, prepare, rest
        self.items: queue.Queue[T | None] = queue.Queue(places)
        self.error: str | None = None
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def offer(self, item: T) -> None:
        """Queue an item, or drop it."""
        try:
            self.items.put_nowait(item)
        except queue.Full:
            self.drop()

    def stop(self) -> None:
        """Finish what is queued, and end the thread."""
        self.items.put(None)
        self.thread.join()

    def run(self) -> None:
        """Work until stopped."""
        self.prepare()
        while True:
            try:
                item = self.items.get(timeout=REST_SECONDS)
            except queue.Empty:
                self.attempt(self.rest)
                continue
            if item is None:
                self.attempt(self.rest)
                return
            self.attempt(self.work, item)

    def attempt(self, act: Callable[..., None], *arguments: T) -> None:
        """Call `act`. An error is logged once in a row: a full disk must not end the service, or fill its log."""
        try:
            act(*arguments)
            self.error = None
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if reason != self.error:
                print(f"serve: {self.name}: {reason}", file=sys.stderr, flush=True)
            self.error = reason
