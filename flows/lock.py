"""One run at a time of what must not run twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PIPELINE_LOCK = Path(".state/pipeline.lock")


@contextmanager
def run_lock(path: Path) -> Iterator[bool]:
    """True where the lock in the file `path` is ours until the block ends, False where another run holds it.

    The kernel frees it when its holder dies, so a killed run leaves nothing to clean up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not is_locked(file.fileno()):
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield True


def is_locked(file: int) -> bool:
    """Whether the lock of an open file is ours now; another holder is not waited for."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
