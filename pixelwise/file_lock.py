"""Locks on files between processes. The kernel frees a lock when its holder dies, so a kill leaves nothing behind."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(path: Path, waits: bool = True) -> Iterator[bool]:
    """Hold the lock `path` during the block. Yields False if another process holds it and `waits` is False."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield lock(file.fileno(), waits)


def lock(file: int, waits: bool = True) -> bool:
    """Lock the open `file` until it is closed. Returns False if another process holds it and `waits` is False."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
