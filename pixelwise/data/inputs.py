"""The pictures and videos that a user names on the command line: files, folders of them, cameras and streams."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.image_codec import SUFFIXES
from pixelwise.data.kinds import VIDEO_SUFFIXES, find_kind
from pixelwise.data.walk import describe_passed_over, walk
from pixelwise.errors import DataError


@dataclass(frozen=True)
class Input:
    """One picture or video. name: path of its results below the output folder, without their endings."""

    path: Path
    name: Path

    @property
    def is_video(self) -> bool:
        """Whether the input has frames: it is a video or a live source."""
        return is_stream(self.path) or (self.path.is_file() and find_kind(self.path) == "video")


@dataclass(frozen=True)
class Inputs:
    """The files to predict, and a line about the files that were passed over; "" where there are none."""

    found: tuple[Input, ...]
    passed_over: str


def find_inputs(given: Sequence[Path], output: Path) -> Inputs:
    """List the files to predict, each once, with distinct names for their results.

    Raises DataError where a folder holds no picture or video outside `output`.
    """
    files: dict[Path, Path] = {}
    passed_over: Counter[str] = Counter()
    for path in given:
        for file in search(path, output, passed_over) if path.is_dir() else [path]:
            relative = file.relative_to(path) if path.is_dir() else Path("stream" if str(path) == "-" else file.name)
            # Keyed by the absolute path, so that a file given twice is predicted once.
            files.setdefault(file if is_stream(file) else file.absolute(), relative)
    names = name_results(list(files.values()))
    found = tuple(Input(file, name) for file, name in zip(files, names, strict=True))
    return Inputs(found, describe_passed_over(passed_over))


def search(folder: Path, output: Path, passed_over: Counter[str]) -> Sequence[Path]:
    """List the pictures and videos in `folder` and below, outside `output`; count the other files in `passed_over`.

    Raises DataError where there are none.
    """
    if folder.resolve().is_relative_to(output.resolve()) and walk(folder).files:
        raise DataError(f"{folder}: all pictures and videos lie in the output {output}, expected another --output")
    found = walk(folder, outside=output)
    if not found.files:
        others = f" ({found.describe_passed_over()})" if found.passed_over else ""
        expected = " ".join((*SUFFIXES, *VIDEO_SUFFIXES))
        raise DataError(f"{folder}: no picture or video{others}, expected files ending in {expected}")
    passed_over.update(found.passed_over)
    return found.files


def name_results(relative: Sequence[Path]) -> Iterator[Path]:
    """Yield a distinct name for each file: without suffix; with it where two would be equal; else numbered."""
    stems = Counter(str(path.with_suffix("")).casefold() for path in relative)
    taken: set[str] = set()
    for path in relative:
        plain = path.with_suffix("")
        base = name = plain if stems[str(plain).casefold()] == 1 else path
        number = 2
        while str(name).casefold() in taken:
            name, number = base.with_name(f"{base.name}-{number}"), number + 1
        taken.add(str(name).casefold())
        yield name


def is_stream(path: Path) -> bool:
    """Whether `path` is a live source of frames: standard input, a camera or a named pipe."""
    return str(path) == "-" or path.is_char_device() or path.is_fifo()
