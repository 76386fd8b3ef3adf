"""Cityscapes, stills and sequences."""

import numpy as np
import pytest
from PIL import Image
from support.image_sets import noise
from support.matlab_sets import values
from support.video_sets import write_cityscapes

from pixelwise.data.item_inspection import Rejected, inspect_item, read_pair
from pixelwise.data.readers import cityscapes
from pixelwise.errors import DataError

MANY = 10**6
CLIPS = {"train": ["aachen_000000_000019"], "val": ["munster_000001_000019", "frankfurt_000000_001236"]}


def test_cityscapes_stills_are_train_and_val_with_19_classes(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, CLIPS))
    assert len(raw.classes) == 19
    assert (raw.classes.names[0], raw.classes.names[18]) == ("road", "bicycle")
    assert [(item.id, item.split) for item in raw.items] == [
        ("aachen_000000_000019", "train"),
        ("frankfurt_000000_001236", "val"),
        ("munster_000001_000019", "val"),
    ]


def test_cityscapes_a_labelled_frame_comes_after_the_19_before_it(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["frankfurt_000000_001236"]}, preceding=25))
    assert [item.frame for item in raw.items] == list(range(1217, 1237))
    assert [item.split for item in raw.items] == ["val_frames"] * 19 + ["val"]
    assert {item.clip for item in raw.items} == {"frankfurt_000000_001236"}
    before, _ = read_pair(raw.items[0], raw, MANY)
    assert (before == np.array(noise(1217))).all()


def test_cityscapes_a_frame_that_is_missing_is_a_gap(tmp_path):
    root = write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}, preceding=3)
    (root / "leftImg8bit_sequence/val/ulm/ulm_000000_000017_leftImg8bit.png").unlink()
    assert [item.frame for item in cityscapes.read(root).items] == [16, 18, 19]


def test_cityscapes_sequences_alone_hold_the_labelled_frame_too(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}, preceding=2, stills=False))
    image, _ = read_pair(raw.items[-1], raw, MANY)
    assert (image == np.array(noise(19))).all()


def test_cityscapes_ids_become_the_19_train_ids_and_void(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}))
    _, label = read_pair(raw.items[0], raw, MANY)
    ids = values(0, 0, 33)
    # cityscapesScripts' labels.py, by train id.
    train = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    expected = np.array([train.index(id_) if id_ in train else 255 for id_ in ids.ravel()]).reshape(ids.shape)
    assert (label == expected).all()
    assert (label == 255).any()


def test_cityscapes_train_ids_are_read_as_they_are(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}, kind="labelTrainIds"))
    stored = values(0, 0, 18)
    stored[0] = 255
    Image.fromarray(stored).save(raw.items[0].label)
    assert (read_pair(raw.items[0], raw, MANY)[1] == stored).all()


def test_cityscapes_ids_are_taken_where_both_kinds_are_there(tmp_path):
    for kind in ("labelTrainIds", "labelIds"):
        write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}, kind=kind)
    (item,) = cityscapes.read(tmp_path).items
    assert item.label.path.name == "ulm_000000_000019_gtFine_labelIds.png"


def test_cityscapes_test_is_left_out_as_its_labels_have_no_class(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"], "test": ["bonn_000000_000019"]}))
    assert [item.split for item in raw.items] == ["val"]


def test_cityscapes_a_value_that_is_no_id_is_named(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}))
    Image.fromarray(np.full((24, 32), 34, np.uint8)).save(raw.items[0].label.path)
    found = inspect_item(raw.items[0], raw, MANY)
    assert isinstance(found, Rejected)
    assert found.reason.endswith("_labelIds.png: value 34, but cityscapes has ids 0–33")


def test_cityscapes_a_label_of_another_name_is_named(tmp_path):
    root = write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]})
    folder = root / "gtFine/val/ulm"
    (folder / "ulm_000000_000019_gtFine_labelIds.png").rename(folder / "ulm_gtFine_labelIds.png")
    with pytest.raises(DataError, match=r"ulm_gtFine_labelIds\.png: expected the name city_sequence_frame_gtFine"):
        cityscapes.read(root)


def test_cityscapes_without_labels_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"not found here .*: Cityscapes' gtFine beside leftImg8bit"):
        cityscapes.read(tmp_path)
