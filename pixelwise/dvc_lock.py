"""DVC's list of who works on which file, which a DVC that is killed as it writes it leaves cut."""

import json
from pathlib import Path

from pixelwise.file_lock import hold_lock

RWLOCK = Path(".dvc/tmp/rwlock")
# Held by whoever reads or writes the list.
RWLOCK_GUARD = Path(".dvc/tmp/rwlock.lock")


def remove_truncated_lock(project: Path) -> None:
    """Remove the list of `project` where it is cut: DVC writes it in place, and then refuses all work until it is gone.

    What is lost with it is who worked when it was cut; DVC strikes out the dead by itself.
    """
    file = project / RWLOCK
    if not file.is_file():
        return
    # Else one that another DVC is about to write would look cut.
    with hold_lock(project / RWLOCK_GUARD):
        try:
            json.loads(file.read_text())
        except ValueError:
            file.unlink()
