"""Open what a user points at: prepared data, a data set in any known format, or plain pictures."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.data.archives import open_root
from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.image_codec import SUFFIXES
from pixelwise.data.item_inspection import Accepted, Rejected, inspect_item
from pixelwise.data.items import UNLABELLED, Classes, Item, RawData
from pixelwise.data.kinds import Kind, find_kind
from pixelwise.data.layout_proposal import propose_reading
from pixelwise.data.prepared import DATASET_FILE, QUARANTINE_FILE, PreparedData
from pixelwise.data.readers import read_dataset
from pixelwise.data.recognition import Recognised, recognise
from pixelwise.data.walk import walk
from pixelwise.errors import DataError
from pixelwise.progress import progress
from pixelwise.validation.data_summary import read_quarantine, require_manifest

PREPARED, PICTURES = "prepared", "pictures"
KIND: Kind = "picture"


@dataclass(frozen=True)
class Source:
    """Data that can be inspected.

    format: a data set of `ingest.dataset`, PREPARED or PICTURES. why: what shows the format. splits: split -> all its
    items. notes: decisions of the reader and other readings, complete once all results are read. faults: why a
    recognised data set cannot be read. rejected: unusable items that are known before.
    """

    format: str
    why: str
    classes: Classes
    splits: Mapping[str, int]
    results: Iterator[Accepted | Rejected]
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of items."""
        return sum(self.splits.values())


def open_source(path: Path, work: Path, most: int, max_pixels: int) -> Source:
    """Open the data at `path`: a folder, an archive (unpacked under `work`), a video or a picture.

    most: items of each split that are read, evenly spread. Raises DataError where there is no picture.
    """
    if (path / DATASET_FILE).is_file():
        return open_prepared(path, most)
    root = path if path.is_file() and find_kind(path) == "video" else open_root(path, work)
    readable, faults = find_readable(root)
    if not readable:
        return open_pictures(root, faults, most, max_pixels)
    (first, raw), *others = readable
    notes = [f"could also be read as {other.dataset}: {other.reason}" for other, _ in others]
    items = choose(list(raw.items), most)
    results = (inspect_item(item, raw, max_pixels) for item in progress(items, f"look at {first.dataset}"))
    looked = collect_notes(results, raw, notes)
    return Source(first.dataset, first.reason, raw.classes, count_splits(raw.items), looked, notes, faults)


def find_readable(root: Path) -> tuple[list[tuple[Recognised, RawData]], list[str]]:
    """Read the data sets that `root` holds, the most specific first; and why recognised ones cannot be read."""
    readable, faults = [], []
    for found in [Recognised("video", "a video")] if root.is_file() else recognise(root):
        try:
            readable.append((found, read_dataset(found.dataset, root)))
        except DataError as error:
            faults.append(f"{found.dataset} cannot be read: {error}")
    if not readable and not faults and (proposal := propose_reading(root)):
        faults.append(proposal)
    return readable, faults


def collect_notes(
    results: Iterator[Accepted | Rejected], raw: RawData, notes: list[str]
) -> Iterator[Accepted | Rejected]:
    """Yield the results, and then add what the reader decided by itself to `notes`."""
    yield from results
    notes += raw.notes.lines()


def choose(items: list[Item], most: int) -> list[Item]:
    """Choose at most `most` items of each split, evenly spread, in order."""
    of_split: dict[str, list[Item]] = {}
    for item in items:
        of_split.setdefault(item.split, []).append(item)
    return [mine[place] for mine in of_split.values() for place in sample_evenly(len(mine), most)]


def count_splits(items: Iterable[Item]) -> dict[str, int]:
    """Split -> number of items."""
    return dict(Counter(item.split for item in items))


def open_prepared(path: Path, most: int) -> Source:
    """Open prepared data. Raises DataError if it is damaged."""
    data = PreparedData(path)
    require_manifest(path, data)
    splits = [(data.split(name), place) for name in data.splits for place in sample_evenly(len(data.split(name)), most)]
    rejected, _ = read_quarantine(path / QUARANTINE_FILE)
    cells = (
        Accepted(split.rows[place], dict(zip(("image", "label"), split.read(place, "image", "label"), strict=True)))
        for split, place in progress(splits, f"look at {data.name}")
    )
    counts = {name: len(data.split(name)) for name in data.splits}
    known = [Rejected(row["id"], row["split"], row["file"], row["reason"]) for row in rejected]
    why = f"{DATASET_FILE}, written by `pixelwise ingest` from {data.name}"
    return Source(PREPARED, why, data.classes, counts, cells, rejected=known)


def open_pictures(root: Path, faults: list[str], most: int, max_pixels: int) -> Source:
    """Open a folder of pictures without labels. Raises DataError, which names the `faults`, where there is none."""
    found = walk(root, kinds=(KIND,))
    if not found.files:
        passed = found.describe_passed_over()
        reasons = "; ".join(filter(None, [*faults, passed])) or "nothing"
        raise DataError(f"{root}: no data set and no picture, found {reasons}; expected {' '.join(SUFFIXES)}")
    items = [Item(file.relative_to(root).as_posix(), PICTURES, file, UNLABELLED) for file in found.files]
    raw = RawData(PICTURES, Classes((), ()), items, {})
    results = (inspect_item(item, raw, max_pixels) for item in progress(choose(items, most), "look at pictures"))
    notes = list(filter(None, [found.describe_passed_over()]))
    why = "no labelled data set that can be read was found"
    return Source(PICTURES, why, raw.classes, count_splits(items), results, notes, faults)
