"""The formats of labelling tools in their variants, and what each does with what it cannot paint."""

import base64
import json

import numpy as np
import pytest
import yaml
from PIL import Image
from support.annotation_sets import (
    FORMATS,
    NAMES,
    SIZE,
    boxes,
    coco_lists,
    label,
    mask_png,
    outline,
    picture,
    write_cvat,
    write_data_yaml,
    write_json,
    write_label_map,
    write_label_studio,
    write_supervisely,
    write_yolo,
)
from support.image_sets import save

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.items import VOID
from pixelwise.data.readers import read_dataset
from pixelwise.errors import DataError

MANY = 10**6
ALL = {"train": (0, 1), "val": (2,)}


def read(name, root):
    """The items of a data set by number: split, and label or the reason why there is none; and the notes."""
    raw, found = read_dataset(name, root), {}
    for item in raw.items:
        try:
            found[int(item.id.rpartition("/")[2])] = item.split, read_pair(item, raw, MANY)[1]
        except DataError as error:
            found[int(item.id.rpartition("/")[2])] = item.split, str(error)
    return found, "\n".join(raw.notes.lines())


def assert_true_labels(found, splits=ALL):
    assert {number: split for number, (split, _) in found.items()} == {
        number: split for split, numbers in splits.items() for number in numbers
    }
    for number, (_, values) in found.items():
        np.testing.assert_array_equal(values, label(number))


@pytest.mark.parametrize(
    ("images", "labels", "places"),
    [
        ("{}/images", "{}/labels", {"train": "../train/images", "val": "../val/images"}),
        ("{}/images", "{}/labels", {"train": "/home/me/set/train/images", "val": ["C:\\set\\val\\images"]}),
        ("images/{}", "labels/{}", {"path": "../datasets/mine", "train": "images/train", "val": "images/val"}),
    ],
)
def test_yolos_places_are_found_however_data_yaml_writes_them(images, labels, places, tmp_path):
    for split, numbers in ALL.items():
        write_yolo(tmp_path, numbers, images.format(split), labels.format(split))
    write_data_yaml(tmp_path, **places, names=dict(enumerate(NAMES)))
    assert_true_labels(read("yolo", tmp_path)[0])


def test_yolos_picture_without_a_text_file_is_background_and_said(tmp_path):
    FORMATS["yolo"](tmp_path, ALL)
    (tmp_path / "labels/train/0.txt").unlink()
    found, notes = read("yolo", tmp_path)
    assert not found[0][1].any()
    assert "1 pictures without annotations, labelled background: train/0.png" in notes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.2 0.2", "line 1 of train/0.png: a box of 4 numbers"),
        ("2 0.1 0.1 0.5 0.1 0.5 0.5", "class 2, expected 0 to 1"),
        ("0 10 10 50 10 50 40", "no fraction of the picture's size"),
        ("0 0.1 0.1 0.5 0.1 0.5", "an outline of 5 numbers"),
        ("bird 0.1 0.1 0.5 0.1 0.5 0.5", "expected numbers"),
    ],
)
def test_a_line_of_yolo_that_is_no_outline_quarantines_its_picture_alone(line, reason, tmp_path):
    FORMATS["yolo"](tmp_path, ALL)
    (tmp_path / "labels/train/0.txt").write_text(line + "\n")
    found, _ = read("yolo", tmp_path)
    assert reason in found.pop(0)[1]
    assert_true_labels(found, {"train": (1,), "val": (2,)})


def labelme(shapes, **keys):
    size = {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    return {"shapes": shapes, "imagePath": "0.png", "imageData": None, **size, **keys}


def test_labelmes_shapes_groups_and_ignored_labels(tmp_path):
    save(picture(0), tmp_path / "0.png")
    parts = [[2, 2, 12, 12], [20, 2, 30, 12]]
    shapes = [
        *({"label": "tree", "points": outline(part), "group_id": 1, "shape_type": "polygon"} for part in parts),
        {"label": "bird", "points": [[40, 20], [50, 30]], "shape_type": "rectangle"},
        {"label": "__ignore__", "points": [[10, 36], [10, 41]], "shape_type": "circle"},
        {"label": "bird", "points": [[1, 1], [60, 40]], "shape_type": "line"},
    ]
    write_json(tmp_path / "0.json", labelme(shapes))
    raw = read_dataset("labelme", tmp_path)
    (item,) = raw.items
    found = read_pair(item, raw, MANY)[1]
    assert np.unique(item.layers["instance"].paint(SIZE[::-1])).tolist() == [0, 1, 2]
    for left, top, right, bottom in parts:
        assert (found[top:bottom, left:right] == 2).all()
    assert (found[20:30, 40:50] == 1).all()
    assert (found == VOID).sum() == pytest.approx(np.pi * 25, rel=0.15)
    assert "annotations without area, left out: shape 5 of 0" in "\n".join(raw.notes.lines())


def test_a_damaged_file_of_labelme_quarantines_its_picture_and_other_json_is_passed_over(tmp_path):
    FORMATS["labelme"](tmp_path, ALL)
    (tmp_path / "train/0.json").write_text('{"shapes": [')
    (tmp_path / "classes.json").write_text("{}")
    found, notes = read("labelme", tmp_path)
    assert "Invalid JSON" in found.pop(0)[1]
    assert_true_labels(found, {"train": (1,), "val": (2,)})
    assert "1 JSON files that are not LabelMe's, passed over: classes.json" in notes


def test_a_data_set_without_any_annotation_is_refused(tmp_path):
    FORMATS["yolo"](tmp_path, ALL)
    for file in tmp_path.rglob("*.txt"):
        file.unlink()
    with pytest.raises(DataError, match="data set yolo: none of 3 pictures has an annotation, first train/0"):
        read_dataset("yolo", tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nc": 5}, "found nc 5 and 2 names, expected a name a class"),
        ({"val": "images/train"}, "train and val are both .*images/train, expected pictures of their own"),
    ],
)
def test_a_description_of_yolo_that_contradicts_itself_is_refused(wrong, message, tmp_path):
    FORMATS["yolo"](tmp_path, ALL)
    (file,) = tmp_path.glob("*.yaml")
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | wrong))
    with pytest.raises(DataError, match=message):
        read_dataset("yolo", tmp_path)


def test_a_label_of_cvat_that_the_project_does_not_list_is_a_class_and_said(tmp_path):
    write_cvat(tmp_path, ALL)
    file = tmp_path / "annotations.xml"
    file.write_text(file.read_text().replace("<name>bird</name>", "<name>fish</name>"))
    raw = read_dataset("cvat", tmp_path)
    assert "1 labels of shapes that the project does not list: bird" in raw.notes.lines()
    assert {"bird", "fish"} <= set(raw.classes.names)


def test_cvats_layers_decide_before_sizes(tmp_path):
    write_cvat(tmp_path, ALL)
    file = tmp_path / "annotations.xml"
    file.write_text(file.read_text().replace('z_order="0"', 'z_order="7"'))
    found, _ = read("cvat", tmp_path)
    assert all(1 not in values for _, values in found.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<annotations>", "<annotations><track/>", "holds tracks of a video"),
        ("<annotations>", "<!DOCTYPE a><annotations>", "declares a document type"),
        ("</annotations>", "", "expected CVAT's XML"),
    ],
)
def test_what_is_not_cvats_export_of_images_is_refused(old, new, message, tmp_path):
    write_cvat(tmp_path, ALL)
    file = tmp_path / "annotations.xml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        read_dataset("cvat", tmp_path)


def test_label_studios_flat_export_and_uploaded_names_are_read(tmp_path):
    write_label_studio(tmp_path, ALL)
    tasks = json.loads((tmp_path / "project-1.json").read_text())
    flat = []
    for task in tasks[:-1]:
        results = task["annotations"][0]["result"]
        values = [each["value"] | {key: each[key] for key in ("original_width", "original_height")} for each in results]
        name = task["data"]["image"].rpartition("=")[2].removeprefix("work/")
        folder, _, last = name.rpartition("/")
        flat.append({"id": task["id"], "image": f"/data/upload/{folder}/0123abcd-{last}", "label": values})
    write_json(tmp_path / "project-1.json", flat)
    assert_true_labels(read("label_studio", tmp_path)[0])


def test_the_newest_of_several_annotations_that_was_not_cancelled_is_read(tmp_path):
    write_label_studio(tmp_path, ALL)
    tasks = json.loads((tmp_path / "project-1.json").read_text())
    (right,) = tasks[0]["annotations"]
    tasks[0]["annotations"] = [
        {"result": [], "updated_at": "2024-01-01"},
        right | {"updated_at": "2025-01-01"},
        {"result": [], "updated_at": "2026-01-01", "was_cancelled": True},
    ]
    write_json(tmp_path / "project-1.json", tasks)
    found, notes = read("label_studio", tmp_path)
    assert_true_labels(found)
    assert "1 tasks with several annotations, of which the newest is read: task 0" in notes
    assert "1 tasks without a submitted annotation, left out: task 99" in notes


def test_superviselys_tags_are_splits_and_holes_stay_empty(tmp_path):
    write_supervisely(tmp_path, {"ds0": (0, 1)})
    file = tmp_path / "ds0/ann/0.png.json"
    found = json.loads(file.read_text())
    (_, tree), (_, bird) = boxes(0)
    hole = {
        "classTitle": "tree",
        "geometryType": "polygon",
        "points": {"exterior": outline(tree), "interior": [outline(bird)]},
    }
    write_json(file, found | {"objects": [hole], "tags": [{"name": "Test"}]})
    labels, _ = read("supervisely", tmp_path)
    assert labels[0][0] == "test"
    np.testing.assert_array_equal(labels[0][1], np.where(label(0) == 2, 2, 0))


def test_masks_with_a_palette_are_read_by_their_colours_whatever_its_order(tmp_path):
    write_label_map(tmp_path, ALL, has_palette=True)
    file = tmp_path / "SegmentationClass/0.png"
    swapped = Image.open(file)
    colours = np.reshape(swapped.getpalette()[:9], (3, 3))[[2, 0, 1]]
    other = Image.fromarray(np.array([1, 2, 0], np.uint8)[np.asarray(swapped)])
    other.putpalette(colours.ravel().tolist())
    other.save(file)
    assert_true_labels(read("label_map", tmp_path)[0])
    assert_true_labels(read("voc", tmp_path)[0])


def test_a_segment_that_the_json_lacks_quarantines_its_picture(tmp_path):
    FORMATS["coco_panoptic"](tmp_path, ALL)
    file = tmp_path / "annotations/panoptic_train.json"
    found = json.loads(file.read_text())
    found["annotations"][0]["segments_info"].pop()
    write_json(file, found)
    labels, _ = read("coco_panoptic", tmp_path)
    assert "segment 5, which segments_info lacks" in labels[0][1]
    assert isinstance(labels[1][1], np.ndarray)


def test_a_mask_that_two_images_of_a_list_share_is_a_fault_of_both(tmp_path):
    FORMATS["csv"](tmp_path, ALL)
    file = tmp_path / "list.csv"
    file.write_text(file.read_text().replace("1_mask", "0_mask"))
    found, _ = read("csv", tmp_path)
    assert all("shares truth/0_mask.png with another image" in found[number][1] for number in (0, 1))
    np.testing.assert_array_equal(found[2][1], label(2))


def test_a_picture_is_not_taken_from_another_split(tmp_path):
    for split, number in (("train", 0), ("val", 1)):
        write_json(tmp_path / f"annotations/instances_{split}.json", coco_lists([number]))
    save(picture(0), tmp_path / "train/0.png")
    save(picture(1), tmp_path / "train/1.png")
    found, _ = read("coco", tmp_path)
    assert "missing, expected val/1.png" in found[1][1]


def test_a_mask_beyond_the_picture_is_no_success(tmp_path):
    save(picture(0), tmp_path / "0.png")
    mask = base64.b64encode(mask_png((0, 0, 20, 20))).decode()
    shape = {"label": "bird", "points": [[60, 40], [79, 59]], "shape_type": "mask", "mask": mask}
    write_json(tmp_path / "0.json", labelme([shape]))
    found, _ = read("labelme", tmp_path)
    assert "a mask of 20×20 at 60, 40, expected one inside the picture of 64×48" in found[0][1]
