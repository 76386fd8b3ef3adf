"""Slices of a split: by what they are made, and what a user's table adds."""

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.evaluation.error_analysis.slices import PictureFacts, match_columns, read_rows, slice_pictures

COUNTS = np.stack([np.diag([place + 1, 0]) for place in range(6)])


def test_pictures_are_sliced_by_whatever_differs_between_them():
    facts = [PictureFacts(clip, (10, 20), 30.0 * place) for place, clip in enumerate("aabbbb")]
    slices = slice_pictures(facts, COUNTS, {"weather": ["rain", "sun"] * 3, "camera": ["left"] * 6})
    assert list(slices) == ["clip", "brightness", "weather"]
    assert [(each.name, each.images, int(each.counts.sum())) for each in slices["clip"]] == [("a", 2, 3), ("b", 4, 18)]
    assert [each.images for each in slices["brightness"]] == [2, 2, 2]
    assert sorted(each.name for each in slices["brightness"]) == [
        "highest third: 120 to 150 of 255",
        "lowest third: 0 to 30 of 255",
        "middle third: 60 to 90 of 255",
    ]
    assert [int(each.counts.sum()) for each in slices["weather"]] == [9, 12]


def test_a_slice_without_a_labelled_pixel_is_left_out():
    facts = [PictureFacts(clip, (10, 20), 0.0) for clip in "ab"]
    assert [each.name for each in slice_pictures(facts, COUNTS[:2] * [[[0]], [[1]]], {})["clip"]] == ["b"]


def test_brightness_is_the_mean_of_the_channels():
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 90
    assert PictureFacts.measure("", image) == PictureFacts("", (8, 8), 30.0)


def test_a_line_belongs_to_the_picture_whose_id_its_path_ends_in(tmp_path):
    file = tmp_path / "weather.csv"
    file.write_text("weather,path\nrain,/data/val/a.jpg\nsun,val/b\n,val/c.png\n")
    columns = match_columns(read_rows(file), ["val/a", "val/b", "val/c", "val/d"])
    assert columns == {"weather": ["rain", "sun", "none", "none"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,weather\na,rain\n", "found id, weather and 1 lines, expected the column path"),
        ("path\na\n", "found path and 1 lines, expected the column path, others"),
        ("path,weather\n", "found path, weather and 0 lines"),
        ("", "found nothing and 0 lines"),
    ],
)
def test_a_table_without_paths_or_columns_is_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / "table.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_rows(file)
    assert "\n" not in str(caught.value)


def test_a_table_of_other_pictures_names_one_of_both(tmp_path):
    with pytest.raises(DataError, match=r"found the path train/a\.png, expected pictures of the split, such as val/a"):
        match_columns([{"path": "train/a.png", "weather": "rain"}], ["val/a"])
    with pytest.raises(DataError, match=r"missing\.csv"):
        read_rows(tmp_path / "missing.csv")
