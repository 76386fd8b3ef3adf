"""COCO's files as tools write them: each layout is read, and each fault is named truly or mended, never taken."""

import json
import re

import numpy as np
import pytest
from support.annotation_sets import SIZE, coco_lists, label, picture, write_coco, write_json
from support.image_sets import save

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import read_dataset
from pixelwise.errors import DataError, ParamsError

MANY = 10**6
HEIGHT, WIDTH = SIZE
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]

LAYOUTS = {
    "coco": [("annotations/instances_train2017.json", "train2017"), ("annotations/instances_val2017.json", "val2017")],
    "roboflow": [("train/_annotations.coco.json", "train"), ("valid/_annotations.coco.json", "valid")],
    "cvat": [("annotations/instances_train.json", "images/train"), ("annotations/instances_val.json", "images/val")],
    "plain": [("annotations/train.json", "images"), ("annotations/dev.json", "images")],
    "fiftyone": [("train/labels.json", "train/data"), ("validation/labels.json", "validation/data")],
}
WITHOUT_SPLITS = {
    "cvat": ("annotations/instances_default.json", "images"),
    "cvat, subset": ("annotations/instances_default.json", "images/default"),
    "label studio": ("result.json", "images"),
    "fiftyone": ("labels.json", "data"),
    "roboflow": ("_annotations.coco.json", "."),
}


def read_labels(root):
    """The labels of all items by split and id."""
    raw = read_dataset("coco", root)
    return {(item.split, item.id): read_pair(item, raw, MANY)[1] for item in raw.items}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_with_splits_is_read(layout, tmp_path):
    for numbers, (file, folder) in zip(((0, 1), (2, 3)), LAYOUTS[layout], strict=True):
        write_coco(tmp_path, numbers, file, folder)
    found = read_labels(tmp_path)
    assert sorted(split for split, _ in found) == ["train", "train", "val", "val"]
    for (_, id_), values in found.items():
        np.testing.assert_array_equal(values, label(int(id_[-1])))


@pytest.mark.parametrize("layout", WITHOUT_SPLITS)
def test_every_layout_without_splits_is_read_and_a_tenth_held_out(layout, tmp_path):
    write_coco(tmp_path, range(6), *WITHOUT_SPLITS[layout])
    found = read_labels(tmp_path)
    assert sorted(split for split, _ in found) == ["train"] * 5 + ["val"]
    for (_, id_), values in found.items():
        np.testing.assert_array_equal(values, label(int(id_[-1])))


def write(root, found, split="train"):
    """Write COCO's lists and their pictures."""
    (root / "annotations").mkdir(exist_ok=True)
    (root / f"annotations/instances_{split}.json").write_text(json.dumps(found))
    for place, entry in enumerate(found["images"]):
        save(picture(place), root / split / entry["file_name"])


def test_categories_are_matched_by_name_where_files_number_them_differently(tmp_path):
    write_coco(tmp_path, (0, 1), "annotations/instances_train.json", "train")
    found = coco_lists((2, 3))
    found["categories"] = [{"id": 0, "name": "tree"}, {"id": 1, "name": "bird"}]
    for each in found["annotations"]:
        each["category_id"] = 2 - each["category_id"]
    write(tmp_path, found, "val")
    for place, entry in enumerate(found["images"], start=2):
        save(picture(place), tmp_path / "val" / entry["file_name"])
    raw = read_dataset("coco", tmp_path)
    assert raw.classes.names == ("background", "bird", "tree")
    assert any("matched by name: instances_val.json" in line for line in raw.notes.lines())
    for item in raw.items:
        np.testing.assert_array_equal(read_pair(item, raw, MANY)[1], label(int(item.id[-1])))


def test_the_path_is_the_identity_where_folders_hold_equal_names(tmp_path):
    found = coco_lists(range(4))
    for number, entry in enumerate(found["images"]):
        entry["file_name"] = f"camera{number % 2}/{number // 2:04d}.png"
    write(tmp_path, found)
    raw = read_dataset("coco", tmp_path)
    assert sorted(item.id for item in raw.items) == [
        f"train/camera{camera}/{frame:04d}" for camera in (0, 1) for frame in (0, 1)
    ]
    for number, item in enumerate(raw.items):
        np.testing.assert_array_equal(read_pair(item, raw, MANY)[0], np.asarray(picture(number)))


def test_a_name_that_two_pictures_have_is_an_error_that_names_both(tmp_path):
    found = coco_lists([0])
    write(tmp_path, found)
    for camera in ("a", "b"):
        save(picture(0), tmp_path / f"{camera}/0.png")
    (tmp_path / "train/0.png").unlink()
    raw = read_dataset("coco", tmp_path)
    with pytest.raises(DataError, match=r"found a/0\.png and b/0\.png, expected one picture"):
        read_pair(next(iter(raw.items)), raw, MANY)


def test_a_picture_whose_suffix_or_case_differs_and_sizes_that_do_not_fit_are_named(tmp_path):
    found = coco_lists((0, 1, 2))
    write(tmp_path, found)
    found["images"][0]["file_name"] = "0.JPG"
    found["images"][1] |= {"width": 2 * WIDTH, "height": 2 * HEIGHT}
    write_json(tmp_path / "annotations/instances_train.json", found)
    ingest.run(IngestParams(dataset="coco", root=tmp_path, max_quarantined_share=1), tmp_path / "out")
    reasons = [row["reason"] for row in json.loads((tmp_path / "out/quarantine.json").read_text())["items"]]
    assert sorted(reasons) == [
        "image instances_train.json: train/0.JPG: missing, found train/0.png, expected the same suffix and case",
        "label instances_train.json: size 128×96 of train/1, but its image is 64×48",
    ]


def first(**keys):
    """A change of the first annotation."""
    return lambda found: found["annotations"][0].update(keys)


def rle(counts, size=SIZE):
    return {"size": list(size), "counts": counts}


# Shape -> the reason for which the picture goes to quarantine.
QUARANTINED = {
    "empty": (first(segmentation=[], area=400), "no segmentation, expected polygons"),
    "a box alone": (first(segmentation=[], bbox=[10, 10, 20, 20]), "no segmentation, expected polygons"),
    "lost": (first(segmentation=[[]], area=400), "a shape without area, but its file gives it 400 pixels"),
    "one point": (first(segmentation=[[20, 20]], area=400), "a shape without area, but its file gives it 400 pixels"),
    "four numbers": (first(segmentation=[10, 10, 20, 20]), "expected a list of polygons"),
    "null": (first(segmentation=None), "segmentation None, expected polygons or run lengths"),
    "odd": (first(segmentation=[SQUARE[:-1]]), "an outline of 7 numbers, expected pairs"),
    "text": (first(segmentation=[[str(value) for value in SQUARE]]), "expected numbers"),
    "not finite": (first(segmentation=[[*SQUARE[:-1], float("nan")]]), "not finite"),
    "huge": (first(segmentation=[[*SQUARE[:-1], 1e300]]), "far outside the picture of 64×48"),
    "outside": (first(segmentation=[[70, 10, 90, 10, 90, 30]]), "lies outside the picture of 64×48"),
    "run lengths of another size": (first(segmentation=rle([50, 50], (10, 10))), "expected [48, 64]"),
    "short run lengths": (first(segmentation=rle([10, 10])), "run lengths of 20 pixels, expected 3072"),
    "short packed run lengths": (first(segmentation=rle("::")), "run lengths of 20 pixels, expected 3072"),
    "damaged run lengths": (first(segmentation=rle("~é")), "not ASCII"),
    "negative run lengths": (first(segmentation=rle([-10, 3082])), "not whole numbers from 0"),
    "unknown category": (first(category_id=7), "category_id 7, expected 1, 2"),
}


@pytest.mark.parametrize("kind", QUARANTINED)
def test_a_bad_shape_quarantines_its_picture_with_the_annotations_id_and_the_reason(kind, tmp_path):
    change, reason = QUARANTINED[kind]
    found = coco_lists(range(4))
    change(found)
    write(tmp_path, found)
    report = ingest.run(IngestParams(dataset="coco", root=tmp_path, max_quarantined_share=0.25), tmp_path / "out")
    (rejected,) = json.loads((tmp_path / "out/quarantine.json").read_text())["items"]
    assert (rejected["id"], report.quarantined) == ("train/0", 1)
    assert "annotation 1 of train/0.png: " in rejected["reason"]
    assert reason in rejected["reason"]


def two_point_part(found):
    found["annotations"][0]["segmentation"].insert(0, [20, 20, 60, 40])


def stray_click(found):
    found["annotations"].append({"id": 77, "image_id": 0, "category_id": 1, "segmentation": [[5, 5, 6, 6]], "area": 0})


def without(key):
    return lambda found: [each.pop(key, None) for each in [*found["annotations"], *found["images"]]]


def ids_as_text(found):
    for each in found["annotations"]:
        each["image_id"], each["category_id"] = str(each["image_id"]), float(each["category_id"])


def background(found):
    found["categories"].insert(0, {"id": 0, "name": "Background"})


def grouped(found):
    found["categories"] = [{**each, "supercategory": "things"} for each in found["categories"]]
    found["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})


# Change -> what is said; the label is the same.
MENDED = {
    "part": (two_point_part, "outlines without area beside others of their annotation, left out: 1 of train/0.png"),
    "click": (stray_click, "annotations without area, left out: 77 of train/0.png"),
    "width": (without("width"), ""),
    "text": (ids_as_text, ""),
    "background": (background, ""),
    "flat": (first(segmentation=np.ravel([[4, 6], [36, 6], [36, 34], [4, 34]]).tolist()), ""),
    "null area": (first(area=None, iscrowd=None), ""),
    "group": (grouped, "categories that only group others, left out: things"),
}


@pytest.mark.parametrize("kind", MENDED)
def test_what_can_be_mended_is_and_that_is_said(kind, tmp_path):
    change, note = MENDED[kind]
    found = coco_lists(range(2))
    change(found)
    write(tmp_path, found)
    raw = read_dataset("coco", tmp_path)
    assert raw.classes.names == ("background", "bird", "tree")
    for item in raw.items:
        np.testing.assert_array_equal(read_pair(item, raw, MANY)[1], label(int(item.id[-1])))
    assert note in "\n".join(raw.notes.lines())


def twice(found):
    found["categories"].append({"id": 9, "name": "bird"})


def unnamed(found):
    found["categories"][0]["name"] = None


def empty_name(found):
    found["categories"][0]["name"] = " "


def two_backgrounds(found):
    found["categories"] += [{"id": 8, "name": "background"}, {"id": 9, "name": "_background_"}]


def orphans(found):
    for each in found["annotations"]:
        each["image_id"] += 1000


def same_id(found):
    found["images"][1]["id"] = 0


def many(found):
    found["categories"] += [{"id": 10 + number, "name": f"thing {number}"} for number in range(253)]


REFUSED = {
    twice: r"found 2 classes called bird, expected each name once",
    unnamed: r"found the class name None, expected text",
    empty_name: r"found the class name ' ', expected text",
    two_backgrounds: r"found 2 classes called background",
    orphans: r"4 of 4 annotations, first 1: image_id matches no picture",
    same_id: r"id 0 is given to '0\.png' and '1\.png'",
    many: r"256 classes, background counted, expected at most 255",
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_file_that_contradicts_itself_is_refused_in_one_line(change, tmp_path):
    found = coco_lists(range(2))
    change(found)
    write(tmp_path, found)
    with pytest.raises(DataError, match=REFUSED[change]) as error:
        read_dataset("coco", tmp_path)
    assert "\n" not in str(error.value)


def test_as_many_categories_as_a_label_holds_are_learned_and_not_void(tmp_path):
    found = coco_lists(range(2))
    found["categories"] = [{"id": number, "name": f"thing {number}"} for number in range(1, 255)]
    for each in found["annotations"]:
        each["category_id"] = 254
    write(tmp_path, found)
    raw = read_dataset("coco", tmp_path)
    assert len(raw.classes) == 255
    assert np.unique(read_pair(next(iter(raw.items)), raw, MANY)[1]).tolist() == [0, 254]


def test_one_picture_listed_twice_is_quarantined_since_each_entry_may_have_half_its_annotations(tmp_path):
    found = coco_lists(range(3))
    found["images"][1]["file_name"] = "0.png"
    write(tmp_path, found)
    raw = read_dataset("coco", tmp_path)
    reasons = []
    for item in raw.items:
        try:
            read_pair(item, raw, MANY)
        except DataError as error:
            reasons.append(str(error))
    assert len(reasons) == 2
    assert all("listed 2 times" in reason for reason in reasons)


MAPPINGS = {
    "merged": ({"thing": ["bird", "tree"]}, ["background", "thing"], {1: 1, 2: 1}),
    "renamed": ({"oak": ["tree"]}, ["background", "bird", "oak"], {1: 1, 2: 2}),
    "void": ({"void": ["bird"]}, ["background", "tree"], {1: 255, 2: 1}),
    "background": ({"background": ["background", "bird"]}, ["background", "tree"], {1: 0, 2: 1}),
    "dropped": ({"dropped": ["bird"]}, ["background", "tree"], {1: 1, 2: 1}),
    "others": ({"tree": ["tree"], "background": ["*"]}, ["background", "tree"], {1: 0, 2: 1}),
}


@pytest.mark.parametrize("kind", MAPPINGS)
def test_classes_are_merged_renamed_and_dropped_by_the_key_classes(kind, tmp_path):
    wanted, names, values = MAPPINGS[kind]
    write_coco(tmp_path, (0, 1), "annotations/instances_train.json", "train")
    ingest.run(IngestParams(dataset="coco", root=tmp_path, classes=wanted), tmp_path / "out")
    split = PreparedData(tmp_path / "out").split("train")
    expected = label(int(split[0].id[-1]))
    assert list(split.classes.names) == names
    np.testing.assert_array_equal(split[0].label, np.select([expected == 1, expected == 2], [values[1], values[2]]))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"thing": ["brid"]}, "ingest.classes.thing: found brid, expected any of: background, bird, tree"),
        ({"thing": ["bird"], "other": ["bird"]}, "ingest.classes.other: found bird, which thing has too"),
        ({"tree": ["bird"]}, "ingest.classes.tree: the data has a class tree too"),
        ({"void": ["*"]}, "ingest.classes: no class of coco is left"),
    ],
)
def test_a_wrong_name_among_classes_is_one_line(wanted, message, tmp_path):
    write_coco(tmp_path, (0, 1), "annotations/instances_train.json", "train")
    with pytest.raises(ParamsError, match=re.escape(message)):
        ingest.run(IngestParams(dataset="coco", root=tmp_path, classes=wanted), tmp_path / "out")
