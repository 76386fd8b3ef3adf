"""Data sets in Hugging Face's formats: imagefolder, Parquet, and the Hub where there is none."""

import json
import re
import socket
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from support.image_sets import mask, noise, png, save

from pixelwise.data.item_inspection import Accepted, Rejected, inspect_item, read_pair
from pixelwise.data.readers import huggingface
from pixelwise.errors import DataError, PixelwiseError

datasets = pytest.importorskip("datasets")

MANY = 10**6
NAMES = ["ground", "thing"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and no network: whoever looks for a host fails the test."""
    sought = []

    def refuse(host, *_):
        sought.append(host)
        raise OSError(host)

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    datasets.disable_progress_bars()
    yield
    assert sought == []


def describe(root: Path, **described: object) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "huggingface.yaml").write_text(yaml.safe_dump(described))
    return root


def write_imagefolder(root: Path, counts: dict[str, int]) -> Path:
    """The imagefolder layout: a folder a split, with metadata.csv beside its pictures."""
    for split, count in counts.items():
        rows = ["file_name,mask_file_name,weather"]
        for number in range(count):
            save(noise(number), root / split / "images" / f"{number}.jpg")
            save(mask(number, 2), root / split / "masks" / f"{number}.png")
            rows.append(f"images/{number}.jpg,masks/{number}.png,sun")
        (root / split / "metadata.csv").write_text("\n".join(rows) + "\n")
    return describe(root, names=NAMES)


def write_parquet(root: Path, features: dict, count: int = 2, split: str = "train") -> Path:
    """Parquet as push_to_hub writes it: a column of images as bytes and one of labels, `features` in that order."""
    image, label = features
    is_picture = isinstance(features[label], datasets.Image)
    labels = [mask(number, 2) for number in range(count)]
    table = datasets.Dataset.from_dict(
        {
            image: [{"bytes": png(noise(number)), "path": f"{number}.png"} for number in range(count)],
            label: [{"bytes": png(each), "path": None} if is_picture else np.array(each).tolist() for each in labels],
        },
        features=datasets.Features(features),
    )
    (root / "data").mkdir(parents=True, exist_ok=True)
    table.to_parquet(root / "data" / f"{split}-00000-of-00001.parquet")
    return root


def write_table(root: Path, features: dict, images: pa.Array, labels: pa.Array) -> None:
    """Parquet with cells as they stand, which the library would not write."""
    schema = datasets.Features(features).arrow_schema
    root.mkdir(parents=True, exist_ok=True)
    columns = [images.cast(schema.field("image").type), labels.cast(schema.field("label").type)]
    pq.write_table(pa.table(columns, schema=schema), root / "train.parquet")


def write_row(root: Path, column: str, path: str) -> Path:
    """A table of one row, whose `column` holds a path in the place of a picture."""
    cells = {"image": {"bytes": png(noise(0)), "path": None}, "label": {"bytes": png(mask(0, 2)), "path": None}}
    cells[column] = {"bytes": None, "path": path}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"image": datasets.Image(), "label": datasets.Image()}
    write_table(root, features, pa.array([cells["image"]], kind), pa.array([cells["label"]], kind))
    return describe(root, names=NAMES)


def splits_of(raw):
    return [item.split for item in raw.items]


def test_an_imagefolder_is_read_with_the_pictures_where_they_lie(tmp_path):
    raw = huggingface.read(write_imagefolder(tmp_path / "set", {"train": 3, "validation": 2, "test": 1}))
    assert splits_of(raw) == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert len(raw.items) == 6
    assert raw.classes.names == ("ground", "thing")
    items = list(raw.items)
    assert items[1].image == (tmp_path / "set/train/images/1.jpg").resolve()
    image, label = read_pair(items[1], raw, MANY)
    assert image.shape == (24, 32, 3)
    assert np.array_equal(label, np.array(mask(1, 2)))


def test_metadata_may_be_jsonl_beside_pictures_of_one_folder(tmp_path):
    save(noise(0), tmp_path / "set/a.png")
    save(mask(0, 2), tmp_path / "set/b.png")
    (tmp_path / "set/metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "label_file_name": "b.png"}))
    raw = huggingface.read(describe(tmp_path / "set", names=NAMES))
    assert [(item.image.name, item.label.name) for item in raw.items] == [("a.png", "b.png")]


def test_pictures_may_stay_in_a_zip(tmp_path):
    describe(tmp_path / "set", names=NAMES)
    with zipfile.ZipFile(tmp_path / "set/train.zip", "w") as archive:
        archive.writestr("a.png", png(noise(0)))
        archive.writestr("b.png", png(mask(0, 2)))
        archive.writestr("metadata.csv", "file_name,mask_file_name\na.png,b.png\n")
    (item,) = huggingface.read(tmp_path / "set").items
    assert (item.image, item.label) == (png(noise(0)), png(mask(0, 2)))


def test_parquet_gives_the_bytes_that_it_holds(tmp_path):
    root = write_parquet(tmp_path / "set", {"image": datasets.Image(), "annotation": datasets.Image()})
    raw = huggingface.read(describe(root, names=NAMES))
    assert [item.image for item in raw.items] == [png(noise(number)) for number in range(2)]
    assert [item.label for item in raw.items] == [png(mask(number, 2)) for number in range(2)]


def test_a_label_of_classlabel_names_its_classes_and_needs_no_further_file(tmp_path):
    label = datasets.List(datasets.List(datasets.ClassLabel(names=NAMES)))
    raw = huggingface.read(write_parquet(tmp_path, {"image": datasets.Image(), "semantic": label}))
    assert raw.classes.names == ("ground", "thing")
    assert np.array_equal(read_pair(next(iter(raw.items)), raw, MANY)[1], np.array(mask(0, 2)))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[0] * 32] * 23 + [[0] * 3], "rows of unequal length, or not of integers, expected height × width integers"),
        ([[0] * 32] * 23 + [None], "rows of unequal length, or not of integers"),
        ([[0] * 32] * 23 + [[None] * 32], "rows of unequal length, or not of integers"),
        ([], "size 0, expected height × width integers"),
        ([[]], "size 1×0, expected height × width integers"),
        ([[0] * 31] * 24, "size 31×24, but its image is 32×24"),
        (None, "missing, expected one for train/000001"),
        ([[256] * 32] * 24, r"value 256, but huggingface has classes 0–1 and 255 \(void\)"),
        ([[-2] * 32] * 24, r"value -2, but huggingface has classes 0–1 and 255 \(void\)"),
    ],
)
def test_rows_that_are_no_map_are_left_out_and_named(tmp_path, rows, reason):
    good = [[-1, 1] * 16] * 24
    features = {"image": datasets.Image(), "label": datasets.List(datasets.List(datasets.ClassLabel(names=NAMES)))}
    images = pa.array([{"bytes": png(noise(seed)), "path": None} for seed in range(2)])
    labels = pa.array([good, rows], pa.list_(pa.list_(pa.int64())))
    write_table(tmp_path, features, images, labels)
    raw = huggingface.read(tmp_path)
    first, second = raw.items
    assert (read_pair(first, raw, MANY)[1] == [255, 1] * 16).all()
    found = inspect_item(second, raw, MANY)
    assert isinstance(found, Rejected)
    assert re.fullmatch(rf"label train/000001: {reason}.*", found.reason)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{outside}/secret.png", r"a row names /.*/secret\.png, expected files of its own folder"),
        ("../secret.png", r"a row names /.*secret\.png, expected files of its own folder"),
        ("zip://a.png::{outside}/secret.zip", r"a row names /.*/secret\.zip, expected files of its own folder"),
    ],
)
@pytest.mark.parametrize("column", ["image", "label"])
def test_a_row_of_a_table_cannot_send_its_reader_elsewhere(tmp_path, column, path, message):
    save(noise(0), tmp_path / "secret.png")
    root = write_row(tmp_path / "set", column, path.format(outside=tmp_path))
    with pytest.raises(DataError, match=message):
        list(huggingface.read(root).items)


@pytest.mark.parametrize("path", ["gone.png", "zip://gone.png::pictures.pack", "zip://a.png::train.parquet", ""])
def test_a_row_of_a_table_whose_file_is_missing_is_left_out(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    save(noise(0), tmp_path / "gone.png")
    root = write_row(tmp_path / "set", "image", path)
    with zipfile.ZipFile(root / "pictures.pack", "w") as archive:
        archive.writestr("a.png", png(noise(0)))
    raw = huggingface.read(root)
    (item,) = raw.items
    assert isinstance(inspect_item(item, raw, MANY), Rejected)


def test_a_row_of_a_table_may_name_a_file_beside_it(tmp_path):
    root = write_row(tmp_path / "set", "image", "kept.png")
    save(noise(0), root / "kept.png")
    raw = huggingface.read(root)
    assert isinstance(inspect_item(next(iter(raw.items)), raw, MANY), Accepted)


def test_a_set_of_train_alone_holds_out_the_same_tenth_every_time(tmp_path):
    root = write_parquet(tmp_path, {"image": datasets.Image(), "label": datasets.Image()}, count=20)
    raw = huggingface.read(describe(root, names=NAMES))
    assert splits_of(raw).count("val") == 2
    assert splits_of(raw) == splits_of(huggingface.read(root))
    assert len({item.id for item in raw.items}) == 20


def test_columns_splits_and_values_are_chosen_by_huggingface_yaml(tmp_path):
    features = {"pixels": datasets.Image(), "parts": datasets.Image()}
    for split in ("train", "validation", "test"):
        write_parquet(tmp_path / "set", features, split=split)
    described = {
        "path": "../set",
        "image": "pixels",
        "label": "parts",
        "splits": {"train": "train", "test": "val"},
        "names": NAMES,
        "colours": [[1, 2, 3], [4, 5, 6]],
        "values": {0: "void", 1: "thing"},
    }
    raw = huggingface.read(describe(tmp_path / "described", **described))
    assert sorted(splits_of(raw)) == ["train"] * 2 + ["val"] * 2
    assert raw.classes.palette == ((1, 2, 3), (4, 5, 6))
    assert raw.label_values == {0: 255, 1: 1}


def test_masks_in_colour_are_read_by_the_colours_of_huggingface_yaml(tmp_path):
    root = write_imagefolder(tmp_path / "set", {"train": 2})
    colours = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    for number in range(2):
        Image.fromarray(colours[np.array(mask(number, 2))]).save(root / f"train/masks/{number}.png")
    raw = huggingface.read(describe(root, names=NAMES, colours=colours.tolist()))
    for number, item in enumerate(raw.items):
        assert (read_pair(item, raw, MANY)[1] == np.array(mask(number, 2))).all()
    assert raw.notes.lines() == ["masks are read by the colours in huggingface.yaml"]


def test_a_missing_mask_is_left_for_ingest_to_name(tmp_path):
    root = write_imagefolder(tmp_path / "set", {"train": 2, "validation": 1})
    (root / "train/masks/1.png").unlink()
    raw = huggingface.read(root)
    with pytest.raises(DataError, match=r"label 1\.png: missing, expected masks/1\.png"):
        read_pair(list(raw.items)[1], raw, MANY)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"image": "image"}, r"huggingface\.yaml: names: missing, expected what the values 0, 1, … of"),
        ({"names": NAMES, "lable": "mask"}, r"huggingface\.yaml\.lable: unknown key"),
        ({"names": NAMES, "image": "picture"}, "image: found picture, expected a column of images: image, mask"),
        ({"names": NAMES, "label": "weather"}, "label: found weather, expected a column of label maps: mask"),
        ({"names": NAMES, "splits": {"dev": "val"}}, "splits: found dev, expected any of: train"),
        ({"names": NAMES, "config": "large"}, "data set .*: BuilderConfig 'large' not found"),
        ({"names": NAMES, "values": {0: "cat"}}, "value 0: found cat, expected void or one of: ground, thing"),
        ({"names": ["a", "a"]}, "names: 1 different ones and 2 colours"),
        ({"names": NAMES, "path": "nobody/nothing"}, r"data set nobody/nothing: Couldn't reach .* on the Hub"),
    ],
)
def test_a_fault_of_the_description_is_named_in_one_line(tmp_path, monkeypatch, described, message):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    describe(write_imagefolder(tmp_path / "set", {"train": 1}), **described)
    with pytest.raises(PixelwiseError, match=message) as error:
        huggingface.read(tmp_path / "set")
    assert "\n" not in str(error.value)


def test_pictures_without_a_column_of_labels_say_how_to_have_one(tmp_path):
    save(noise(0), tmp_path / "set/train/a.png")
    (tmp_path / "set/train/metadata.csv").write_text("file_name,caption\na.png,a street\n")
    with pytest.raises(DataError, match=r"there is none, which metadata\.csv would call <column>_file_name"):
        huggingface.read(tmp_path / "set")


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"data set .*: Parquet magic bytes not found"):
        huggingface.read(tmp_path)


@pytest.mark.parametrize("listed", ["../*.png", "https://example.invalid/a.parquet", "hf://datasets/a/b/c.parquet"])
@pytest.mark.parametrize(("card", "form"), [("README.md", "---\n{}\n---\n# A set"), (".huggingface.yaml", "{}")])
def test_the_card_of_a_folder_cannot_send_its_reader_elsewhere(tmp_path, card, form, listed):
    save(noise(0), tmp_path / "secret.png")
    root = write_imagefolder(tmp_path / "set", {"train": 1})
    configs = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": listed}]}]}
    (root / card).write_text(form.format(yaml.safe_dump(configs)))
    with pytest.raises(DataError, match=r"its card names .*, expected files of its own folder"):
        huggingface.read(root)


def test_a_listed_name_that_leads_out_is_refused(tmp_path):
    root = write_imagefolder(tmp_path / "set", {"train": 1})
    (root / "train/metadata.csv").write_text("file_name,mask_file_name\nimages/0.jpg,../../secret.png\n")
    with pytest.raises(DataError, match=r"secret\.png"):
        huggingface.read(root)


def test_a_folder_of_something_else_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"not found here.*huggingface\.yaml or metadata\.csv"):
        huggingface.read(tmp_path)
