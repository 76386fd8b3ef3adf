"""Locate a data set: a folder, or an archive that is unpacked with checks against unsafe members."""

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.data.walk import is_hidden, make_natural_key
from pixelwise.errors import DataError
from pixelwise.progress import progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
DAMAGE_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits on an archive's content. A label map of one class packs 100:1, an archive bomb 1000:1 and more."""

    total_bytes: int = 500 * 2**30
    members: int = 5_000_000
    ratio: int = 200
    ratio_from: int = 64 * 2**20  # bytes; a smaller unpacked size is harmless at any ratio


@dataclass(frozen=True)
class Member:
    """One entry of an archive, with the name that the archive gives. `extract` writes it under a folder."""

    name: str
    bytes: int
    is_plain: bool  # a file or a folder, no link, device or pipe
    extract: Callable[[Path], object]


def open_root(root: Path | None, work: Path) -> Path:
    """Return the folder of a data set: `root` itself, or a folder under `work` where the archive `root` is unpacked.

    Raises DataError if `root` is neither a folder nor an archive, or if the archive is damaged or unsafe.
    """
    if root is None:
        raise DataError("root: found none, expected the folder or archive of the data set")
    if root.is_dir() and os.access(root, os.R_OK | os.X_OK):
        return root
    if not root.is_file():
        raise DataError(f"root {root}: no such folder or archive, or not readable")
    if not root.name.lower().endswith(SUFFIXES):
        raise DataError(f"root {root}: not a folder nor an archive, expected one of: {' '.join(SUFFIXES)}")
    return unpack(root, work / "unpacked")


def unpack(archive: Path, out: Path, limits: ArchiveLimits | None = None) -> Path:
    """Unpack `archive` into the new folder `out` and return it; `out` appears only when it is complete.

    Raises DataError at a damaged archive, a path that leads out of the folder, a link, a device, or an excess over
    `limits`.
    """
    partial = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        extract_all(archive, partial, limits or ArchiveLimits())
        partial.replace(out)
    except DAMAGE_ERRORS as error:
        raise DataError(f"archive {archive.name}: {' '.join(str(error).split())}, expected a whole archive") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def extract_all(archive: Path, out: Path, limits: ArchiveLimits) -> None:
    """Write all members under `out`; check each member and the running totals before writing."""
    packed, total = archive.stat().st_size, 0
    for count, member in enumerate(progress(read_members(archive), f"unpack {archive.name}"), start=1):
        require_safe(archive, member)
        total += member.bytes
        if total > limits.total_bytes or count > limits.members:
            raise DataError(f"archive {archive.name}: over {limits.total_bytes:,} bytes or {limits.members:,} members")
        if total > limits.ratio_from and total > packed * limits.ratio:
            raise DataError(f"archive {archive.name}: unpacks to over {limits.ratio} times its size, expected pictures")
        member.extract(out)


def require_safe(archive: Path, member: Member) -> None:
    """Raise DataError if a member would be written outside its folder, or is not a file or folder."""
    path = PurePosixPath(member.name)
    # A backslash or a colon has a meaning in Windows paths only, and no data set needs one.
    if path.is_absolute() or ".." in path.parts or any(sign in member.name for sign in "\\:\0"):
        raise DataError(f"archive {archive.name}: member {member.name!r} leads out of its folder")
    if not member.is_plain:
        raise DataError(f"archive {archive.name}: member {member.name!r} is a link or device, expected files only")


def read_members(archive: Path) -> Iterator[Member]:
    """Iterate over the entries of a zip or tar, in archive order."""
    return read_zip_members(archive) if zipfile.is_zipfile(archive) else read_tar_members(archive)


def read_zip_members(archive: Path) -> Iterator[Member]:
    """Iterate over the entries of a zip; `zipfile` never writes more bytes than an entry declares."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            yield Member(
                name=entry.filename,
                bytes=entry.file_size,
                is_plain=kind in (0, stat.S_IFREG, stat.S_IFDIR),
                extract=lambda out, entry=entry: opened.extract(entry, out),  # type: ignore[misc]
            )


def read_tar_members(archive: Path) -> Iterator[Member]:
    """Iterate over the entries of a tar while it is read, so that the limits apply before the whole tar is unpacked."""
    with tarfile.open(archive) as opened:
        for entry in opened:
            yield Member(
                name=entry.name,
                bytes=entry.size,
                is_plain=entry.isreg() or entry.isdir(),
                extract=lambda out, entry=entry: opened.extract(entry, out, filter="data"),  # type: ignore[misc]
            )


def find_folder(root: Path, holds: Callable[[Path], bool], what: str, depth: int = 3) -> Path:
    """Find the folder nearest to `root`, `root` itself or up to `depth` levels below, for which `holds` is true.

    Archives and repositories often wrap a data set in extra folders. Raises DataError with `what` was expected.
    """
    level = [root]
    for _ in range(depth + 1):
        for folder in level:
            if holds(folder):
                return folder
        level = [folder / name for folder in level for name in list_subfolders(folder)]
    raise DataError(f"root {root}: not found here or {depth} folders below: {what}")


def list_subfolders(folder: Path) -> list[str]:
    """Names of the readable, not hidden folders in `folder`, in natural order."""
    with os.scandir(folder) as entries:
        folders = [entry for entry in entries if entry.is_dir() and os.access(entry.path, os.R_OK | os.X_OK)]
    return sorted((entry.name for entry in folders if not is_hidden(entry.name)), key=make_natural_key)
