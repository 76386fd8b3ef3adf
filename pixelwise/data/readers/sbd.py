"""SBD: labels of more PASCAL VOC pictures, in MATLAB files (Hariharan et al. 2011; thesis §2.4)."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.archives import find_folder
from pixelwise.data.items import Item, MapFile, RawData
from pixelwise.data.readers import voc
from pixelwise.errors import DataError

IMAGES, LABELS, OBJECTS = Path("img"), Path("cls"), Path("inst")
FIELD, OBJECT_FIELD = "GTcls.Segmentation", "GTinst.Segmentation"


def read(root: Path) -> RawData:
    """Read SBD under `root`, and a year of VOC if `root` contains one.

    train is SBD's own list. val is VOC's val, with VOC's labels, without the pictures of train: VOC 2011 gives
    seg11valid, the 736 pictures of the thesis. Without VOC or its labels, val is SBD's own val. If all pictures have
    object files, the layer `instance` numbers the objects. Raises DataError if the lists are missing.
    """
    folder = find_folder(root, is_sbd, "SBD's dataset folder, with img, cls, train.txt and val.txt")
    ids = voc.read_ids(folder / "train.txt")
    year = find_voc(root)
    val = read_voc_val(year, ids) if year else []
    if not val:
        val = list_items(folder, "val", voc.read_ids(folder / "val.txt"))

    def find(item: Item) -> MapFile:
        own = MapFile(folder / OBJECTS / f"{item.id}.mat", OBJECT_FIELD, voc.convert_to_ids)
        return voc.find_object_file(year, item) if year and isinstance(item.label, Path) else own

    items = voc.add_objects([*list_items(folder, "train", ids), *val], find)
    return RawData("sbd", voc.CLASSES, items, voc.LABEL_VALUES)


def is_sbd(folder: Path) -> bool:
    """Whether `folder` has the content of benchmark_RELEASE/dataset."""
    return (folder / IMAGES).is_dir() and (folder / LABELS).is_dir() and (folder / "train.txt").is_file()


def list_items(folder: Path, split: str, ids: Sequence[str]) -> list[Item]:
    """List the items of one list, with SBD's labels."""
    return [
        Item(id_, split, folder / IMAGES / f"{id_}.jpg", MapFile(folder / LABELS / f"{id_}.mat", FIELD)) for id_ in ids
    ]


def find_voc(root: Path) -> Path | None:
    """Find the folder of a year of VOC under `root`; None if there is none."""
    try:
        return voc.find_year(root)
    except DataError:
        return None


def read_voc_val(year: Path, train: Sequence[str]) -> list[Item]:
    """List VOC's val without the pictures in `train`, because SBD's train contains pictures of VOC's val."""
    taken = set(train)
    return voc.list_labelled_items(
        year, "val", [id_ for id_ in voc.read_ids(year / voc.LISTS / "val.txt") if id_ not in taken]
    )
