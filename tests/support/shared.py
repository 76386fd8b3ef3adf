"""What takes long to make, made once a test run and shared by all its workers."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


class Shared:
    """Folders below `root` that several test processes use: whoever needs one first makes it, and the others wait."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str, build: Callable[[Path], object]) -> Path:
        """The folder `name`, which `build` fills where no process did yet. Nobody may write to it afterwards."""
        made, part = self.root / name, self.root / f"{name}.part"
        with FileLock(self.root / f"{name}.lock"):
            if not made.exists():
                # Left by a process whose `build` failed.
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                build(part)
                part.rename(made)
        return made
