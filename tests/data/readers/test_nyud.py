"""NYUDv2 in Gupta et al.'s layout."""

import numpy as np
import pytest
from support.image_sets import noise
from support.matlab_sets import save_mat, values, write_nyud

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.item_inspection import read_layer, read_pair
from pixelwise.data.orientation import Upright
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import nyud
from pixelwise.errors import DataError

MANY = 10**6
LISTS = {"train": ["5003"], "val": ["5004"], "trainval": ["5003", "5004"], "test": ["5001", "5002"]}


def test_nyud_has_40_classes_and_drops_the_union_trainval(tmp_path):
    raw = nyud.read(write_nyud(tmp_path, LISTS))
    assert {item.id: item.split for item in raw.items} == {
        "5003": "train",
        "5004": "val",
        "5001": "test",
        "5002": "test",
    }
    assert len(raw.classes) == 40
    assert (raw.classes.names[0], raw.classes.names[39]) == ("wall", "otherprop")


def test_nyud_0_is_void_and_1_to_40_are_the_classes_as_subtracting_one_from_uint8_gives(tmp_path):
    raw = nyud.read(write_nyud(tmp_path, LISTS))
    item = raw.items[0]
    _, label = read_pair(item, raw, MANY)
    stored = values(int(item.id), 0, 40)
    assert (stored == 0).any()
    assert (label == stored - np.uint8(1)).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_nyud_labels_are_read_in_every_type_they_are_published_in(tmp_path, dtype):
    raw = nyud.read(write_nyud(tmp_path, LISTS))
    every = np.arange(24 * 32).reshape(24, 32) % 41
    save_mat(raw.items[0].label.path, segmentation=every.astype(dtype))
    _, label = read_pair(raw.items[0], raw, MANY)
    assert (label == every.astype(np.uint8) - np.uint8(1)).all()


def test_nyud_depth_becomes_centimetres_and_hha_keeps_its_three_channels(tmp_path):
    root = write_nyud(tmp_path / "raw", {"train": ["5003"]})
    ingest.run(IngestParams(dataset="nyud", root=root), tmp_path / "prepared")
    data = PreparedData(tmp_path / "prepared")
    assert data.layers == ("depth", "hha")
    split = data.split("train")
    depth = split.layer(0, "depth")
    assert depth.dtype == np.uint16
    assert (depth == np.rint(values(5003, 0, 9999, np.uint16) / 10)).all()
    assert (split.layer(0, "hha") == np.array(noise(5004))).all()


def test_nyud_layers_are_those_that_are_there(tmp_path):
    raw = nyud.read(write_nyud(tmp_path, LISTS, layers=("depth",)))
    assert [tuple(item.layers) for item in raw.items] == [("depth",)] * 4
    with pytest.raises(DataError, match=r"5003: no layer hha, found: depth"):
        read_layer("hha", raw.items[0], Upright((32, 24)), MANY)


def test_nyud_is_found_with_its_pictures_beside_the_lists(tmp_path):
    root = write_nyud(tmp_path, LISTS)
    for name in ("images", "depth", "hha"):
        (root / "nyud" / "data" / name).rename(root / "nyud" / name)
    raw = nyud.read(root)
    image, _ = read_pair(raw.items[0], raw, MANY)
    assert (image == np.array(noise(5003))).all()


def test_nyud_says_what_it_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"not found here .*: NYUDv2's segmentation/img_<id>\.mat"):
        nyud.read(tmp_path)
