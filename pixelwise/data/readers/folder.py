"""A plain folder of images and masks, with a classes.yaml that defines the mask values or colours.

Three layouts: `<split>/images/…` and `<split>/masks/…`; `images/<split>/…` and `masks/<split>/…`; or `images/…` and
`masks/…`, of which a tenth becomes val, in whole clips. Any other is given by templates. An image and its mask have the
same path and may differ in suffix. A folder below `images` is a clip, whose frames are in the natural order of their
names.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pixelwise.data.archives import find_folder
from pixelwise.data.class_file import CLASSES_FILE, read_classes
from pixelwise.data.items import LAST_FRAME, Item, RawData
from pixelwise.data.layout import Found, Layout, Place, choose_layout, name_split
from pixelwise.data.layout_proposal import find_twins, list_pictures, propose_reading
from pixelwise.data.mask_survey import MaskFiles, plan_masks
from pixelwise.data.notes import Notes
from pixelwise.data.read_params import ReadParams
from pixelwise.data.split_names import choose_held_out
from pixelwise.data.walk import Walk, describe_passed_over, make_natural_key, require_text, walk
from pixelwise.errors import DataError


def read(root: Path, reading: ReadParams | None = None) -> RawData:
    """Read the data set under `root`. Raises DataError if classes.yaml or the pictures are missing or inconsistent."""
    folder = find_described(root)
    described = read_classes(folder / CLASSES_FILE)
    notes = Notes()
    layout = find_layout(folder, reading or ReadParams())
    found = find_pictures(folder, layout, notes)
    pairs = list(make_pairs(found, layout, notes))
    masks = MaskFiles([folder / path for path in found.masks.values()])
    plan = plan_masks(masks, described, folder / CLASSES_FILE, notes)
    return RawData("folder", plan.classes, Pairs(folder, pairs), plan.label_values, notes, plan.rule)


def find_described(root: Path) -> Path:
    """Find the folder with classes.yaml. Raises DataError, which proposes its keys where there are images and masks."""
    try:
        return find_folder(root, lambda path: (path / CLASSES_FILE).is_file(), CLASSES_FILE)
    except DataError:
        if proposal := propose_reading(root):
            raise DataError(f"root {root}: {proposal}") from None
        raise


def find_layout(folder: Path, reading: ReadParams) -> Layout:
    """Choose the layout. Raises what `choose_layout` raises, with the keys of folders whose names agree, if any."""
    try:
        return choose_layout(folder, reading)
    except DataError as error:
        if twins := find_twins(list_pictures(folder)):
            raise DataError(f"{error}; found pictures of the same names by {twins}") from None
        raise


def find_pictures(folder: Path, layout: Layout, notes: Notes) -> Found:
    """Find the images and masks of the layout; note what is passed over.

    Raises DataError at a name that is not UTF-8.
    """
    walked = walk(folder, ("picture",))
    paths = [file.relative_to(folder).as_posix() for file in walked.files]
    require_text(folder, paths)
    found = layout.assign(paths)
    for path in found.others:
        notes.add(f"pictures passed over, neither {layout.images.text} nor {layout.masks.text}", path)
    note_passed_over(walked, notes)
    return found


def note_passed_over(walked: Walk, notes: Notes) -> None:
    """Note the files of other kinds, without classes.yaml."""
    suffix = Path(CLASSES_FILE).suffix
    counts = {what: count - (what == suffix) for what, count in walked.passed_over.items()}
    if line := describe_passed_over({what: count for what, count in counts.items() if count}):
        notes.add(line)


class Pair(NamedTuple):
    """An image and its mask: paths below the folder; mask is None if it is missing."""

    id: str
    split: str
    image: str
    mask: str | None
    clip: str
    frame: int


class Pairs:
    """The items of a folder, each made on demand, because stored items would take a kilobyte each."""

    def __init__(self, folder: Path, pairs: list[Pair]) -> None:
        self.folder, self.pairs = folder, pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Item:
        id_, split, image, mask, clip, frame = self.pairs[index]
        label = self.folder / mask if mask else None
        return Item(id_, split, self.folder / image, label, clip=clip, frame=frame)

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self.pairs)))


def make_pairs(found: Found, layout: Layout, notes: Notes) -> Iterator[Pair]:
    """Pair images and masks, by split and in natural order. An image without mask, or the reverse, is a pair too.

    Raises DataError where mask_suffix is missing, and if two folders are one split.
    """
    places = sorted(found.places(), key=lambda place: [*map(make_natural_key, (place.split, *place.name.split("/")))])
    require_masks(found)
    splits = choose_splits(leave_out_unlabelled(places, found, notes), notes)
    frames = number_frames(splits)
    for place, split in splits.items():
        yield Pair(
            id=f"{place.split}/{place.name}" if place.split else place.name,
            split=split,
            image=found.images.get(place) or layout.images.fill(place),
            mask=found.masks.get(place),
            clip=parse_clip(place.name),
            frame=frames[place],
        )


def require_masks(found: Found) -> None:
    """Raise DataError if no mask belongs to an image, but would if `mask_suffix` was given."""
    if not found.images or found.images.keys() & found.masks.keys():
        return
    image = min(found.images)
    for mask, path in found.masks.items():
        if mask.split == image.split and mask.name.startswith(image.name):
            suffix = mask.name.removeprefix(image.name)
            raise DataError(
                f"{found.images[image]}: no mask of its name, found {path}, expected the key mask_suffix: {suffix}"
            )


def leave_out_unlabelled(places: list[Place], found: Found, notes: Notes) -> list[Place]:
    """Leave out the splits without a single mask, such as the test pictures of a competition."""
    labelled = {place.split for place in found.masks}
    for place in places:
        if labelled and place.split not in labelled:
            notes.add(f"pictures of {place.split} left out, which has no mask", place.name)
    return [place for place in places if not labelled or place.split in labelled]


def choose_splits(places: list[Place], notes: Notes) -> dict[Place, str]:
    """Choose the split of each place: its folder's, or where there is none but train, a tenth for val by hash.

    Raises DataError if two folders are the same split.
    """
    folders = {folder: name_split(folder) for folder in dict.fromkeys(place.split for place in places) if folder}
    for split in set(folders.values()):
        if len(same := [folder for folder in folders if folders[folder] == split]) > 1:
            raise DataError(f"found the folders {' and '.join(same)}, expected one for the split {split}")
    if set(folders.values()) - {"train"}:
        return {place: folders[place.split] for place in places}
    val = choose_held_out({parse_clip(place.name) or place.name for place in places})
    if folders and val:
        notes.add("no folder of val: a tenth of train is val")
    if len(places) > 1 and not val:
        notes.add(f"all pictures are one clip, {parse_clip(places[0].name)}, so none is val: expected more folders")
    return {place: "val" if (parse_clip(place.name) or place.name) in val else "train" for place in places}


def number_frames(places: Iterable[Place]) -> dict[Place, int]:
    """Number the frames of each clip, which are in natural order; 0 for a picture outside clips.

    The number is the digits that end the name if the names differ in nothing else, and the place in the clip otherwise.
    """
    clips: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in places:
        clips[place.split, parse_clip(place.name)].append(place)
    frames: dict[Place, int] = {}
    for (_, clip), inside in clips.items():
        frames |= zip(inside, parse_numbers(inside) if clip else [0] * len(inside), strict=True)
    return frames


def parse_numbers(frames: list[Place]) -> Iterable[int]:
    """Parse the numbers that end the names of a clip's frames; their places where these are no numbers of frames."""
    found = [re.fullmatch(r"(.*?)([0-9]+)", PurePosixPath(frame.name).name) for frame in frames]
    numbers = [int(match[2]) for match in found if match]
    differ_in_number = None not in found and len({match[1] for match in found if match}) == 1
    is_numbered = differ_in_number and len(set(numbers)) == len(frames) and max(numbers) <= LAST_FRAME
    return numbers if is_numbered else range(len(frames))


def parse_clip(name: str) -> str:
    """The folders in front of a file's name; "" if there are none."""
    return name.rpartition("/")[0]
