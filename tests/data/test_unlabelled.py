"""Frames that nobody labelled, between those that somebody did."""

import numpy as np
import pytest
from support.channel_model import write_channel_model
from support.image_sets import noise, png
from support.video_sets import write_cityscapes, write_video

from components import evaluate, ingest, validate
from components.ingest import IngestParams
from components.validate import ValidateParams
from pixelwise.data.item_inspection import Accepted, Rejected, inspect_item, read_pair
from pixelwise.data.items import UNLABELLED, Classes, Item, RawData
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import cityscapes
from pixelwise.data.splits import RawSplit
from pixelwise.errors import DataError
from pixelwise.families.options import EvaluateParams
from pixelwise.metrics.confusion import ConfusionMatrix

MANY = 10**6
PALETTE = tuple(colour for _, colour in cityscapes.CLASSES.values())
PAIR = Classes(("ground", "thing"), ((0, 0, 0), (1, 1, 1)))


def items(label):
    return RawData("pair", PAIR, [Item("a", "train", png(noise(0)), label)], {0: 0, 1: 1})


def test_an_unlabelled_frame_is_read_as_all_void():
    raw = items(UNLABELLED)
    image, label = read_pair(raw.items[0], raw, MANY)
    assert (image == np.array(noise(0))).all()
    assert label.dtype == np.uint8
    assert label.shape == (24, 32)
    assert (label == 255).all()


def test_a_label_that_is_missing_is_still_an_error_and_not_an_unlabelled_frame():
    raw, unlabelled = items(None), items(UNLABELLED)
    assert isinstance(inspect_item(raw.items[0], raw, MANY), Rejected)
    assert isinstance(inspect_item(unlabelled.items[0], unlabelled, MANY), Accepted)


def test_unlabelled_frames_are_ingested_with_their_clips_and_stay_out_of_the_labelled_splits(tmp_path):
    root = write_cityscapes(tmp_path / "raw", {"val": ["ulm_000000_000019"]}, preceding=3)
    report = ingest.run(IngestParams(dataset="cityscapes", root=root), tmp_path / "prepared")
    assert report.splits == {"val_frames": 3, "val": 1}
    data = PreparedData(tmp_path / "prepared")
    assert len(data.split("val")) == 1
    rows = data.split("val+val_frames").rows
    assert sorted((row["clip"], row["frame"]) for row in rows) == [("ulm_000000_000019", f) for f in (16, 17, 18, 19)]
    frames = data.split("val_frames")
    assert (frames.label(0) == 255).all()
    assert {row["void_share"] for row in frames.rows} == {1.0}


def test_unlabelled_frames_do_not_change_a_score(tmp_path):
    raw = cityscapes.read(write_cityscapes(tmp_path, {"val": ["ulm_000000_000019"]}, preceding=3))
    scores = {}
    for split in ("val", "val+val_frames"):
        counts = ConfusionMatrix(19)
        for sample in RawSplit(raw, split):
            counts.add(sample.label, sample.image[..., 0] % 19)
        scores[split] = counts.scores()
    assert len(RawSplit(raw, "val+val_frames")) == 4
    assert scores["val"] == scores["val+val_frames"]


def test_a_video_file_or_folder_is_ingested_and_split_into_its_clips(tmp_path):
    path = write_video(tmp_path / "clips" / "a.mkv", 12)
    for root in (path, path.parent):
        report = ingest.run(IngestParams(dataset="video", root=root), tmp_path / "prepared")
        assert (report.splits, report.quarantined) == ({"frames": 12}, 0)
        split = PreparedData(tmp_path / "prepared").split("frames")
        assert [(row["clip"], row["frame"]) for row in split.rows] == [("a.mkv", number) for number in range(12)]
        assert (split.image(11) == np.array(noise(11))).all()
    with pytest.raises(DataError, match="found no classes, expected labelled data"):
        validate.run(ValidateParams(), tmp_path / "prepared", tmp_path / "verdict")


def test_evaluate_reads_labelled_clips_scores_their_labels_alone_and_refuses_what_has_none(tmp_path):
    model = write_channel_model(tmp_path / "model", tuple(cityscapes.CLASSES), PALETTE)
    root = write_cityscapes(tmp_path / "raw", {"val": ["ulm_000000_000019"]}, preceding=3)
    found = {
        split: evaluate.run(EvaluateParams(split=split, provider="cpu"), model, dataset="cityscapes", root=root)
        for split in ("val", "val+val_frames")
    }
    assert len(found["val+val_frames"].ids) == 4
    assert found["val"].scores == found["val+val_frames"].scores
    with pytest.raises(DataError, match="labels: found only void"):
        evaluate.run(EvaluateParams(split="val_frames", provider="cpu"), model, dataset="cityscapes", root=root)
    write_video(tmp_path / "clips" / "a.mkv", 2)
    with pytest.raises(DataError, match="data set video: no labels, expected some to score"):
        evaluate.run(EvaluateParams(split="frames", provider="cpu"), model, dataset="video", root=tmp_path / "clips")
