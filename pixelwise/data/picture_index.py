"""Find the pictures that annotations name: labelling tools write relative, absolute, Windows' and server paths."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from pixelwise.data.items import ImagePart
from pixelwise.data.kinds import find_kind_by_suffix
from pixelwise.data.notes import Notes
from pixelwise.data.split_names import find_split_of_path
from pixelwise.data.walk import list_files, require_text
from pixelwise.errors import DataError


class PictureIndex:
    """All visible files below `root`, by relative path and by name. A name never leads outside `root`.

    Raises DataError at a file whose name is not UTF-8.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = {file.relative_to(root).as_posix(): file for file in list_files(root, Counter())}
        require_text(root, list(self.files))
        self.of_name: dict[str, list[str]] = defaultdict(list)
        self.of_stem: dict[str, list[str]] = defaultdict(list)
        for path, file in self.files.items():
            self.of_name[file.name].append(path)
            if find_kind_by_suffix(file) == "picture":
                self.of_stem[file.stem.casefold()].append(path)

    def note_unused(self, used: Collection[Path | ImagePart], notes: Notes) -> None:
        """Note the pictures that are not among the `used` files, since they are left out."""
        for path, file in self.files.items():
            if find_kind_by_suffix(file) == "picture" and file not in used:
                notes.add("pictures that no annotation file names, left out", path)

    def locate(self, name: str, folders: Sequence[str], split: str = "") -> tuple[Path, str]:
        """Find the picture called `name` as `find` does, or the path expected; and its fault, "" if none."""
        if "\0" in name:
            return self.root, f"{name!r}, expected the name of a picture"
        expected = Path(self.root, folders[0], *split_name(name))
        try:
            if found := self.find(name, folders, split):
                return found, ""
        except DataError as error:
            return expected, str(error)
        alike = [path for path in self.of_stem[expected.stem.casefold()] if PurePosixPath(path).name != expected.name]
        return expected, f"missing, found {alike[0]}, expected the same suffix and case" if alike else ""

    def split_of(self, path: str) -> str:
        """The split that a folder of a relative path is named after; "" if none is."""
        return find_split_of_path(self.files[path], self.root)

    def holds(self, file: Path) -> bool:
        """Whether `file` is one of the files."""
        return file.is_relative_to(self.root) and file.relative_to(self.root).as_posix() in self.files

    def find(self, name: str, folders: Sequence[str], split: str = "") -> Path | None:
        """Find the picture called `name` below one of `folders`, in their order, or else anywhere but in another split.

        Raises DataError naming two pictures of which each could be meant.
        """
        parts = split_name(name)
        for folder in folders if parts else ():
            path = PurePosixPath(folder, *parts).as_posix()
            if path in self.files:
                return self.files[path]
        # Of a path on another machine, only the end stands here.
        for start in range(len(parts) if is_elsewhere(name) else min(1, len(parts))):
            found = self.list_ending("/".join(parts[start:]), split)
            if len(found) > 1:
                raise DataError(f"{name}: found {found[0]} and {found[1]}, expected one picture of this name")
            if found:
                return self.files[found[0]]
        return None

    def list_ending(self, end: str, split: str) -> list[str]:
        """List the paths that end with the parts of `end`, without those of another split."""
        alike = [path for path in self.of_name.get(end.rpartition("/")[2], []) if f"/{path}".endswith(f"/{end}")]
        return [path for path in alike if not split or self.split_of(path) in ("", split)]


def split_name(name: str) -> tuple[str, ...]:
    """Split a path as tools write it into its parts, without drive, root and steps upwards."""
    parts = PurePosixPath(name.replace("\\", "/").partition("?")[0]).parts
    return tuple(part for part in parts if part not in ("/", "//", "..") and not part.endswith(":"))


def is_elsewhere(name: str) -> bool:
    """Whether a path starts at a root, a drive or a server, or leads upwards: it holds on the machine that wrote it."""
    return name.startswith(("/", "\\", "..")) or ":" in name or "/../" in name.replace("\\", "/")


def normalise_name(name: str) -> str:
    """The relative path, with slashes, that identifies a picture called `name`."""
    return "/".join(split_name(name))
