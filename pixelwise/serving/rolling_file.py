"""A file of the newest lines: bounded, complete at any moment, and continued after a restart."""

import threading
import time
from collections import deque
from pathlib import Path

from pixelwise.documents import read_text
from pixelwise.files import write_text

# Some 700 kB where each line has a share of 20 classes.
MOST_LINES = 2000
SAVE_SECONDS = 10.0


class RollingFile:
    """The newest MOST_LINES lines. A killed server loses those of the last SAVE_SECONDS."""

    def __init__(self, file: Path) -> None:
        """Continue `file`, or start it. Raises OSError where it cannot be written."""
        self.file = file
        self.lines = deque(read_text(file).splitlines() if file.is_file() else [], MOST_LINES)
        self.lock = threading.Lock()
        self.has_news = True
        self.saved = 0.0
        self.save()

    def add(self, line: str) -> None:
        """Add a line; save where that is due."""
        with self.lock:
            self.lines.append(line)
            self.has_news = True
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the lines where there are new ones."""
        with self.lock:
            if self.has_news:
                write_text(self.file, "".join(f"{line}\n" for line in self.lines))
                self.has_news, self.saved = False, time.monotonic()
