"""How the command ends: asked to stop it stops as on Ctrl-C, and it does not outlive the DVC that started it."""

import os
import signal
import sys
from types import FrameType

# prctl's request for a signal to this process when its parent ends, on Linux.
PR_SET_PDEATHSIG = 1
# DVC sets it for the commands of its stages.
STAGE = "DVC_STAGE"


def install_signal_handlers() -> None:
    """Make SIGTERM the same as Ctrl-C and, in a stage of DVC's, the end of DVC the end of this process.

    A DVC that is killed can stop nothing that it started: a training would go on, with the GPU, beside the next one.
    """
    signal.signal(signal.SIGTERM, raise_interrupt)
    if STAGE in os.environ and sys.platform == "linux":
        import ctypes

        # Not SIGTERM, which a library that is being imported may swallow: whatever is killed here can go on later.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
