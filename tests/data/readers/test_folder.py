"""A plain folder of images and masks."""

import os

import numpy as np
import pytest
from PIL import Image
from support.image_sets import mask, noise, save, write_folder

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import folder
from pixelwise.errors import DataError, PixelwiseError

MANY = 10**6


def test_folder_with_a_folder_a_split(tmp_path):
    raw = folder.read(write_folder(tmp_path, ["train/images/a", "train/images/b", "test/images/a"]))
    assert [(item.id, item.split) for item in raw.items] == [
        ("test/a", "test"),
        ("train/a", "train"),
        ("train/b", "train"),
    ]


def test_folder_without_splits_holds_out_the_same_tenth_every_time(tmp_path):
    write_folder(tmp_path, [f"images/{number:03d}" for number in range(30)])
    splits = [item.split for item in folder.read(tmp_path).items]
    assert splits.count("val") == 3
    assert splits == [item.split for item in folder.read(tmp_path).items]


def test_folder_holds_out_whole_clips(tmp_path):
    write_folder(tmp_path, [f"images/clip{clip}/{frame:02d}" for clip in range(3) for frame in range(4)])
    items = folder.read(tmp_path).items
    assert {len({item.split for item in items if item.clip == f"clip{clip}"}) for clip in range(3)} == {1}
    assert sorted(item.frame for item in items if item.split == "val") == [0, 1, 2, 3]


def test_folder_pairs_pictures_of_one_name_and_any_suffix(tmp_path):
    write_folder(tmp_path, ["images/a"])
    (tmp_path / "masks" / "a.png").unlink()
    save(mask(0, 2), tmp_path / "masks" / "a.BMP")
    raw = folder.read(tmp_path)
    assert read_pair(raw.items[0], raw, MANY)[1].shape == (24, 32)


def test_folder_names_half_a_pair(tmp_path):
    write_folder(tmp_path, ["images/a", "images/b"])
    (tmp_path / "images" / "a.jpg").unlink()
    (tmp_path / "masks" / "b.png").unlink()
    raw = folder.read(tmp_path)
    with pytest.raises(DataError, match=r"image a\.jpg: missing, expected images/a\.jpg"):
        read_pair(raw.items[0], raw, MANY)
    with pytest.raises(DataError, match=r"label b: missing, expected one for b"):
        read_pair(raw.items[1], raw, MANY)


def test_folder_maps_values_of_sixteen_bits_to_classes(tmp_path):
    write_folder(tmp_path, ["images/a"], values={0: "void", 7: "ground", 1000: "thing"})
    save(Image.fromarray(np.array(mask(0, 2)).astype(np.uint16) * 993 + 7), tmp_path / "masks" / "a.png")
    raw = folder.read(tmp_path)
    assert (read_pair(raw.items[0], raw, MANY)[1] == np.array(mask(0, 2))).all()


def test_folder_takes_colours_or_gives_some(tmp_path):
    assert folder.read(write_folder(tmp_path, ["images/a"])).classes.palette == ((0, 0, 0), (128, 0, 0))
    colours = [[1, 2, 3], [4, 5, 6]]
    assert folder.read(write_folder(tmp_path, ["images/a"], colours=colours)).classes.palette == ((1, 2, 3), (4, 5, 6))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"names": []}, r"classes\.yaml\.names: found \[\]"),
        ({"names": ["a", "a"]}, "expected each once"),
        ({"colors": [[0, 0, 0]]}, r"classes\.yaml\.colors: unknown key"),
        ({"colours": [[0, 0, 0]]}, "1 colours, expected 2"),
        ({"colours": [[0, 0, 0], [0, 0, 300]]}, r"colours\.1\.2: found 300"),
        ({"names": ["void", "road"]}, "names: found void, expected classes alone; values says which value is void"),
        ({"values": {3: "cat"}}, "value 3: found cat, expected void or one of: ground, thing"),
    ],
)
def test_folder_names_the_fault_of_classes_yaml_in_one_line(tmp_path, classes, message):
    write_folder(tmp_path, ["images/a"], **classes)
    with pytest.raises(PixelwiseError, match=message) as error:
        folder.read(tmp_path)
    assert "\n" not in str(error.value)


def test_folder_names_a_date_that_is_none_in_one_line(tmp_path):
    write_folder(tmp_path, ["images/a"])
    (tmp_path / "classes.yaml").write_text("names: [a, 2001-99-99]\n")
    with pytest.raises(DataError, match=r"classes\.yaml: not YAML: month must be in 1\.\.12"):
        folder.read(tmp_path)


def test_folder_counts_frames_by_the_millisecond(tmp_path):
    items = folder.read(
        write_folder(tmp_path, [f"train/images/s/{time}" for time in (1623456789123, 1623456789163)])
    ).items
    assert [item.frame for item in items] == [1623456789123, 1623456789163]


def test_folder_orders_frames_whose_number_a_manifest_cannot_hold(tmp_path):
    write_folder(tmp_path / "raw", ["train/images/s/1623456789123", f"train/images/s/{'9' * 19}", "val/images/s/1"])
    ingest.run(IngestParams(dataset="folder", root=tmp_path / "raw"), tmp_path / "prepared")
    rows = PreparedData(tmp_path / "prepared").split("train").rows
    assert [row["frame"] for row in rows] == [0, 1]


def test_folder_names_a_file_name_that_is_no_utf_8(tmp_path):
    write_folder(tmp_path, ["images/a", "images/b"])
    (tmp_path / "images" / "a.jpg").rename(tmp_path / "images" / os.fsdecode(b"stra\xdfe.jpg"))
    with pytest.raises(
        DataError, match=r"found the file name 'images/stra\\udcdfe\.jpg', expected UTF-8; rename it"
    ) as error:
        folder.read(tmp_path)
    assert str(error.value).isprintable()


def test_folder_refuses_two_pictures_of_one_name(tmp_path):
    write_folder(tmp_path, ["images/a"])
    save(noise(1), tmp_path / "images" / "a.png")
    with pytest.raises(DataError, match=r"found a\.jpg and a\.png, expected one picture a"):
        folder.read(tmp_path)


def test_folder_without_images_says_so(tmp_path):
    with pytest.raises(DataError, match="no images and no <split>/images"):
        folder.read(write_folder(tmp_path, []))


def test_folder_without_classes_says_so(tmp_path):
    with pytest.raises(DataError, match=r"not found.*classes\.yaml"):
        folder.read(tmp_path)
