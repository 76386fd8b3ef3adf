"""Prepared data, written and read back."""

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from support.image_sets import mask, noise, png

from pixelwise.data import prepared_writer
from pixelwise.data.item_inspection import encode_item
from pixelwise.data.items import Classes, Item, RawData
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError

MANY = 10**6
ITEMS = [
    Item(
        id=f"{split}{number}",
        split=split,
        image=png(noise(number)),
        label=png(mask(number, 3)),
        clip="street",
        frame=number,
        layers={"depth": png(Image.fromarray(np.full((24, 32), 100 * number, np.uint16)))},
    )
    for number in range(10)
    for split in ("train", "val")
]
RAW = RawData("toy", Classes(("a", "b"), ((1, 2, 3), (4, 5, 6))), ITEMS, {0: 0, 1: 1, 2: 255})


def write(root, raw=RAW):
    root.mkdir(parents=True)
    with prepared_writer.PreparedWriter(root, raw) as writer:
        for item in raw.items:
            writer.add(encode_item(item, raw, MANY))
        writer.finish()
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "prepared")


def test_every_item_comes_back_as_it_was(root):
    data = PreparedData(root)
    assert (data.name, data.classes, data.layers, data.splits) == ("toy", RAW.classes, ("depth",), ("train", "val"))
    for name in data.splits:
        split = data.split(name)
        assert [row["id"] for row in split.rows] == [f"{name}{number}" for number in range(10)]
        for number, sample in enumerate(split):
            values = np.array(mask(number, 3))
            assert sample.id == f"{name}{number}"
            assert (sample.image == np.array(noise(number))).all()
            assert (sample.label == np.where(values == 2, 255, values)).all()
            assert sample.label.dtype == np.uint8
            assert (split.image(number) == sample.image).all()
            assert (split.label(number) == sample.label).all()


def test_layers_are_decoded_on_demand_in_their_own_type(root):
    depth = PreparedData(root).split("val").layer(7, "depth")
    assert depth.dtype == np.uint16
    assert (depth == 700).all()


def test_an_unknown_layer_or_split_names_those_there_are(root):
    data = PreparedData(root)
    with pytest.raises(DataError, match="no split test, expected one of: train, val"):
        data.split("test")
    with pytest.raises(DataError, match="no instance, expected one of: image, label, depth"):
        data.split("train").layer(0, "instance")
    with pytest.raises(DataError, match="no hha and no instance, expected one of: image, label, depth"):
        data.split("train").with_layers("depth", "hha", "instance")[0]


def test_the_manifest_describes_the_pixels(root):
    row = PreparedData(root).split("train").rows[3]
    values = np.array(mask(3, 3))
    image = np.array(noise(3)).reshape(-1, 3)
    assert (row["height"], row["width"], row["clip"], row["frame"]) == (24, 32, "street", 3)
    assert row["pixels"] == [int((values == 0).sum()), int((values == 1).sum())]
    assert row["void_share"] == (values == 2).mean()
    assert (row["label_min"], row["label_max"], row["classes"]) == (0, 1, [0, 1])
    assert [row["mean_r"], row["mean_g"], row["mean_b"]] == pytest.approx(image.mean(axis=0))
    assert [row["std_r"], row["std_g"], row["std_b"]] == pytest.approx(image.std(axis=0))


def test_a_label_of_void_alone_has_range_minus_one(tmp_path):
    item = Item("void", "train", png(noise(0)), png(Image.fromarray(np.full((24, 32), 2, np.uint8))))
    (row,) = (
        PreparedData(write(tmp_path / "p", RawData("toy", RAW.classes, [item], RAW.label_values))).split("train").rows
    )
    assert (row["label_min"], row["label_max"], row["classes"], row["void_share"]) == (-1, -1, [], 1.0)


def test_large_data_goes_over_several_shards_and_reads_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_writer, "BYTES_A_SHARD", 3000)
    split = PreparedData(write(tmp_path / "p")).split("train")
    assert len({row["shard"] for row in split.rows}) > 1
    assert all((split.image(number) == np.array(noise(number))).all() for number in range(10))


def test_a_split_reads_the_same_from_many_threads_and_after_pickling(root):
    split = PreparedData(root).split("train")
    copy = pickle.loads(pickle.dumps(split))
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(copy.image, list(range(10)) * 8))
    assert all((image == split.image(index % 10)).all() for index, image in enumerate(images))


def test_a_slice_of_a_split_is_a_split(root):
    part = PreparedData(root).split("train")[2:4]
    assert [sample.id for sample in part] == ["train2", "train3"]


@pytest.mark.parametrize("missing", ["dataset.json", "manifest.parquet", "shards/val-00000.parquet"])
def test_incomplete_prepared_data_names_what_is_missing(root, tmp_path, missing):
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / missing).unlink()
    with pytest.raises(DataError, match=f"no {missing}"):
        PreparedData(copy)


def test_a_truncated_manifest_is_one_line(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    manifest = copy / "manifest.parquet"
    manifest.write_bytes(manifest.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"copy/manifest\.parquet: .*; ingest again") as error:
        PreparedData(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("{}", "no name, expected name, classes, palette, layers, manifest_sha256; ingest again"),
        ('["name"]', "Input should be an object, expected what `pixelwise ingest` writes"),
        ("{", "Invalid JSON: "),
    ],
)
def test_a_damaged_description_is_one_line(root, tmp_path, described, message):
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "dataset.json").write_text(described)
    with pytest.raises(DataError, match=rf"copy/dataset\.json: {message}") as error:
        PreparedData(copy)
    assert "\n" not in str(error.value)


def test_a_damaged_shard_is_one_line(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "shards" / "val-00000.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"val-00000\.parquet: row 0: .*; ingest again") as error:
        PreparedData(copy).split("val")[0]
    assert "\n" not in str(error.value)


def test_the_description_says_what_the_data_is(root):
    described = json.loads((root / "dataset.json").read_text())
    assert described["classes"] == ["a", "b"]
    assert described["void"] == 255
    assert described["splits"] == {"train": 10, "val": 10}
    assert len(described["manifest_sha256"]) == 64


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6])
def test_a_flipped_bit_in_a_shard_is_one_line_that_names_the_file(root, tmp_path, part):
    copy = shutil.copytree(root, tmp_path / "copy")
    file = copy / "shards" / "val-00000.parquet"
    content = bytearray(file.read_bytes())
    content[int(len(content) * part)] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"val-00000\.parquet: row \d: .*; ingest again") as raised:
        [sample for name in ("train", "val") for sample in PreparedData(copy).split(name)]
    assert "\n" not in str(raised.value)


def test_a_flipped_bit_in_the_manifest_is_one_line_that_names_it(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    content = bytearray((copy / "manifest.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "manifest.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"manifest\.parquet: sha256 .* as dataset\.json has it; ingest again"):
        PreparedData(copy)
