"""The file in which Optuna keeps the trials of a search. Several processes may write to it, and any may be killed."""

from pathlib import Path
from typing import Any

from pixelwise.file_lock import lock


class KernelLock:
    """The lock of a journal in place of Optuna's, which would stay for half a minute after a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: Any = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self.file = self.path.open("a")
        return lock(self.file.fileno())

    def release(self) -> None:
        """Free the lock."""
        self.file.close()


def open_journal(file: Path) -> Any:
    """Open Optuna's storage in `file`, which is created with its folder; remove a last line that a kill cut short."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    file.parent.mkdir(parents=True, exist_ok=True)
    guard = KernelLock(file.with_suffix(".lock"))
    guard.acquire()
    try:
        remove_incomplete_line(file)
    finally:
        guard.release()
    return JournalStorage(JournalFileBackend(str(file), lock_obj=guard))


def remove_incomplete_line(file: Path) -> None:
    """Cut the file after its last line break."""
    content = file.read_bytes() if file.exists() else b""
    if not content.endswith(b"\n") and content:
        with file.open("r+b") as opened:
            opened.truncate(content.rfind(b"\n") + 1)
