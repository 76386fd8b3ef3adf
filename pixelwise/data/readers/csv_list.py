"""A CSV file that lists the paths of images and masks, with a classes.yaml that says what the masks mean."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pixelwise.data.annotation_set import AnnotatedPicture
from pixelwise.data.archives import find_folder
from pixelwise.data.class_file import CLASSES_FILE, read_classes
from pixelwise.data.items import Item, RawData
from pixelwise.data.mask_survey import MaskFiles, plan_masks
from pixelwise.data.notes import Notes
from pixelwise.data.painting import fail_to_read
from pixelwise.data.picture_index import PictureIndex, normalise_name
from pixelwise.data.picture_splits import give_splits
from pixelwise.data.split_names import SPLITS
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

COLUMNS = ("image", "mask")
SPLIT = "split"
DELIMITERS = ",;\t"


def find_list(folder: Path) -> Path | None:
    """Find the first CSV file in `folder` with the columns image and mask, beside classes.yaml; None without one."""
    if not (folder / CLASSES_FILE).is_file():
        return None
    return next((file for file in find_files(folder, "*.csv") if find_delimiter(file)), None)


def find_delimiter(file: Path) -> str:
    """Find the character between the columns image and mask in the first line; "" if it does not have both."""
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        header = lines.readline()
    names = {delimiter: [name.strip().lower() for name in header.split(delimiter)] for delimiter in DELIMITERS}
    return next((delimiter for delimiter, found in names.items() if {*COLUMNS} <= {*found}), "")


def read(root: Path) -> RawData:
    """Read the list under `root`: columns image and mask, and optionally split; paths are relative to the list.

    Raises DataError if there is no such list, or a row has too few columns.
    """
    folder = find_folder(root, lambda path: find_list(path) is not None, f"a CSV of image, mask beside {CLASSES_FILE}")
    file, notes = find_list(folder) or folder, Notes()
    described = read_classes(folder / CLASSES_FILE)
    pictures = give_splits(list(read_rows(file, PictureIndex(folder))), notes)
    plan = plan_masks(MaskFiles([picture.source for picture in pictures]), described, folder / CLASSES_FILE, notes)
    items = [make_item(picture) for picture in pictures]
    return RawData("csv", plan.classes, items, plan.label_values, notes, plan.rule)


def make_item(picture: AnnotatedPicture) -> Item:
    """Make the item of a row."""
    id_ = PurePosixPath(picture.path).with_suffix("").as_posix()
    image = fail_to_read(picture) if picture.fault else picture.image
    return Item(id_, picture.split, image, picture.source)


def read_rows(file: Path, index: PictureIndex) -> Iterator[AnnotatedPicture]:
    """Read the rows of the list, each with its mask as the source. A mask of several images is a fault of each."""
    lines = read_text(file, "a CSV of image, mask").splitlines()
    rows = [row for row in csv.reader(lines, delimiter=find_delimiter(file)) if row]
    header = [name.strip().lower() for name in rows[0]]
    place = {name: header.index(name) for name in (*COLUMNS, SPLIT) if name in header}
    cells = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) <= max(place.values()):
            raise DataError(f"{file}: row {number}: found {len(row)} columns, expected {len(header)}")
        cells.append({name: row[column].strip() for name, column in place.items()})
    uses = Counter(each["mask"] for each in cells)
    for each in cells:
        (image, fault), (mask, other) = (index.locate(each[name], ["."]) for name in COLUMNS)
        shared = uses[each["mask"]] > 1
        fault = fault or other or (f"shares {each['mask']} with another image, expected one each" if shared else "")
        split = each.get(SPLIT, "")
        yield AnnotatedPicture(
            normalise_name(each["image"]), SPLITS.get(split.lower(), split), image, (), mask, fault=fault
        )
