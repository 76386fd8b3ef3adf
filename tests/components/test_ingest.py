"""The ingest step on small data sets, whole and damaged."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.annotation_sets import FORMATS
from support.image_sets import mask, noise, save, write_camvid, write_folder, write_voc
from support.matlab_sets import write_context, write_nyud, write_sbd, write_sift_flow
from support.object_sets import write_coco_mval, write_davis, write_davis_frames, write_together
from support.video_sets import write_cityscapes, write_nyud_clips, write_youtube_objects

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import READERS
from pixelwise.data.town import TownParams
from pixelwise.errors import DataError, ParamsError
from pixelwise.params import parse


def camvid(root, **values):
    return IngestParams(dataset="camvid", root=root, **values)


def quarantined(file):
    return [(item["id"], item["file"], item["reason"]) for item in json.loads(file.read_text())["items"]]


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_ingest_writes_prepared_data_and_says_what_comes_next(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 5, "val": 2})
    report = ingest.run(camvid(root), tmp_path / "prepared")
    assert str(report).startswith("camvid: 5 train, 2 val\nnext: pixelwise validate --data")
    data = PreparedData(tmp_path / "prepared")
    assert (len(data.split("train")), len(data.split("val"))) == (5, 2)
    assert (data.split("train").image(0) == np.array(noise(30))).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["camvid", "prepared"]


@pytest.mark.covers("ingest")
def test_every_reader_can_be_ingested(tmp_path):
    writes = {
        "camvid": lambda root: write_camvid(root, {"train": 1}),
        "voc": lambda root: write_voc(root, {"train": ["a"]}),
        "folder": lambda root: write_folder(root, ["train/images/a"]),
        "context": lambda root: write_context(root, {"train": ["a"], "val": []}),
        "nyud": lambda root: write_nyud(root, {"train": ["5001"]}),
        "sbd": lambda root: write_sbd(root, {"train": ["a"], "val": []}),
        "sift_flow": lambda root: write_sift_flow(root, ["a"], []),
        "cityscapes": lambda root: write_cityscapes(root, {"train": ["ulm_000000_000019"]}),
        "nyud_clips": lambda root: write_nyud_clips(root, {"bath_0001": ["5001@8.5"]}),
        "youtube_objects": lambda root: write_youtube_objects(root, {"cat/0001/001": 1}),
        "davis": lambda root: write_davis(root, {"train": {"swan": 1}}),
        "davis_frames": lambda root: write_davis_frames(root, ["a"]),
        "coco_mval": lambda root: write_coco_mval(root, ["cat"]),
        "guided": lambda root: write_together(root, {"train": ["a"]}, ["cat"], ["a"]),
    }
    # Hugging Face's copy of what it reads, videos, and the formats of labelling tools have tests of their own.
    apart = {"huggingface", "video", *FORMATS}
    assert writes.keys() | apart == READERS.keys()
    for name, write in writes.items():
        root = write(tmp_path / name)
        splits = ingest.run(IngestParams(dataset=name, root=root), tmp_path / f"{name}-out").splits
        assert sum(splits.values()) == (3 if name == "guided" else 1)


@pytest.mark.covers("ingest")
def test_the_town_is_ingested_with_its_layers_and_gives_the_same_bytes_again(tmp_path):
    town = TownParams(train_clips=1, val_clips=1, test_clips=1, frames=2, width=64, height=64)
    for out in (tmp_path / "first", tmp_path / "second"):
        report = ingest.run(IngestParams(town=town), out)
        assert (report.splits, report.quarantined) == ({"train": 2, "val": 2, "test": 2}, 0)
    split = PreparedData(tmp_path / "first").split("val")
    assert split.layer(1, "hha").shape == (64, 64, 3)
    for layer in ("instance", "depth", "geometry"):
        assert split.layer(1, layer).shape == split.label(1).shape == (64, 64)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")


def test_the_same_data_gives_the_same_bytes_wherever_it_lies(tmp_path):
    for place in ("here", "there"):
        root = write_camvid(tmp_path / place, {"train": 20, "val": 3})
        (root / "train" / "0016E5_00030.png").unlink()
        ingest.run(camvid(root, max_quarantined_share=0.5), tmp_path / f"{place}-out")
    assert digests(tmp_path / "here-out") == digests(tmp_path / "there-out")


def test_ingest_reads_an_archive_as_it_reads_the_folder(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 3})
    with zipfile.ZipFile(tmp_path / "camvid.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    ingest.run(camvid(root), tmp_path / "a")
    ingest.run(camvid(tmp_path / "camvid.zip"), tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def truncate(root):
    file = root / "train" / "0016E5_00030.png"
    file.write_bytes(file.read_bytes()[:1500])


def fill_with_text(root):
    (root / "train" / "0016E5_00030.png").write_text("<html>not found</html>")


def shrink_label(root):
    save(mask(0, 11, (12, 16)), root / "trainannot" / "0016E5_00030.png")


def mislabel(root):
    label = mask(0, 11)
    label.putpixel((3, 3), 12)
    save(label, root / "trainannot" / "0016E5_00030.png")


def colour_label(root):
    save(noise(0), root / "trainannot" / "0016E5_00030.png")


def remove_label(root):
    (root / "trainannot" / "0016E5_00030.png").unlink()


def remove_image(root):
    (root / "train" / "0016E5_00030.png").unlink()


def enlarge(root):
    save(noise(0, (200, 200)), root / "train" / "0016E5_00030.png")


def list_twice(root):
    with (root / "val.txt").open("a") as lines:
        lines.write("train/0016E5_00030.png trainannot/0016E5_00030.png\n")


@pytest.mark.parametrize(
    ("damage", "file", "reason"),
    [
        (truncate, "train/0016E5_00030.png", "image 0016E5_00030.png: "),
        (fill_with_text, "train/0016E5_00030.png", "image 0016E5_00030.png: not a picture, expected one of: JPEG PNG"),
        (shrink_label, "trainannot/0016E5_00030.png", "label 0016E5_00030.png: size 16×12, but its image is 32×24"),
        (
            mislabel,
            "trainannot/0016E5_00030.png",
            "label 0016E5_00030.png: value 12, but camvid has classes 0–10 and 11 (void)",
        ),
        (colour_label, "trainannot/0016E5_00030.png", "label 0016E5_00030.png: mode RGB in colour, expected one"),
        (remove_label, "trainannot/0016E5_00030.png", "label 0016E5_00030.png: missing, expected trainannot/0016E5"),
        (remove_image, "train/0016E5_00030.png", "image 0016E5_00030.png: missing, expected train/0016E5_00030.png"),
        (enlarge, "train/0016E5_00030.png", "image 0016E5_00030.png: size 200×200, expected at most 10,000 pixels"),
        (list_twice, "", "id 0016E5_00030: listed again, first in train"),
    ],
)
def test_ingest_quarantines_a_bad_item_and_names_it(tmp_path, damage, file, reason):
    root = write_camvid(tmp_path / "camvid", {"train": 4, "val": 2})
    damage(root)
    report = ingest.run(camvid(root, max_quarantined_share=0.2, max_pixels=10_000), tmp_path / "prepared")
    ((id_, found, why),) = quarantined(tmp_path / "prepared" / "quarantine.json")
    assert (id_, found) == ("0016E5_00030", file)
    assert why.startswith(reason)
    assert "\n" not in why
    assert report.quarantined == 1
    assert "1 in" in str(report)


def test_ingest_fails_beyond_the_share_naming_files_and_leaving_the_list(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 10})
    mislabel(root)
    out = tmp_path / "prepared"
    with pytest.raises(DataError, match=r"1 of 10 items are unusable, expected at most 1\.0%: label 0016E5_00030\.png"):
        ingest.run(camvid(root), out)
    assert len(quarantined(tmp_path / "prepared.quarantine.json")) == 1
    assert not out.exists()
    remove_label(root)
    ingest.run(camvid(root, max_quarantined_share=0.1), out)
    assert not (tmp_path / "prepared.quarantine.json").exists()


def test_ingest_fails_where_nothing_is_usable_whatever_the_share(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 1})
    remove_image(root)
    with pytest.raises(DataError, match="1 of 1 items are unusable"):
        ingest.run(camvid(root, max_quarantined_share=1.0), tmp_path / "prepared")


def test_a_failed_ingest_leaves_the_last_result_as_it_was(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 3})
    ingest.run(camvid(root), tmp_path / "prepared")
    before = digests(tmp_path / "prepared")
    truncate(root)
    with pytest.raises(DataError):
        ingest.run(camvid(root), tmp_path / "prepared")
    assert digests(tmp_path / "prepared") == before


def test_ingest_replaces_prepared_data_and_nothing_else(tmp_path):
    root = write_camvid(tmp_path / "camvid", {"train": 3})
    ingest.run(camvid(root), tmp_path / "prepared")
    ingest.run(camvid(root), tmp_path / "prepared")
    with pytest.raises(DataError, match="exists and is no prepared data"):
        ingest.run(camvid(root), root)


def test_prepared_data_may_be_the_folder_one_is_in_or_a_link(tmp_path, monkeypatch):
    root = write_camvid(tmp_path / "camvid", {"train": 3})
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    ingest.run(camvid(root), tmp_path / "link")
    monkeypatch.chdir(tmp_path / "here")
    assert ingest.run(camvid(root), Path()).out == Path()
    assert digests(tmp_path / "elsewhere") == digests(tmp_path / "here")
    assert (tmp_path / "link").is_symlink()


def test_a_missing_or_empty_root_is_one_line(tmp_path):
    for root in (tmp_path / "nowhere", tmp_path, None):
        with pytest.raises(DataError) as error:
            ingest.run(camvid(root), tmp_path / "prepared")
        assert "\n" not in str(error.value)


def test_an_unknown_data_set_names_those_there_are():
    with pytest.raises(ParamsError, match=r"ingest\.dataset: found 'kitti', expected: one of town, camvid"):
        parse(IngestParams, {"dataset": "kitti"}, "params.yaml: ingest")


def test_real_camvid_ingests_whole(real_data, tmp_path):
    report = ingest.run(camvid(real_data / "camvid"), tmp_path / "prepared")
    assert report.splits == {"train": 367, "val": 101}
    assert report.quarantined == 0
