"""Run a command that cannot outlive its parent process: `python -I -S guard.py COMMAND…`.

Standard input is a pipe that the parent holds open and never writes to. When the parent closes it, or dies by any
signal, the pipe ends, and the guard stops the whole process group: DVC, its shell and the training on the GPU.
The parent starts the guard in a new session. The guard imports nothing of the project, so that it starts in
milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0


def stop_when_abandoned() -> None:
    """Wait for the pipe to end, then send the group SIGTERM and, after GRACE_SECONDS, SIGKILL (this process too)."""
    # Not sys.stdin: this thread would still hold its lock when the command ends by itself and the interpreter exits.
    os.read(0, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def ignore(_signal: int, _frame: object) -> None:
    """Ignore the group's SIGTERM. This is a handler, since the command would inherit SIG_IGN."""


def main() -> None:
    """Start the command, watch the pipe, and exit with the command's status (128 + N after signal N)."""
    signal.signal(signal.SIGTERM, ignore)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=stop_when_abandoned, daemon=True).start()
    status = command.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
