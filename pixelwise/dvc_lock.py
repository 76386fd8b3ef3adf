"""DVC's rwlock file, which lists the files in use. DVC leaves it truncated when it is killed while writing it."""

import json
from pathlib import Path

from pixelwise.file_lock import hold_lock

RWLOCK = Path(".dvc/tmp/rwlock")
# DVC holds this lock while it reads or writes the list.
RWLOCK_GUARD = Path(".dvc/tmp/rwlock.lock")


def remove_truncated_lock(project: Path) -> None:
    """Remove the rwlock file of `project` if it is not valid JSON: DVC refuses all work while it is truncated.

    Only entries of processes that ran at the time are lost; DVC itself ignores entries of dead processes.
    """
    file = project / RWLOCK
    if not file.is_file():
        return
    # Without the lock, a file that another DVC is writing would look truncated.
    with hold_lock(project / RWLOCK_GUARD):
        try:
            json.loads(file.read_text())
        except ValueError:
            file.unlink()
