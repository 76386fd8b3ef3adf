"""One run of the pipeline at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PIPELINE_LOCK = Path(".state/pipeline.lock")


@contextmanager
def pipeline_lock(project: Path) -> Iterator[bool]:
    """True where the lock of `project` is ours until the block ends, False where another run holds it.

    The kernel frees it when its holder dies, so a killed run leaves nothing to clean up.
    """
    path = project / PIPELINE_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield True
