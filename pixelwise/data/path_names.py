"""Names of pictures are their paths: a shorter name means the one path that ends in it, or nothing."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath

from pixelwise.errors import DataError


def match_names(names: Iterable[str], pictures: Sequence[Path], where: str) -> dict[str, Path]:
    """Match each name, a path or its end such as `camera0/0000.png`, to the one of `pictures` that it means.

    where: what has the names, for messages. Raises DataError if a name means no picture or several, or if two names
    mean one.
    """
    found: dict[str, Path] = {}
    for name in names:
        matching = [picture for picture in pictures if ends_in(picture.absolute(), PurePath(name))]
        if not matching:
            raise DataError(f"{where}: {name} is not among the pictures")
        if len(matching) > 1:
            raise DataError(f"{where}: {name} means {matching[0]} and {matching[1]}, expected its folder too")
        other = next((other for other, picture in found.items() if picture == matching[0]), None)
        if other is not None:
            raise DataError(f"{where}: {other} and {name} both mean {matching[0]}, expected one name")
        found[name] = matching[0]
    return found


def match_files(pictures: Sequence[Path], folder: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Match each picture to the one of `files` in `folder` of its path, without suffixes; the longest path counts.

    Raises DataError if a picture has no file or two, or if one file would belong to several pictures.
    """
    found: dict[Path, Path] = {}
    for picture in pictures:
        best = find_longest(
            picture.absolute().with_suffix(""), files, lambda file: file.relative_to(folder).with_suffix("")
        )
        if not best:
            raise DataError(f"{folder}: no file for {picture}, expected {picture.with_suffix('.png').name}")
        if len(best) > 1:
            raise DataError(f"{picture}: found {best[0]} and {best[1]}, expected one file of its name")
        for other, file in found.items():
            if file == best[0]:
                raise DataError(f"{file}: belongs to {other} and {picture}, expected one of their folders in its path")
        found[picture] = best[0]
    return found


def find_longest(path: Path, files: Iterable[Path], name: Callable[[Path], PurePath]) -> list[Path]:
    """The files whose names `path` ends in, of the longest such name."""
    matching = [file for file in files if ends_in(path, name(file))]
    most = max((len(name(file).parts) for file in matching), default=0)
    return [file for file in matching if len(name(file).parts) == most]


def ends_in(path: PurePath, name: PurePath) -> bool:
    """Whether the last parts of `path` are those of `name`."""
    parts = [part for part in name.parts if part != "."]
    return bool(parts) and list(path.parts[-len(parts) :]) == parts
