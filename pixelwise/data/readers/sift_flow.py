"""SIFT Flow: outdoor scenes with semantic and geometric labels, in MATLAB files (Liu et al. 2011, Tighe 2010)."""

from pathlib import Path

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.items import VOID, Classes, Item, MapFile, RawData, make_bit_palette
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

NAMES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow", "crosswalk", "desert", "door"),
    *("fence", "field", "grass", "moon", "mountain", "person", "plant", "pole", "river", "road", "rock", "sand"),
    *("sea", "sidewalk", "sign", "sky", "staircase", "streetlight", "sun", "tree", "window"),
)
GEOMETRY = ("sky", "horizontal", "vertical")
SCENES = Path("spatial_envelope_256x256_static_8outdoorcategories")
IMAGES, LABELS, GEOMETRIES = Path("Images") / SCENES, Path("SemanticLabels") / SCENES, Path("GeoLabels") / SCENES
FIELD = "S"
TEST_LISTS = ("TestSet1.txt", "test.txt")
# Pictures that are published without a label.
UNLABELLED = ("highway_bost181", "street_urb506")


def read(root: Path) -> RawData:
    """Read SIFT Flow under `root`, with the layer geometry: the 200 pictures of the test list are test, others train.

    Raises DataError if the folders or the test list are missing.
    """
    folder = find_folder(root, lambda path: (path / LABELS).is_dir(), f"SIFT Flow's {LABELS}")
    test = read_test_list(folder)
    train = sorted({file.stem for file in find_files(folder / IMAGES, "*.jpg")} - {*test, *UNLABELLED})
    return RawData(
        name="sift_flow",
        classes=Classes(NAMES, make_bit_palette(len(NAMES))),
        items=[make_item(folder, split, id_) for split, ids in (("train", train), ("test", test)) for id_ in ids],
        label_values={0: VOID, **{index + 1: index for index in range(len(NAMES))}},
    )


def read_test_list(folder: Path) -> list[str]:
    """Read the ids of the test pictures. Raises DataError if there is no list.

    A line is a path with Windows backslashes and a suffix, or only the id.
    """
    for name in TEST_LISTS:
        if (folder / name).is_file():
            lines = read_text(folder / name).split()
            return [line.replace("\\", "/").rpartition("/")[2].removesuffix(".jpg") for line in lines]
    raise DataError(f"{folder}: no list of test pictures, expected {' or '.join(TEST_LISTS)}")


def make_item(folder: Path, split: str, id_: str) -> Item:
    """Make the item of one picture, with its semantic and its geometric label."""
    geometry = MapFile(folder / GEOMETRIES / f"{id_}.mat", FIELD, convert_geometry)
    label = MapFile(folder / LABELS / f"{id_}.mat", FIELD)
    return Item(id_, split, folder / IMAGES / f"{id_}.jpg", label, layers={"geometry": geometry})


def convert_geometry(values: np.ndarray) -> np.ndarray:
    """Convert geometric labels (H, W): 1 sky, 2 horizontal, 3 vertical become 0, 1, 2; -1 and 0 become 255, void.

    Returns uint8. Raises DataError at other values.
    """
    if (wrong := values[(values < -1) | (values > len(GEOMETRY))]).size:
        raise DataError(f"value {wrong[0]}, but sift_flow has geometry 1–{len(GEOMETRY)} and -1, 0 (void)")
    return np.where(values < 1, VOID, values - 1).astype(np.uint8)
