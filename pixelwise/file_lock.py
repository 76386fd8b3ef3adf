"""Locks on files between processes. The kernel frees a lock when its holder dies, so a kill leaves nothing behind."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(path: Path, waits: bool = True) -> Iterator[bool]:
    """Hold the lock `path` for the block, which gets False if another process holds it and this one does not wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield lock(file.fileno(), waits)


def lock(file: int, waits: bool = True) -> bool:
    """Lock the open `file` until it is closed; False if another process holds it and this one does not wait."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
