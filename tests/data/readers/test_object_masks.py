"""Readers of object masks: DAVIS, frames of it, COCO's objects, and all of them with VOC."""

import numpy as np
import pytest
from support.object_sets import write_coco_mval, write_davis, write_davis_frames, write_together

from pixelwise.data.item_inspection import read_layer, read_pair
from pixelwise.data.items import RawData
from pixelwise.data.orientation import Upright
from pixelwise.data.readers import davis, object_masks
from pixelwise.data.recognition import recognise
from pixelwise.errors import DataError


def labels(raw: RawData) -> list[set[int]]:
    return [set(np.unique(read_pair(item, raw, 10**6)[1]).tolist()) for item in raw.items]


def test_davis_frames_come_in_order_as_clips_of_their_split(tmp_path):
    raw = davis.read(write_davis(tmp_path, {"train": {"swan": 2}, "val": {"dog": 3}}))
    assert [(item.split, item.clip, item.frame) for item in raw.items] == [
        ("train", "swan", 0),
        ("train", "swan", 1),
        *[("val", "dog", frame) for frame in range(3)],
    ]
    assert labels(raw) == [{0, 1}] * 5


def test_davis_2017_objects_are_one_class_whose_ids_the_instance_layer_keeps(tmp_path):
    raw = davis.read(write_davis(tmp_path, {"val": {"dogs": 1}}, year="2017", objects=2))
    assert labels(raw) == [{0, 1}]
    assert set(np.unique(read_layer("instance", raw.items[0], Upright((64, 48)), 10**6)).tolist()) == {0, 1, 2}


def test_a_sequence_that_a_list_names_and_that_has_no_frames_is_named(tmp_path):
    root = write_davis(tmp_path, {"val": {"dog": 1}})
    (root / "ImageSets/2016/val.txt").write_text("dog\ncow\n")
    with pytest.raises(DataError, match="no frames of cow"):
        davis.read(root)


def test_the_last_sequences_of_davis_frames_are_val_and_all_objects_one_class(tmp_path):
    raw = object_masks.read_frames(write_davis_frames(tmp_path, "aabcdefg"))
    assert {item.clip for item in raw.items if item.split == "train"} == {"a", "b"}
    assert {item.clip for item in raw.items if item.split == "val"} == set("cdefg")
    assert labels(raw) == [{0, 1}] * 8


def test_an_object_of_coco_mval_is_labelled_as_its_category(tmp_path):
    raw = object_masks.read_mval(write_coco_mval(tmp_path, ["tv", "bowl", "tv"]))
    assert raw.classes.names == ("background", "bowl", "tv")
    assert labels(raw) == [{0, 2}, {0, 1}, {0, 2}]


def test_together_share_vocs_classes_and_keep_its_val_apart(tmp_path):
    raw = object_masks.read_together(
        write_together(tmp_path, {"train": ["a"], "val": ["b"]}, ["couch", "kite"], "abcdef")
    )
    assert raw.classes.names[-2:] == ("kite", "object")
    by_id = {item.id: item for item in raw.items}
    assert (by_id["voc/a"].split, by_id["voc/b"].split) == ("train", "val")
    found = read_pair(by_id["coco/0000"], raw, 10**6)[1]
    assert raw.classes.names[int(found.max())] == "sofa"
    assert [item.split for item in raw.items if item.id.startswith("davis/")] == ["train", *["val"] * 5]


@pytest.mark.parametrize("read", [object_masks.read_mval, object_masks.read_frames])
def test_a_list_of_masks_that_is_missing_or_lacks_a_column_is_named(tmp_path, read):
    with pytest.raises(DataError, match="no such file, expected a list"):
        read(tmp_path)
    (tmp_path / "index.tsv").write_text("id\tshape\n1\tround\n")
    with pytest.raises(DataError, match="expected columns id"):
        read(tmp_path)


def test_lists_of_object_masks_are_recognised_also_one_folder_deeper(tmp_path):
    write_together(tmp_path / "all", {"train": ["a"], "val": ["b"]}, ["bowl"], "aabcdefg")
    for folder, name in {"": "guided", "/coco_mval": "coco_mval", "/davis_frames": "davis_frames"}.items():
        assert recognise(tmp_path / f"all{folder}")[0].dataset == name
    assert recognise(tmp_path)[0].dataset == "guided"
    assert len(object_masks.read_mval(tmp_path / "all").items) == 1
