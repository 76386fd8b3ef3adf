"""How a step's process ends: asked to stop it stops like on Ctrl-C, and it does not outlive the DVC that started it."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# prctl's request for a signal to this process when its parent ends, on Linux.
PR_SET_PDEATHSIG = 1
# DVC sets it for the commands of its stages.
STAGE = "DVC_STAGE"


@contextmanager
def orderly_ending() -> Iterator[None]:
    """Inside the block SIGTERM is Ctrl-C, and under DVC the end of the parent is SIGTERM.

    A DVC that is killed can stop nothing that it started: the training would go on, with the GPU, beside the next one.
    """
    # Handlers belong to the main thread; a step called from another is its caller's to stop.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        if STAGE in os.environ:
            end_with_parent()
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent ends; elsewhere than on Linux nothing is done."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have ended before the kernel was asked.
    if os.getppid() != parent:
        raise KeyboardInterrupt


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
