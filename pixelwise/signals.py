"""Signal handling of a command: SIGTERM acts like Ctrl-C, and a stage's process ends with the DVC that started it."""

import os
import signal
import sys
from types import FrameType

# prctl's request for a signal to this process when its parent ends, on Linux.
PR_SET_PDEATHSIG = 1
# DVC sets this variable for the commands of its stages.
STAGE = "DVC_STAGE"


def install_signal_handlers() -> None:
    """Make SIGTERM raise KeyboardInterrupt. In a DVC stage on Linux, let the kernel kill this process with DVC.

    A killed DVC cannot stop its children: a training would keep the GPU and run beside the next training.
    """
    signal.signal(signal.SIGTERM, raise_interrupt)
    if STAGE in os.environ and sys.platform == "linux":
        import ctypes

        # SIGKILL, since a library that is being imported may swallow SIGTERM. Every killed step can be resumed.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Ctrl-C does."""
    raise KeyboardInterrupt
