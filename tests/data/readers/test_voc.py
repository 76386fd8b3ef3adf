"""PASCAL VOC in VOCdevkit's layout."""

import numpy as np
import pytest
from support.image_sets import write_voc

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import voc
from pixelwise.errors import DataError

MANY = 10**6


def splits_of(raw):
    return {item.id: item.split for item in raw.items}


def test_voc_reads_palette_pngs_as_indices_with_255_void(tmp_path):
    raw = voc.read(write_voc(tmp_path, {"train": ["2007_000001"]}))
    image, label = read_pair(raw.items[0], raw, MANY)
    assert image.shape == (24, 32, 3)
    assert (label[:4, :4] == 255).all()
    assert label[4:].max() <= 20


def test_voc_has_21_names_and_the_published_colours(tmp_path):
    classes = voc.read(write_voc(tmp_path, {"train": ["a"]})).classes
    assert len(classes) == 21
    colours = dict(zip(classes.names, classes.palette, strict=True))
    assert colours["aeroplane"] == (128, 0, 0)
    assert colours["person"] == (192, 128, 128)
    assert colours["tvmonitor"] == (0, 64, 128)


@pytest.mark.parametrize("below", ["", "VOC2012", ".."])
def test_voc_root_is_the_devkit_a_year_or_what_holds_them(tmp_path, below):
    write_voc(tmp_path / "download" / "VOCdevkit", {"train": ["a"]})
    assert len(voc.read(tmp_path / "download" / "VOCdevkit" / below).items) == 1


def test_voc_drops_the_union_trainval(tmp_path):
    raw = voc.read(write_voc(tmp_path, {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"]}))
    assert splits_of(raw) == {"a": "train", "b": "train", "c": "val"}


def test_voc_keeps_further_lists_as_splits_without_the_pictures_of_shorter_ones(tmp_path):
    raw = voc.read(write_voc(tmp_path, {"train": ["a"], "val": ["b"], "train_sbd": ["a", "c", "d"]}))
    assert splits_of(raw) == {"a": "train", "b": "val", "c": "train_sbd", "d": "train_sbd"}


def test_voc_drops_a_list_without_any_label(tmp_path):
    write_voc(tmp_path, {"train": ["a"], "test": ["x", "y"]})
    for id_ in "xy":
        (tmp_path / "VOC2012" / "SegmentationClass" / f"{id_}.png").unlink()
    assert splits_of(voc.read(tmp_path)) == {"a": "train"}


def test_voc_takes_sbds_labels_where_it_has_none_of_its_own(tmp_path):
    folder = write_voc(tmp_path, {"val": ["b"], "trainaug": ["a", "b", "c"]}) / "VOC2012"
    aug = folder / "SegmentationClassAug"
    aug.mkdir()
    for id_ in "ac":
        (folder / "SegmentationClass" / f"{id_}.png").rename(aug / f"{id_}.png")
    (aug / "b.png").write_bytes(b"SBD's own label of a picture that VOC labelled")
    raw = voc.read(tmp_path)
    assert splits_of(raw) == {"a": "trainaug", "b": "val", "c": "trainaug"}
    assert [item.label.parent.name for item in raw.items] == [*["SegmentationClassAug"] * 2, "SegmentationClass"]
    assert all(read_pair(item, raw, MANY)[1].shape == (24, 32) for item in raw.items)


def test_voc_refuses_an_id_that_is_a_path(tmp_path):
    write_voc(tmp_path, {"train": ["a"]})
    (tmp_path / "VOC2012" / voc.LISTS / "val.txt").write_text("../../a\n")
    with pytest.raises(DataError, match=r"val\.txt: found '\.\./\.\./a', expected one picture id a line"):
        voc.read(tmp_path)


def test_voc_names_a_list_that_is_no_text(tmp_path):
    write_voc(tmp_path, {"train": ["a"]})
    (tmp_path / "VOC2012" / voc.LISTS / "val.txt").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"val\.txt: not UTF-8 text: byte 0 is 0xff"):
        voc.read(tmp_path)


def test_voc_reads_a_list_with_a_byte_order_mark(tmp_path):
    write_voc(tmp_path, {"train": ["a", "b"]})
    (tmp_path / "VOC2012" / voc.LISTS / "train.txt").write_text("a\nb\n", encoding="utf-8-sig")
    assert splits_of(voc.read(tmp_path)) == {"a": "train", "b": "train"}


def test_voc_takes_the_first_of_several_years(tmp_path):
    write_voc(tmp_path, {"train": ["old"]})
    (tmp_path / "VOC2012").rename(tmp_path / "VOC2007")
    write_voc(tmp_path, {"train": ["new"]})
    assert splits_of(voc.read(tmp_path)) == {"old": "train"}
    assert splits_of(voc.read(tmp_path / "VOC2012")) == {"new": "train"}


def test_real_voc_reads_whole(real_data):
    raw = voc.read(real_data / "voc")
    splits = [item.split for item in raw.items]
    assert {name: splits.count(name) for name in set(splits)} == {"train": 437, "train_sbd": 600, "val": 100}
    for item in raw.items[::400]:
        _, label = read_pair(item, raw, MANY)
        assert set(np.unique(label)) <= {*range(21), 255}
