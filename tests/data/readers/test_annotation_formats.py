"""The formats of labelling tools: one world written in each of them gives one label."""

import numpy as np
import pytest
from support.annotation_sets import FORMATS, label, picture

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import read_dataset
from pixelwise.data.recognition import recognise

SPLITS = {"train": (0, 1, 2, 3), "val": (4, 5)}
MANY = 10**6


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_pictures_labels_and_splits(name, tmp_path):
    FORMATS[name](tmp_path, SPLITS)
    assert recognise(tmp_path)[0].dataset == name
    raw = read_dataset(name, tmp_path)
    assert sorted(raw.classes.names) == ["background", "bird", "tree"]
    items = {int(item.id.rpartition("/")[2]): item for item in raw.items}
    assert {number: item.split for number, item in items.items()} == {
        number: split for split, numbers in SPLITS.items() for number in numbers
    }
    for number, item in items.items():
        image, found = read_pair(item, raw, MANY)
        np.testing.assert_array_equal(image, np.asarray(picture(number)))
        np.testing.assert_array_equal(found, label(number, raw.classes.names))
