"""Atomic file writes: a file has its final name only once it is complete."""

import errno
import glob
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced to disk and renamed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_temporaries(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            # Without the sync, a power cut after the rename can leave an empty file under the final name.
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_together(target: Path) -> Iterator[Path]:
    """Yield an empty folder for results, whose names are endings of `target`; on success, all take their places.

    `.label.png` in it becomes `target` + `.label.png`. A result that exists is replaced, a folder as a whole. If the
    block fails, or one of the places cannot be taken, nothing changes.

    Raises OSError naming the place that cannot be taken: its name is too long, or it is a folder and the result a file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_temporaries(target.with_name("results"))
    staging = target.with_name(f".results.{os.getpid()}.tmp")
    staging.mkdir()
    try:
        yield staging
        places = {result: target.with_name(target.name + result.name) for result in sorted(staging.iterdir())}
        for result, place in places.items():
            require_place(place, result.is_dir())
        for result, place in places.items():
            sync(result)
            if place.is_dir():
                shutil.rmtree(place)
            result.replace(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_place(place: Path, is_folder: bool) -> None:
    """Raise OSError if no file, or no folder, can be put at `place`. An existing one of the same kind can."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(place.lstat().st_mode) != is_folder:
            code = errno.ENOTDIR if is_folder else errno.EISDIR
            raise OSError(code, os.strerror(code), str(place))


def sync(result: Path) -> None:
    """Write a file, or the files of a folder, to disk."""
    for path in sorted(result.iterdir()) if result.is_dir() else [result]:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def remove_stale_temporaries(path: Path) -> None:
    """Remove temporary files and folders beside `path` that killed processes left behind."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = stale.name.split(".")[-2]
        if not process.isdecimal() or is_running(int(process)):
            continue
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        # Signal 0 is not delivered; the call only checks that the process exists.
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")
