"""Names of pictures: a path, or as much of its end as tells it from the others."""

from pathlib import Path

import pytest

from pixelwise.data.path_names import match_files, match_names
from pixelwise.errors import DataError

PICTURES = [Path("rec/camera0/0000.png"), Path("rec/camera1/0000.png"), Path("rec/camera1/0001.png")]


def test_the_end_of_a_path_names_a_picture():
    names = ["camera0/0000.png", "rec/camera1/0000.png", "0001.png"]
    assert list(match_names(names, PICTURES, "clicks.json").values()) == PICTURES


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["0000.png"],
            "0000.png means rec/camera0/0000.png and rec/camera1/0000.png, expected its folder too",
        ),
        (["0002.png"], "clicks.json: 0002.png is not among the pictures"),
        (["001.png"], "clicks.json: 001.png is not among the pictures"),
        (["0001.png", "camera1/0001.png"], "0001.png and camera1/0001.png both mean rec/camera1/0001.png"),
    ],
)
def test_a_name_of_no_picture_or_several_is_refused_with_them(names, message):
    with pytest.raises(DataError, match=message):
        match_names(names, PICTURES, "clicks.json")


def files(*names):
    return [Path("masks") / name for name in names]


def test_a_mask_belongs_to_the_picture_of_its_path():
    masks = files("camera0/0000.png", "camera1/0000.png", "0000.png", "0001.bmp")
    found = match_files(PICTURES, Path("masks"), masks)
    assert list(found.values()) == [masks[0], masks[1], masks[3]]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (files("0000.png", "0001.png"), "masks/0000.png: belongs to rec/camera0/0000.png and rec/camera1/0000.png"),
        (files("camera0/0000.png"), "masks: no file for rec/camera1/0000.png, expected 0000.png"),
        (files("camera0/0000.png", "camera0/0000.bmp"), "found masks/camera0/0000.png and masks/camera0/0000.bmp"),
    ],
)
def test_a_mask_of_several_pictures_or_none_is_refused_with_them(masks, message):
    with pytest.raises(DataError, match=message):
        match_files(PICTURES, Path("masks"), masks)
