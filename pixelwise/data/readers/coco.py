"""COCO instances: `annotations/instances_SPLIT.json`, with the pictures in the folder SPLIT (Lin et al. 2014)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.archives import find_folder
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import VOID, Classes, Item, RawData, bit_palette
from pixelwise.documents import read_json
from pixelwise.errors import DataError

FOLDER, PREFIX = Path("annotations"), "instances_"
KEYS = ("images", "annotations", "categories")


def read(root: Path) -> RawData:
    """Read COCO under `root`: each instances file is a split; the classes are background and the categories.

    Smaller objects are painted over larger ones, crowds are void, and the layer `instance` numbers a picture's objects.
    Raises DataError if there is no instances file, or one is damaged.
    """
    folder = find_folder(
        root, lambda path: any((path / FOLDER).glob(f"{PREFIX}*.json")), f"COCO's {FOLDER}/{PREFIX}*.json"
    )
    files = sorted((folder / FOLDER).glob(f"{PREFIX}*.json"))
    parts = {file.stem.removeprefix(PREFIX): read_instances(file) for file in files}
    categories = next(iter(parts.values()))["categories"]
    names = ("background", *(each["name"] for each in sorted(categories, key=lambda each: int(each["id"]))))
    values = {each["id"]: names.index(each["name"]) for each in categories}
    label_values = {**{value: value for value in range(len(names))}, VOID: VOID}
    return RawData("coco", Classes(names, bit_palette(len(names))), CocoItems(folder, parts, values), label_values)


def read_instances(file: Path) -> dict[str, Any]:
    """Read the lists of an instances file. Raises DataError if one is missing."""
    found: dict[str, Any] = read_json(file, "COCO's instances")
    missing = [key for key in KEYS if not isinstance(found.get(key), list)]
    if missing:
        raise DataError(f"{file}: no list {missing[0]}, expected COCO's instances: {', '.join(KEYS)}")
    return found


class CocoItems:
    """The items of all splits, each painted on demand, so that a hundred thousand maps are never in memory together."""

    def __init__(self, folder: Path, parts: Mapping[str, Mapping[str, Any]], values: Mapping[int, int]) -> None:
        self.folder, self.parts, self.values = folder, parts, values

    def __len__(self) -> int:
        return sum(len(part["images"]) for part in self.parts.values())

    def __iter__(self) -> Iterator[Item]:
        for split, part in self.parts.items():
            of_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
            for annotation in part["annotations"]:
                of_image[annotation["image_id"]].append(annotation)
            for image in part["images"]:
                yield self.make_item(split, image, of_image[image["id"]])

    def make_item(self, split: str, image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> Item:
        """Make the item of one picture, with label and layer `instance`; without both if an annotation is damaged."""
        id_, file = f"{split}/{Path(image['file_name']).stem}", self.folder / split / image["file_name"]
        try:
            label, instance = paint_maps(annotations, image["height"], image["width"], self.values)
        except (KeyError, TypeError, ValueError):
            # An item without a label goes to quarantine, and the other items are still ingested.
            return Item(id_, split, file, None)
        return Item(id_, split, file, encode_picture(label), layers={"instance": encode_picture(instance)})


def paint_maps(
    annotations: Sequence[Mapping[str, Any]], height: int, width: int, values: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Paint the label (H, W) uint8 and the object numbers (H, W) uint16, 0 = no object.

    values: category id -> class.
    """
    label, instance = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint16)
    crowds = [each for each in annotations if each.get("iscrowd")]
    objects = sorted((each for each in annotations if not each.get("iscrowd")), key=lambda each: -each["area"])
    for crowd in crowds:
        label[decode_mask(crowd["segmentation"], height, width)] = VOID
    for number, each in enumerate(objects, start=1):
        inside = decode_mask(each["segmentation"], height, width)
        label[inside], instance[inside] = values[each["category_id"]], number
    return label, instance


def decode_mask(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Decode a segmentation to pixels (H, W) bool: polygons, or run lengths as a list or packed.

    Raises ValueError if the mask has another size.
    """
    from pycocotools import mask

    if isinstance(segmentation, dict) and isinstance(segmentation["counts"], str | bytes):
        packed = segmentation
    else:
        packed = mask.frPyObjects(segmentation, height, width)
        packed = mask.merge(packed) if isinstance(packed, list) else packed
    found = np.asarray(mask.decode(packed))
    if found.shape != (height, width):
        raise ValueError(f"a mask of {found.shape[1]}×{found.shape[0]} in a picture of {width}×{height}")
    return found > 0
