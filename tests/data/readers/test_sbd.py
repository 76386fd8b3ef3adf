"""SBD in its own layout, alone and beside VOC."""

import numpy as np
from PIL import Image
from support.image_sets import save, write_voc
from support.matlab_sets import save_mat, values, write_sbd

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.item_inspection import read_layer, read_pair
from pixelwise.data.orientation import Upright
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import sbd, voc

MANY = 10**6
LISTS = {"train": ["2008_000002", "2008_000003"], "val": ["2008_000007"]}


def splits_of(raw):
    return {item.id: item.split for item in raw.items}


def test_sbd_alone_has_its_own_lists_and_vocs_classes(tmp_path):
    raw = sbd.read(write_sbd(tmp_path, LISTS))
    assert splits_of(raw) == {"2008_000002": "train", "2008_000003": "train", "2008_000007": "val"}
    assert raw.classes == voc.CLASSES
    image, label = read_pair(raw.items[1], raw, MANY)
    assert image.shape == (24, 32, 3)
    assert (label == values(1, 0, 20)).all()


def test_sbd_beside_voc_validates_on_vocs_val_without_the_pictures_it_trains_on(tmp_path):
    write_sbd(tmp_path, LISTS)
    write_voc(tmp_path / "VOCdevkit", {"train": ["2007_000001"], "val": ["2008_000003", "2008_000009"]})
    raw = sbd.read(tmp_path)
    assert splits_of(raw) == {"2008_000002": "train", "2008_000003": "train", "2008_000009": "val"}
    _, label = read_pair(raw.items[-1], raw, MANY)
    assert (label[:4, :4] == 255).all()


def test_sbd_beside_vocs_lists_without_a_label_keeps_its_own_val(tmp_path):
    write_sbd(tmp_path, LISTS)
    voc12 = write_voc(tmp_path / "VOCdevkit", {"val": ["2008_000009"]}) / "VOC2012"
    (voc12 / "SegmentationClass" / "2008_000009.png").unlink()
    assert splits_of(sbd.read(tmp_path)) == {"2008_000002": "train", "2008_000003": "train", "2008_000007": "val"}


def test_of_two_years_the_earlier_gives_val(tmp_path):
    write_sbd(tmp_path, LISTS)
    for year in ("VOC2012", "VOC2011"):
        write_voc(tmp_path, {"val": [f"{year}_000001"]})
        (tmp_path / "VOC2012").rename(tmp_path / f"{year}.moved")
    for moved in tmp_path.glob("*.moved"):
        moved.rename(moved.with_suffix(""))
    assert [item.id for item in sbd.read(tmp_path).items if item.split == "val"] == ["VOC2011_000001"]


def test_the_same_map_in_a_matlab_file_and_in_a_png_has_one_hash(tmp_path):
    write_sbd(tmp_path / "mat", {"train": ["a"], "val": []})
    write_voc(tmp_path / "png", {"train": ["a"]})
    Image.fromarray(values(0, 0, 20)).save(tmp_path / "png" / "VOC2012" / "SegmentationClass" / "a.png")
    rows = []
    for dataset, root in (("sbd", "mat"), ("voc", "png")):
        ingest.run(IngestParams(dataset=dataset, root=tmp_path / root), tmp_path / f"{root}-out")
        split = PreparedData(tmp_path / f"{root}-out").split("train")
        rows.append((split.rows[0]["label_sha256"], split.rows[0]["image_sha256"], split.label(0).tobytes()))
    assert rows[0] == rows[1]
    assert np.frombuffer(rows[0][2], np.uint8).max() <= 20


def test_the_objects_of_sbd_and_of_voc_beside_it_are_the_layer_instance(tmp_path):
    folder = write_sbd(tmp_path, LISTS) / "benchmark_RELEASE/dataset/inst"
    year = write_voc(tmp_path / "VOCdevkit", {"val": ["2008_000009"]}) / "VOC2012"
    for seed, id_ in enumerate(["2008_000002", "2008_000003"]):
        save_mat(folder / f"{id_}.mat", GTinst={"Segmentation": values(seed, 0, 3), "Categories": [[1], [2], [2]]})
    assert not sbd.read(tmp_path).items[0].layers
    objects = values(5, 0, 2)
    objects[:2] = 255
    save(Image.fromarray(objects), year / "SegmentationObject/2008_000009.png")
    items = {item.id: item for item in sbd.read(tmp_path).items}
    found = read_layer("instance", items["2008_000003"], Upright((32, 24)), MANY)
    assert (found == values(1, 0, 3)).all()
    found = read_layer("instance", items["2008_000009"], Upright((32, 24)), MANY)
    assert (found == np.where(objects == 255, 0, objects)).all()
    assert voc.read(tmp_path / "VOCdevkit").items[0].layers
