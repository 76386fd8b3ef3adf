"""Walk a folder: the one rule for every reader and verb of which files in it are pictures and videos.

Links are followed. Hidden names, and what operating systems and notebooks leave behind, are skipped. All other files
that are not read are counted, so that the user learns of them.
"""

import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from pixelwise.data.kinds import KINDS, find_kind
from pixelwise.errors import DataError

# Compared in lower case. Names that start with a dot are hidden too.
HIDDEN = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "__pycache__"})
BROKEN_LINK, UNREADABLE, SPECIAL = "broken link", "unreadable folder", "special file"
DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Walk:
    """The files found in a folder, in natural order, and the number of others by suffix or reason."""

    files: tuple[Path, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def describe_passed_over(self) -> str:
        """Return a line such as `passed over: 3 .heic, 2 .txt`; "" where every file was read."""
        return describe_passed_over(self.passed_over)


def walk(root: Path, kinds: Collection[str] = KINDS, outside: Path | None = None) -> Walk:
    """Find the files of `kinds` in the folder `root` and below, but not those in the folder `outside`."""
    files: list[Path] = []
    passed_over: Counter[str] = Counter()
    for file in list_files(root, passed_over, outside):
        if find_kind(file) in kinds:
            files.append(file)
        else:
            passed_over[file.suffix.lower() or "without suffix"] += 1
    return Walk(tuple(files), passed_over)


def list_files(root: Path, passed_over: Counter[str], outside: Path | None = None) -> Iterator[Path]:
    """List the visible regular files in `root` and below, in natural order; count in `passed_over` what is neither.

    A folder that is linked to from inside itself is not entered again.
    """
    barrier = outside.resolve() if outside else None

    def descend(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
        try:
            inside = sorted(folder.iterdir(), key=lambda path: make_natural_key(path.name))
        except OSError:
            passed_over[UNREADABLE] += 1
            return
        for path in inside:
            if is_hidden(path.name):
                continue
            mode = find_mode(path)
            if mode == stat.S_IFREG:
                yield path
            elif isinstance(mode, str):
                passed_over[mode] += 1
            elif (real := path.resolve()) not in above and real != barrier:
                yield from descend(path, (*above, real))

    yield from descend(root, (root.resolve(),))


def find_mode(path: Path) -> int | str:
    """Return stat.S_IFREG or stat.S_IFDIR, links followed, or the reason why `path` is neither."""
    try:
        mode = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return BROKEN_LINK
    return mode if mode in (stat.S_IFREG, stat.S_IFDIR) else SPECIAL


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Find the visible paths below `folder` that match `pattern` of Path.glob, in natural order."""
    found = (path for path in folder.glob(pattern) if not any(map(is_hidden, path.relative_to(folder).parts)))
    return sort_naturally(found)


def sort_naturally(paths: Iterable[Path]) -> list[Path]:
    """Sort paths in natural order: frame2 before frame10, a file before those of a later folder."""
    return sorted(paths, key=lambda path: [make_natural_key(part) for part in path.parts])


def make_natural_key(name: str | PurePath) -> tuple[list[str | int], str]:
    """Key of the natural order of one name: digits compare as numbers; equal numbers then compare as written."""
    parts = DIGITS.split(str(name))
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], str(name)


def is_hidden(name: str) -> bool:
    """Whether a name is hidden or left behind by an operating system or a notebook."""
    return name.startswith(".") or name.lower() in HIDDEN


def describe_passed_over(counts: Mapping[str, int]) -> str:
    """Return a line such as `passed over: 3 .heic, 2 .txt`, the largest count first; "" where nothing was."""
    most_first = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return f"passed over: {', '.join(f'{count} {what}' for what, count in most_first)}" if counts else ""


def require_text(folder: Path, names: list[str]) -> None:
    """Raise DataError at a name that is not UTF-8, because the manifest and messages cannot contain it."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{folder}: found the file name {name!r}, expected UTF-8; rename it") from None
