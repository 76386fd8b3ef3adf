"""The mask export of CVAT and other tools in VOC's layout: own classes and their colours in `labelmap.txt`.

A mask is a colour or palette PNG in `SegmentationClass`; its picture lies in `JPEGImages`.
"""

from pathlib import Path, PurePosixPath

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.archives import find_folder
from pixelwise.data.class_tables import BACKGROUND, canonical_name, merge_class_tables
from pixelwise.data.items import VOID, Classes, Colour, Item, MaskRule, RawData
from pixelwise.data.notes import Notes
from pixelwise.data.picture_index import PictureIndex
from pixelwise.data.picture_splits import give_splits
from pixelwise.data.split_names import find_split
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

FILE = "labelmap.txt"
IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


def is_label_map(folder: Path) -> bool:
    """Whether `folder` has labelmap.txt beside masks."""
    return (folder / FILE).is_file() and (folder / MASKS).is_dir()


def read(root: Path) -> RawData:
    """Read the masks under `root` by the colours of labelmap.txt. A list in ImageSets names the pictures of a split.

    Raises DataError if labelmap.txt is damaged, or no picture is listed.
    """
    folder = find_folder(root, is_label_map, f"{FILE} beside {MASKS}")
    file, notes = folder / FILE, Notes()
    given = read_colours(file)
    names = merge_class_tables({file: [name for name, _ in given]}, notes)
    colours = {canonical_name(name): colour for name, colour in given}
    colours.setdefault(BACKGROUND, (0, 0, 0))
    if len(set(colours.values())) < len(colours):
        raise DataError(f"{file}: found one colour of two labels, expected a colour each")
    items = [
        Item(PurePosixPath(each.path).with_suffix("").as_posix(), each.split, each.image, each.source)
        for each in give_splits(list_pictures(folder), notes)
    ]
    return RawData(
        name="label_map",
        classes=Classes(tuple(names), tuple(colours[name] for name in names)),
        items=items,
        label_values={value: value for value in [*range(len(names)), VOID]},
        notes=notes,
        masks=MaskRule({colours[name]: value for value, name in enumerate(names)}),
    )


def read_colours(file: Path) -> list[tuple[str, Colour]]:
    """Read the labels and their colours: `name:red,green,blue:parts:actions` a line. Raises DataError at another."""
    found = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        levels = rest.partition(":")[0].split(",")
        if len(levels) != 3 or not all(level.strip().isascii() and level.strip().isdigit() for level in levels):
            raise DataError(f"{file}: line {number}: found {line!r}, expected name:red,green,blue::")
        red, green, blue = (int(level) for level in levels)
        if max(red, green, blue) > 255:
            raise DataError(f"{file}: line {number}: found {line!r}, expected colours of 0 to 255")
        found.append((name, (red, green, blue)))
    return found


def list_pictures(folder: Path) -> list[AnnotatedPicture]:
    """List the pictures of the lists in ImageSets, or all pictures where there are none. Raises DataError."""
    index = PictureIndex(folder)
    images = {path[len(IMAGES) + 1 :].rpartition(".")[0]: path for path in index.files if path.startswith(f"{IMAGES}/")}
    lists = {file: read_text(file).split("\n") for file in find_files(folder, f"{LISTS}/*.txt")}
    if not lists:
        lists = {Path(): list(images)}
    found = {}
    for file, ids in lists.items():
        for id_ in filter(None, map(str.strip, ids)):
            if ".." in PurePosixPath(id_).parts or id_.startswith("/") or "\0" in id_:
                raise DataError(f"{file}: found {id_!r}, expected the name of a picture without suffix")
            split = find_split(file.stem)
            image, mask = folder / images.get(id_, f"{IMAGES}/{id_}.jpg"), folder / MASKS / f"{id_}.png"
            # A picture of several lists, such as train and trainval, belongs to the one that is a split.
            if split or id_ not in found:
                found[id_] = AnnotatedPicture(f"{id_}.png", split, image, (), mask)
    return list(found.values())
