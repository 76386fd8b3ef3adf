"""Run a command that cannot outlive whoever started it: `python -I -S guard.py COMMAND…`.

Standard input is a pipe that the parent holds open and never writes to. When the parent closes it, or dies by whatever
signal, the pipe ends, and the whole process group is stopped: DVC, its shell and the training on the GPU.
Started in a session of its own; imports nothing of the project, to cost a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0


def stop_when_abandoned() -> None:
    """Wait for the pipe to end, then stop the group: politely, and after GRACE_SECONDS for good (this process too)."""
    # Not sys.stdin: its lock would be held at the end of a command that ends by itself.
    os.read(0, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def ignore(_signal: int, _frame: object) -> None:
    """Outlive the group's SIGTERM. A handler, not SIG_IGN, which the command would inherit."""


def main() -> None:
    """Start the command, watch the pipe, and end as the command ends."""
    signal.signal(signal.SIGTERM, ignore)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=stop_when_abandoned, daemon=True).start()
    status = command.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
