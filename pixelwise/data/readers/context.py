"""PASCAL-Context: VOC 2010 labelled with 59 classes and background (Mottaghi et al. 2014; thesis §2.4)."""

from pathlib import Path

from pixelwise.data.archives import find_folder
from pixelwise.data.items import Classes, Item, MapFile, RawData, make_bit_palette
from pixelwise.data.readers import voc
from pixelwise.documents import read_text
from pixelwise.errors import DataError

# In the order of the published nets' outputs.
NAMES = (
    *voc.NAMES,
    *("bag", "bed", "bench", "book", "building", "cabinet", "ceiling", "clothes", "computer", "cup", "door", "fence"),
    *("floor", "flower", "food", "grass", "ground", "keyboard", "light", "mountain", "mouse", "curtain", "platform"),
    *("sign", "plate", "road", "rock", "shelves", "sidewalk", "sky", "snow", "bedcloth", "track", "tree", "truck"),
    *("wall", "water", "window", "wood"),
)
# Names in the list of 459 labels that differ from the 59 class names.
RAW_NAMES = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
NAMES_FILE, LABELS, FIELD = "labels.txt", Path("trainval"), "LabelMap"
YEAR, LISTS = "VOC2010", Path("ImageSets/Main")
SPLITS = ("train", "val")


def read(root: Path) -> RawData:
    """Read PASCAL-Context and VOC2010 under `root`. Raises DataError if either is missing.

    Pixels of none of the 59 classes are class 0, background, which is trained and scored.
    """
    folder = find_folder(root, is_context, f"PASCAL-Context's {NAMES_FILE} and {LABELS}/<id>.mat")
    year = find_folder(root, lambda path: path.name == YEAR and (path / LISTS).is_dir(), f"{YEAR}/{LISTS}")
    return RawData(
        name="context",
        classes=Classes(NAMES, make_bit_palette(len(NAMES))),
        items=[
            Item(id_, split, year / voc.IMAGES / f"{id_}.jpg", MapFile(folder / LABELS / f"{id_}.mat", FIELD))
            for split in SPLITS
            for id_ in voc.read_ids(year / LISTS / f"{split}.txt")
        ],
        label_values=read_label_values(folder / NAMES_FILE),
    )


def is_context(folder: Path) -> bool:
    """Whether `folder` contains the list of names and the labels."""
    return (folder / NAMES_FILE).is_file() and (folder / LABELS).is_dir()


def read_label_values(file: Path) -> dict[int, int]:
    """Read raw value -> class from the names of the raw values. Raises DataError if one of the 59 names is missing."""
    values = read_names(file)
    for name in NAMES[1:]:
        if RAW_NAMES.get(name, name) not in values:
            raise DataError(f"{file.name}: no {RAW_NAMES.get(name, name)}, expected PASCAL-Context's 459 names")
    classes = {values[RAW_NAMES.get(name, name)]: index for index, name in enumerate(NAMES) if index}
    return {value: classes.get(value, 0) for value in (0, *values.values())}


def read_names(file: Path) -> dict[str, int]:
    """Read name without spaces -> raw value. Raises DataError at a line that is not `value: name`."""
    values = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        value, _, name = line.replace(" ", "").partition(":")
        if line.strip() and not (value.isdecimal() and name):
            raise DataError(f"{file.name} line {number}: found {line!r}, expected `value: name`")
        if name:
            values[name] = int(value)
    return values
