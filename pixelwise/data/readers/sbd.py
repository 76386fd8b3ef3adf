"""SBD, which labels more of PASCAL VOC's pictures, in its own MATLAB files (Hariharan et al. 2011; thesis §2.4)."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.archives import find_folder
from pixelwise.data.items import Item, MapFile, RawData
from pixelwise.data.readers import voc
from pixelwise.errors import DataError

IMAGES, LABELS, OBJECTS = Path("img"), Path("cls"), Path("inst")
FIELD, OBJECT_FIELD = "GTcls.Segmentation", "GTinst.Segmentation"


def read(root: Path) -> RawData:
    """SBD under `root`, and the year of VOC that lies beside it, if one does.

    train is SBD's own list. val is VOC's val, with VOC's labels, without the pictures of train: VOC 2011 gives
    seg11valid, the 736 pictures of the thesis. Without VOC, or without a label of it, val is SBD's own. Where the
    objects of all pictures are there, the layer `instance` numbers them. Raises DataError where the lists are missing.
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
    """Whether `folder` is benchmark_RELEASE/dataset."""
    return (folder / IMAGES).is_dir() and (folder / LABELS).is_dir() and (folder / "train.txt").is_file()


def list_items(folder: Path, split: str, ids: Sequence[str]) -> list[Item]:
    """The pictures of one list, labelled by SBD."""
    return [
        Item(id_, split, folder / IMAGES / f"{id_}.jpg", MapFile(folder / LABELS / f"{id_}.mat", FIELD)) for id_ in ids
    ]


def find_voc(root: Path) -> Path | None:
    """The year of VOC under `root`, if there is one."""
    try:
        return voc.find_year(root)
    except DataError:
        return None


def read_voc_val(year: Path, train: Sequence[str]) -> list[Item]:
    """VOC's val without the pictures `train`, which SBD took from val as well."""
    taken = set(train)
    return voc.list_labelled_items(
        year, "val", [id_ for id_ in voc.read_ids(year / voc.LISTS / "val.txt") if id_ not in taken]
    )
