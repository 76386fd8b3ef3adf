"""PASCAL-Context beside VOC2010."""

import numpy as np
import pytest
from support.matlab_sets import save_mat, write_context

from pixelwise.data.item_inspection import Rejected, inspect_item, read_pair
from pixelwise.data.readers import context
from pixelwise.errors import DataError

MANY = 10**6
NAMES = 459
LISTS = {"train": ["2008_000002"], "val": ["2008_000003", "2008_000007"]}


def write_whole_context(root, lists):
    """PASCAL-Context with as many raw names as it has: names of no class, one of two words, fill up the 459."""
    root = write_context(root, lists)
    file = root / "pascal-context" / "labels.txt"
    names = [line.partition(": ")[2] for line in file.read_text().splitlines()]
    names += [f"other thing {number}" for number in range(NAMES - len(names))]
    file.write_text("".join(f"{value}: {name}\n" for value, name in enumerate(sorted(names), start=1)))
    return root


def raw_value(root, name):
    """The value of a raw name, as labels.txt has it."""
    lines = (root / "pascal-context" / "labels.txt").read_text().splitlines()
    return {line.partition(": ")[2]: int(line.partition(":")[0]) for line in lines}[name]


def label_of(root, stored):
    """The classes of a label map whose first pixels have the values `stored`."""
    raw = context.read(root)
    values = np.ones((24, 32), np.uint16)
    values[0, : len(stored)] = stored
    save_mat(raw.items[0].label.path, LabelMap=values)
    return read_pair(raw.items[0], raw, MANY)[1][0, : len(stored)].tolist()


def test_context_has_60_outputs_and_vocs_lists(tmp_path):
    raw = context.read(write_whole_context(tmp_path, LISTS))
    assert {item.id: item.split for item in raw.items} == {
        "2008_000002": "train",
        "2008_000003": "val",
        "2008_000007": "val",
    }
    assert len(raw.classes) == 60
    assert [raw.classes.names[index] for index in (0, 1, 20, 21, 59)] == [
        "background",
        "aeroplane",
        "tvmonitor",
        "bag",
        "wood",
    ]


def test_every_one_of_the_59_classes_has_a_raw_value_of_its_own(tmp_path):
    raw = context.read(write_whole_context(tmp_path, LISTS))
    assert list(raw.label_values) == list(range(NAMES + 1))
    meant = [index for index in raw.label_values.values() if index]
    assert sorted(meant) == list(range(1, 60))


def test_three_classes_have_another_name_among_the_raw_labels(tmp_path):
    root = write_whole_context(tmp_path, LISTS)
    stored = [raw_value(root, name) for name in ("table", "bedclothes", "cloth", "sky")]
    names = context.read(root).classes.names
    assert [names[index] for index in label_of(root, stored)] == ["diningtable", "bedcloth", "clothes", "sky"]


def test_all_other_labels_are_background_and_none_is_void(tmp_path):
    root = write_whole_context(tmp_path, LISTS)
    stored = [raw_value(root, name) for name in ("accordion", "air conditioner", "clothes tree", "unknown")]
    assert label_of(root, [*stored, 0]) == [0] * 5
    raw = context.read(root)
    assert 255 not in raw.label_values.values()


def test_a_value_beyond_the_names_is_refused(tmp_path):
    raw = context.read(write_whole_context(tmp_path, LISTS))
    save_mat(raw.items[0].label.path, LabelMap=np.full((24, 32), 500, np.uint16))
    found = inspect_item(raw.items[0], raw, MANY)
    assert isinstance(found, Rejected)
    assert found.reason.startswith("label 2008_000002.mat: value 500, but context has classes 0–459")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1: wall\n2: sky\n", r"labels\.txt: no aeroplane, expected PASCAL-Context's 459 names"),
        ("wall\n", r"labels\.txt line 1: found 'wall', expected `value: name`"),
    ],
)
def test_a_wrong_list_of_names_is_named(tmp_path, text, reason):
    root = write_whole_context(tmp_path, LISTS)
    (root / "pascal-context" / "labels.txt").write_text(text)
    with pytest.raises(DataError, match=reason):
        context.read(root)


def test_context_says_that_voc2010_is_missing(tmp_path):
    root = write_whole_context(tmp_path, LISTS)
    (root / "VOCdevkit" / "VOC2010").rename(root / "VOCdevkit" / "VOC2012")
    with pytest.raises(DataError, match=r"not found here .*: VOC2010/ImageSets/Main"):
        context.read(root)
