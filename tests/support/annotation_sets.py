"""One small labelled world in the formats of labelling tools: every writer draws the same shapes on the same pictures.

A picture has a large `tree` and a small `bird`, both rectangles of whole pixels, so all formats mean the same label.
"""

import base64
import io
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml
from PIL import Image

from support.image_sets import save

SIZE = (48, 64)  # height, width
NAMES = ("bird", "tree")
COLOURS = {"background": (0, 0, 0), "bird": (250, 50, 83), "tree": (50, 183, 250)}
Box = tuple[int, int, int, int]  # left, top, right, bottom


def boxes(number: int) -> list[tuple[str, Box]]:
    """The objects of picture `number`: name and rectangle, the smaller one inside the larger one."""
    left, top = 4 + 2 * number, 6 + number
    return [("tree", (left, top, left + 32, top + 28)), ("bird", (left + 6, top + 8, left + 18, top + 18))]


def label(number: int, names: Sequence[str] = ("background", *NAMES)) -> np.ndarray:
    """The label (H, W) uint8 of picture `number`."""
    found = np.full(SIZE, names.index("background"), np.uint8)
    for name, (left, top, right, bottom) in boxes(number):
        found[top:bottom, left:right] = names.index(name)
    return found


def picture(number: int) -> Image.Image:
    """Picture `number`: each class has a colour, with seeded noise."""
    colours = np.array([[90, 90, 90], [220, 60, 60], [40, 160, 60]])
    noise = np.random.default_rng(number).normal(0, 12, (*SIZE, 3))
    return Image.fromarray(np.clip(colours[label(number)] + noise, 0, 255).astype(np.uint8))


def outline(box: Box) -> list[list[int]]:
    """The corners of a rectangle."""
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def mask_png(box: Box) -> bytes:
    """A PNG of one bit that is full, of a rectangle's size."""
    left, top, right, bottom = box
    buffer = io.BytesIO()
    Image.new("1", (right - left, bottom - top), 1).save(buffer, "PNG")
    return buffer.getvalue()


def write_json(file: Path, found: object) -> None:
    """Write JSON, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found))


def coco_lists(numbers: Sequence[int], **keys: object) -> dict:
    """COCO's lists of the pictures `numbers`; `keys` are added to every annotation."""
    return {
        "images": [
            {"id": number, "file_name": f"{number}.png", "width": SIZE[1], "height": SIZE[0]} for number in numbers
        ],
        "categories": [{"id": 1, "name": "bird"}, {"id": 2, "name": "tree"}],
        "annotations": [
            {
                "id": 10 * number + place,
                "image_id": number,
                "category_id": 1 + NAMES.index(name),
                "segmentation": [np.ravel(outline(box)).tolist()],
                **keys,
            }
            for number in numbers
            for place, (name, box) in enumerate(boxes(number), start=1)
        ],
    }


def write_coco(root: Path, numbers: Sequence[int], annotations: str, pictures: str) -> None:
    """One file of COCO at the path `annotations`, and its pictures in the folder `pictures`."""
    write_json(root / annotations, coco_lists(numbers))
    for number in numbers:
        save(picture(number), root / pictures / f"{number}.png")


def write_panoptic(root: Path, numbers: Sequence[int], split: str) -> None:
    """COCO panoptic; the segments' numbers need more than 8 bits, and the ground is a class."""
    found = coco_lists(numbers)
    found["categories"].append({"id": 7, "name": "background"})
    found["annotations"] = []
    ids = {"background": 70_000, "bird": 300, "tree": 5}
    for number in numbers:
        values = np.array([ids[name] for name in ("background", *NAMES)], np.uint32)[label(number)]
        colours = np.stack([values % 256, values // 256 % 256, values // 65536], axis=2).astype(np.uint8)
        save(Image.fromarray(colours), root / f"annotations/panoptic_{split}/{number}.png")
        save(picture(number), root / split / f"{number}.png")
        categories = {"background": 7, "bird": 1, "tree": 2}
        segments = [{"id": ids[name], "category_id": category} for name, category in categories.items()]
        found["annotations"].append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
    write_json(root / f"annotations/panoptic_{split}.json", found)


def write_yolo(root: Path, numbers: Sequence[int], images: str, labels: str) -> None:
    """Pictures in the folder `images` and their outlines in the folder `labels`."""
    (root / labels).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        save(picture(number), root / images / f"{number}.png")
        lines = [
            f"{NAMES.index(name)} "
            + " ".join(f"{value:.8f}" for value in (np.array(outline(box)) / SIZE[::-1]).ravel())
            for name, box in boxes(number)
        ]
        (root / labels / f"{number}.txt").write_text("\n".join(lines) + "\n")


def write_data_yaml(root: Path, **keys: object) -> None:
    """YOLO's data.yaml."""
    (root / "data.yaml").write_text(yaml.safe_dump({"nc": 2, "names": list(NAMES), **keys}))


def write_labelme(root: Path, numbers: Sequence[int], split: str) -> None:
    """LabelMe: the tree as an outline, the bird as a mask; every second picture is in the JSON alone."""
    for number in numbers:
        (_, tree), (_, bird) = boxes(number)
        save(picture(number), root / split / f"{number}.png")
        image = (root / split / f"{number}.png").read_bytes()
        corners = [list(bird[:2]), [bird[2] - 1, bird[3] - 1]]
        mask = base64.b64encode(mask_png(bird)).decode()
        shapes = [
            {"label": "tree", "points": outline(tree), "shape_type": "polygon", "group_id": None},
            {"label": "bird", "points": corners, "shape_type": "mask", "mask": mask},
        ]
        found = {"version": "5.5.0", "shapes": shapes, "imagePath": f"{number}.png", "imageData": None}
        if number % 2:
            (root / split / f"{number}.png").unlink()
            found["imageData"] = base64.b64encode(image).decode()
        write_json(root / split / f"{number}.json", found | {"imageHeight": SIZE[0], "imageWidth": SIZE[1]})


def write_cvat(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """CVAT's XML: the tree as a box, the bird as a mask."""
    tree = ElementTree.Element("annotations")
    labels = ElementTree.SubElement(ElementTree.SubElement(ElementTree.SubElement(tree, "meta"), "task"), "labels")
    for name in NAMES:
        ElementTree.SubElement(ElementTree.SubElement(labels, "label"), "name").text = name
    for split, numbers in splits.items():
        for number in numbers:
            size = {"width": str(SIZE[1]), "height": str(SIZE[0])}
            image = ElementTree.SubElement(
                tree, "image", id=str(number), name=f"{number}.png", subset=split.capitalize(), **size
            )
            (_, big), (_, small) = boxes(number)
            edges = dict(zip(("xtl", "ytl", "xbr", "ybr"), map(str, big), strict=True))
            ElementTree.SubElement(image, "box", label="tree", z_order="0", occluded="0", **edges)
            left, top, right, bottom = small
            sides = {"left": left, "top": top, "width": right - left, "height": bottom - top}
            runs = {"rle": f"0, {(right - left) * (bottom - top)}", **{key: str(side) for key, side in sides.items()}}
            ElementTree.SubElement(image, "mask", label="bird", z_order="1", **runs)
            save(picture(number), root / "images" / split.capitalize() / f"{number}.png")
    ElementTree.ElementTree(tree).write(root / "annotations.xml")


def write_label_map(root: Path, splits: dict[str, Sequence[int]], has_palette: bool = False) -> None:
    """CVAT's mask export, in colours or with a palette."""
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in COLOURS.items()]
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n")
    colours = np.array([*COLOURS.values()], np.uint8)
    for split, numbers in splits.items():
        for number in numbers:
            mask = Image.fromarray(label(number) if has_palette else colours[label(number)])
            if has_palette:
                mask.putpalette(colours.ravel().tolist())
            save(mask, root / f"SegmentationClass/{number}.png")
            save(picture(number), root / f"JPEGImages/{number}.png")
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"{number}\n" for number in numbers))


def pack_brush(mask: np.ndarray) -> list[int]:
    """A mask (H, W) bool as Label Studio packs it: RGBA values of 8 bits, each run with a length of 16 bits."""
    values = np.zeros((*mask.shape, 4), np.uint8)
    values[mask] = (0, 0, 0, 255)
    flat = values.ravel()
    bits = f"{flat.size:032b}{7:05b}" + "".join(f"{15:04b}" for _ in range(4))
    ends = [*(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    start = 0
    for end in ends:
        while start < end:
            length = min(end - start, 2**16)
            bits += f"100{length - 1:016b}{flat[start]:08b}"
            start += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def write_label_studio(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """Label Studio: the tree as an outline in percent, the bird as a brush; a task that nobody annotated."""
    tasks = []
    size = {"original_width": SIZE[1], "original_height": SIZE[0]}
    for split, numbers in splits.items():
        for number in numbers:
            (_, tree), (_, (left, top, right, bottom)) = boxes(number)
            mask = np.zeros(SIZE, bool)
            mask[top:bottom, left:right] = True
            percent = (np.array(outline(tree)) * 100 / SIZE[::-1]).tolist()
            brush = {"format": "rle", "rle": pack_brush(mask), "brushlabels": ["bird"]}
            results = [
                {"id": "a", "type": "polygonlabels", "value": {"points": percent, "polygonlabels": ["tree"]}, **size},
                {"id": "b", "type": "brushlabels", "value": brush, **size},
            ]
            path = f"/data/local-files/?d=work/{split}/{number}.png"
            tasks.append({"id": number, "data": {"image": path}, "annotations": [{"id": 1, "result": results}]})
            save(picture(number), root / split / f"{number}.png")
    tasks.append({"id": 99, "data": {"image": "later.png"}, "annotations": []})
    write_json(root / "project-1.json", tasks)


def write_supervisely(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """Supervisely: the tree as an outline, the bird as a bitmap."""
    write_json(root / "meta.json", {"classes": [{"title": name, "shape": "any", "color": "#FF0000"} for name in NAMES]})
    for split, numbers in splits.items():
        for number in numbers:
            (_, tree), (_, bird) = boxes(number)
            data = base64.b64encode(zlib.compress(mask_png(bird))).decode()
            objects = [
                {
                    "id": 1,
                    "classTitle": "tree",
                    "geometryType": "polygon",
                    "points": {"exterior": outline(tree), "interior": []},
                },
                {
                    "id": 2,
                    "classTitle": "bird",
                    "geometryType": "bitmap",
                    "bitmap": {"data": data, "origin": list(bird[:2])},
                },
            ]
            size = {"height": SIZE[0], "width": SIZE[1]}
            write_json(root / split / f"ann/{number}.png.json", {"size": size, "tags": [], "objects": objects})
            save(picture(number), root / split / f"img/{number}.png")


def write_colours(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """The plain folder with masks in colour."""
    described = {"names": ["background", *NAMES], "colours": [list(colour) for colour in COLOURS.values()]}
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.yaml").write_text(yaml.safe_dump(described))
    for split, numbers in splits.items():
        for number in numbers:
            save(picture(number), root / split / f"images/{number}.png")
            save(
                Image.fromarray(np.array([*COLOURS.values()], np.uint8)[label(number)]),
                root / split / f"masks/{number}.png",
            )


def write_csv(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """A list of images and masks, whose values are classes."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.yaml").write_text(yaml.safe_dump({"names": ["background", *NAMES]}))
    rows = ["image;mask;split"]
    for split, numbers in splits.items():
        for number in numbers:
            save(picture(number), root / f"photos/{number}.png")
            save(Image.fromarray(label(number)), root / f"truth/{number}_mask.png")
            rows.append(f"photos/{number}.png;truth/{number}_mask.png;{split}")
    (root / "list.csv").write_text("\n".join(rows) + "\n")


def write_yolo_set(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """YOLO in its own layout."""
    for split, numbers in splits.items():
        write_yolo(root, numbers, f"images/{split}", f"labels/{split}")
    write_data_yaml(root, path=".", **{split: f"images/{split}" for split in splits})


def write_coco_set(root: Path, splits: dict[str, Sequence[int]]) -> None:
    """COCO in its own layout."""
    for split, numbers in splits.items():
        write_coco(root, numbers, f"annotations/instances_{split}.json", split)


def write_each(write: Callable) -> Callable[[Path, dict[str, Sequence[int]]], None]:
    """A writer of several splits from one of a single split."""

    def write_all(root: Path, splits: dict[str, Sequence[int]]) -> None:
        for split, numbers in splits.items():
            write(root, numbers, split)

    return write_all


# Data set -> its writer of the splits: name -> numbers of pictures.
FORMATS: dict[str, Callable[[Path, dict[str, Sequence[int]]], None]] = {
    "coco": write_coco_set,
    "coco_panoptic": write_each(write_panoptic),
    "yolo": write_yolo_set,
    "labelme": write_each(write_labelme),
    "cvat": write_cvat,
    "label_map": write_label_map,
    "label_studio": write_label_studio,
    "supervisely": write_supervisely,
    "folder": write_colours,
    "csv": write_csv,
}
