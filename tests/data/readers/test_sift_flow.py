"""SIFT Flow in its published layout."""

import numpy as np
import pytest
from support.matlab_sets import values, write_sift_flow

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.item_inspection import read_layer, read_pair
from pixelwise.data.orientation import Upright
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import sift_flow
from pixelwise.errors import DataError

MANY = 10**6
TRAIN, TEST = ["coast_a", "forest_b", "highway_bost181", "street_urb506"], ["coast_natu975"]


def test_sift_flow_takes_the_test_list_and_leaves_out_the_two_pictures_without_labels(tmp_path):
    raw = sift_flow.read(write_sift_flow(tmp_path, TRAIN, TEST))
    assert {item.id: item.split for item in raw.items} == {
        "coast_a": "train",
        "forest_b": "train",
        "coast_natu975": "test",
    }
    assert len(raw.classes) == 33
    assert (raw.classes.names[0], raw.classes.names[27], raw.classes.names[32]) == ("awning", "sky", "window")


def test_sift_flow_semantics_are_shifted_by_one_with_0_as_void(tmp_path):
    raw = sift_flow.read(write_sift_flow(tmp_path, TRAIN, TEST))
    _, label = read_pair(raw.items[0], raw, MANY)
    stored = values(0, 0, 33)
    assert set(np.unique(stored)) == set(range(34))
    assert (label == stored - np.uint8(1)).all()


def test_sift_flow_geometry_is_sky_horizontal_vertical_with_0_and_below_as_void(tmp_path):
    raw = sift_flow.read(write_sift_flow(tmp_path, TRAIN, TEST))
    geometry = read_layer("geometry", raw.items[0], Upright((32, 24)), MANY)
    stored = values(0, -1, 3, np.int8)
    # -1 becomes 0, and subtracting one from uint8 makes 0 void.
    assert (geometry == np.where(stored == -1, 0, stored).astype(np.uint8) - np.uint8(1)).all()
    assert set(np.unique(geometry)) == {0, 1, 2, 255}
    assert sift_flow.GEOMETRY == ("sky", "horizontal", "vertical")


def test_sift_flow_is_prepared_with_both_labels(tmp_path):
    root = write_sift_flow(tmp_path / "raw", TRAIN, TEST)
    report = ingest.run(IngestParams(dataset="sift_flow", root=root), tmp_path / "prepared")
    assert (report.splits, report.quarantined) == ({"train": 2, "test": 1}, 0)
    split = PreparedData(tmp_path / "prepared").split("test")
    assert split.layer(0, "geometry").dtype == np.uint8
    assert split.layer(0, "geometry").shape == split.label(0).shape


def test_sift_flow_takes_a_list_of_bare_ids_too(tmp_path):
    folder = write_sift_flow(tmp_path, TRAIN, TEST) / "SiftFlowDataset"
    (folder / "TestSet1.txt").unlink()
    with pytest.raises(DataError, match=r"no list of test pictures, expected TestSet1\.txt or test\.txt"):
        sift_flow.read(tmp_path)
    (folder / "test.txt").write_text("coast_natu975\n")
    assert [item.id for item in sift_flow.read(tmp_path).items if item.split == "test"] == ["coast_natu975"]


def test_an_unknown_geometry_is_refused():
    with pytest.raises(DataError, match=r"value 4, but sift_flow has geometry 1–3 and -1, 0 \(void\)"):
        sift_flow.convert_geometry(np.array([[1, 4]]))
