"""Evaluate: scores of a model whose prediction is known, and everything that is written about them."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from support.channel_model import NAMES, channel_picture, write_channel_data, write_channel_model
from support.image_sets import save, write_camvid

from components import evaluate, ingest
from pixelwise import tracking
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import camvid
from pixelwise.data.readers.folder import read
from pixelwise.data.splits import RawSplit, open_split
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.evaluation.results import make_grid_rows
from pixelwise.evaluation.scoring import make_scoring
from pixelwise.families.options import EvaluateParams
from pixelwise.inference.session import open_model
from pixelwise.metrics.confusion import compute_scores, count_pixels
from pixelwise.metrics.measurement import read_measurements

SIZES = [(32, 48), (32, 48), (32, 48), (40, 28), (32, 48), (17, 31)]
FILES = {"metrics.json", "confusion.csv", "per_class.csv", "measurements.npz", "confusion.png", "per_class.png"}
FILES |= {"grid.png", "report.html", "errors.json", "errors.html"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model") / "fcn")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_channel_data(tmp_path_factory.mktemp("data"), SIZES)


@pytest.fixture(scope="module")
def expected_counts(root):
    raw = read(root)
    pairs = [read_pair(item, raw, max_pixels=10_000) for item in raw.items]
    return np.stack([count_pixels(label, image.argmax(axis=2), 3) for image, label in pairs])


@pytest.mark.covers("evaluate", "fcn")
def test_the_scores_are_those_of_counting_by_hand(model, root, expected_counts, tmp_path):
    evaluate.run(EvaluateParams(), model, dataset="folder", root=root, json=tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    expected = compute_scores(expected_counts.sum(axis=0))
    assert scores["mean_iu"] == expected.mean_iu
    assert scores["pixel_accuracy"] == expected.pixel_accuracy == pytest.approx(0.8, abs=0.02)
    assert scores["mean_accuracy"] == expected.mean_accuracy
    assert scores["frequency_weighted_iu"] == expected.frequency_weighted_iu
    assert scores["per_class"] == dict(zip(NAMES, expected.per_class, strict=True))
    assert scores["images"] == len(SIZES)
    assert scores["provider"] == "CPUExecutionProvider"
    assert scores["seconds"] > 0


def test_the_batch_size_changes_no_score(model, root, expected_counts):
    for batch_size in (1, 2, 8):
        found = evaluate.run(EvaluateParams(batch_size=batch_size), model, dataset="folder", root=root)
        assert (found.counts == expected_counts).all()


def test_prepared_data_scores_like_the_data_set_it_was_made_from(model, root, tmp_path):
    ingest.run(ingest.IngestParams(dataset="folder", root=root), tmp_path / "prepared")
    raw = evaluate.run(EvaluateParams(), model, dataset="folder", root=root)
    prepared = evaluate.run(EvaluateParams(), model, data=tmp_path / "prepared")
    assert prepared.scores == raw.scores
    assert (
        prepared.metrics()["data"]
        == json.loads((tmp_path / "prepared" / "dataset.json").read_text())["manifest_sha256"]
    )


@pytest.fixture(scope="module")
def results(model, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    return evaluate.run(EvaluateParams(pictures=4), model, out=out, dataset="folder", root=root)


def test_a_model_that_gives_confidence_is_scored_by_how_calibrated_it_is(root, expected_counts, results, tmp_path):
    confident = write_channel_model(tmp_path / "fcn", confidence=True)
    found = evaluate.run(EvaluateParams(pictures=4), confident, out=tmp_path / "out", dataset="folder", root=root)
    assert (found.counts == expected_counts).all()
    # Every pixel is sure by 200 / 255, and four in five are right.
    expected = abs(found.scores.pixel_accuracy - 200 / 255)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["ece"] == pytest.approx(expected, abs=1e-6)
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES | {
        "reliability.png",
        "suspects.csv",
        "suspects.json",
    }
    page = (tmp_path / "out" / "report.html").read_text()
    assert "--split test" in page
    assert page.count('src="data:image/') == page.count("<img") == 3
    assert "ece" not in results.metrics()
    assert "ECE" in str(found)


def test_everything_is_written_and_holds_what_was_found(results, expected_counts):
    assert {file.name for file in results.out.iterdir()} == FILES
    assert json.loads((results.out / "metrics.json").read_text()) == results.metrics()
    (judged,) = read_measurements(results.out / "measurements.npz")
    assert (judged.values == expected_counts).all()
    assert (judged.ids, judged.classes) == (results.ids, NAMES)
    assert judged.score == pytest.approx(results.scores.mean_iu)


def test_the_report_page_needs_no_network(results):
    page = (results.out / "report.html").read_text()
    assert not re.search("https?:", page)
    assert "<script" not in page
    assert page.count('src="data:image/') == page.count("<img") == 2
    assert all(name in page for name in NAMES)


def test_the_confusion_table_counts_like_the_matrix(results, expected_counts):
    with (results.out / "confusion.csv").open() as file:
        pairs = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(file))
    total = expected_counts.sum(axis=0)
    for (actual, predicted), share in np.ndenumerate(total / total.sum(axis=1, keepdims=True)):
        assert pairs[NAMES[actual], NAMES[predicted]] == pytest.approx(1000 * share, abs=1)


def test_the_report_ends_with_the_next_command(results, model):
    text = str(results)
    assert text.splitlines()[-1].startswith(f"next: pixelwise predict --model {model} ")
    assert f"{100 * results.scores.mean_iu:.1f}" in text


def test_a_model_with_a_history_gets_its_curves(root, tmp_path):
    model = write_channel_model(tmp_path / "fcn")
    history = [{"epoch": e, "train/loss": 1 / e, "val/mean_iu": 1 - 1 / e, "learning_rate": 0.1} for e in (1, 2, 3)]
    (model / "checkpoint").mkdir()
    (model / "checkpoint" / "history.json").write_text(json.dumps(history))
    evaluate.run(EvaluateParams(pictures=1), model, out=tmp_path / "out", dataset="folder", root=root)
    with (tmp_path / "out" / "curves.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert rows == history
    assert (tmp_path / "out" / "report.html").read_text().count("data:image/") == 3


def test_scores_are_added_to_the_run_that_trained_the_model(root, tmp_path, monkeypatch):
    model = write_channel_model(tmp_path / "fcn")
    (model / "checkpoint").mkdir()
    run_file = model / "checkpoint" / "run.json"
    run_file.write_text(json.dumps({"run_id": "abc", "fingerprint": "f" * 64, "experiment": "fcn", "parts": {}}))
    calls = []
    monkeypatch.setattr(tracking, "record", lambda *given: calls.append(given))
    found = evaluate.run(EvaluateParams(), model, out=tmp_path / "out", dataset="folder", root=root)
    ((file, metrics, artifacts),) = calls
    assert file == run_file
    assert metrics["evaluate/val/mean_iu"] == found.scores.mean_iu
    assert metrics["evaluate/val/iu/green"] == found.scores.per_class[1]
    assert {"grid.png", "report.html"} <= {path.name for path in artifacts}


def test_an_absent_class_is_null_or_zero_as_the_policy_says(model, tmp_path):
    root = write_channel_data(tmp_path, [(16, 16)])
    mask = np.zeros((16, 16), np.uint8)
    save(Image.fromarray(mask), root / "val" / "masks" / "0.png")
    excluded = evaluate.run(EvaluateParams(), model, dataset="folder", root=root).metrics()
    zero = evaluate.run(EvaluateParams(absent="zero_if_predicted"), model, dataset="folder", root=root).metrics()
    assert excluded["per_class"]["green"] is None
    assert excluded["mean_iu"] == excluded["per_class"]["red"]
    assert zero["per_class"]["green"] == 0
    assert zero["mean_iu"] == pytest.approx(zero["per_class"]["red"] / 3)


def test_on_data_of_fewer_classes_what_the_net_knows_beyond_them_is_background(tmp_path):
    net = write_channel_model(tmp_path / "model", names=("background", "sofa", "cat"))
    image, seen = channel_picture(0, (32, 48))
    save(Image.fromarray(image), tmp_path / "data" / "val" / "images" / "0.png")
    save(Image.fromarray((seen == 2).astype(np.uint8)), tmp_path / "data" / "val" / "masks" / "0.png")
    (tmp_path / "data" / "classes.yaml").write_text("names: [background, cat]\n")
    found = evaluate.run(EvaluateParams(), net, dataset="folder", root=tmp_path / "data", out=tmp_path / "out")
    assert found.scores.per_class == (1.0, 1.0)
    (tmp_path / "data" / "classes.yaml").write_text("names: [background, dog]\n")
    with pytest.raises(DataError, match="the data has 2, the model has 3"):
        evaluate.run(EvaluateParams(), net, dataset="folder", root=tmp_path / "data")


def test_the_means_are_over_the_chosen_classes(model, root):
    whole = evaluate.run(EvaluateParams(), model, dataset="folder", root=root)
    name = whole.classes.names[1]
    found = evaluate.run(EvaluateParams(classes=(name,)), model, dataset="folder", root=root).metrics()
    assert found["mean_iu"] == found["per_class"][name] == whole.metrics()["per_class"][name]
    assert found["pixel_accuracy"] == whole.metrics()["pixel_accuracy"]
    with pytest.raises(ParamsError, match="classes: found cat, expected some of: "):
        evaluate.run(EvaluateParams(classes=("cat",)), model, dataset="folder", root=root)


def test_the_grid_shows_the_worst_image_and_no_image_twice(model, root):
    scoring = make_scoring(model, open_model(model), open_split("val", None, "folder", root, ()))
    found = evaluate.run(EvaluateParams(), model, dataset="folder", root=root)
    worst = found.ids[int(np.argmin(found.compute_image_mean_ius()))]
    for pictures in (1, 3, 6, 50):
        rows = make_grid_rows(found, scoring, pictures)
        captions = [row.caption for row in rows]
        assert len(set(captions)) == len(captions) == min(pictures, len(SIZES))
        assert [caption.split()[0] for caption in captions if "worst" in caption] == [worst]


def test_what_the_user_got_wrong_is_said_in_one_line(model, root, tmp_path):
    other = write_channel_model(tmp_path / "other", names=("red", "lime", "blue"))
    fewer = write_channel_model(tmp_path / "fewer", names=("red", "green"))
    cases = [
        ({"model": model}, ParamsError, "either --data FOLDER, or --dataset NAME with --root"),
        ({"model": model, "data": root, "dataset": "folder"}, ParamsError, "either --data"),
        ({"model": model, "dataset": "folder"}, ParamsError, "either --data"),
        ({"model": model, "dataset": "kitti", "root": root}, DataError, "data set kitti: unknown, expected one of"),
        ({"model": model, "data": root}, DataError, "dataset.json"),
        ({"model": tmp_path / "none", "dataset": "folder", "root": root}, ModelError, "no such file"),
        ({"model": other, "dataset": "folder", "root": root}, DataError, "class 1: 'green' in the data, but 'lime' in"),
        ({"model": fewer, "dataset": "folder", "root": root}, DataError, "the data has 3, the model has 2: red, green"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            evaluate.run(EvaluateParams(), **arguments)
        assert "\n" not in str(caught.value)


def test_an_unknown_split_names_those_there_are(model, root):
    with pytest.raises(DataError, match="no split test, expected one of: val"):
        evaluate.run(EvaluateParams(split="test"), model, dataset="folder", root=root)


def test_scoring_imports_neither_torch_nor_plots(model, root):
    code = (
        "import sys, runpy; runpy.run_module('components.evaluate', run_name='__main__', alter_sys=True);"
        "print(sorted({'torch', 'matplotlib', 'mlflow', 'av'} & set(sys.modules)))"
    )
    arguments = ["--model", str(model), "--dataset", "folder", "--root", str(root)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "mean IU" in done.stdout


def test_a_split_of_camvid_is_scored_as_it_comes(real_data, tmp_path):
    classes = camvid.read(real_data / "camvid").classes
    model = write_channel_model(tmp_path / "fcn", classes.names, classes.palette)
    found = evaluate.run(EvaluateParams(), model, dataset="camvid", root=real_data / "camvid")
    listed = (real_data / "camvid" / "val.txt").read_text().split()[::2]
    assert [f"{id_}.jpg" for id_ in found.ids] == [path.rpartition("/")[2].replace(".png", ".jpg") for path in listed]
    assert 0 < found.scores.mean_iu < found.scores.pixel_accuracy < 1


def test_a_root_that_is_no_folder_is_named(model, tmp_path):
    (tmp_path / "data.zip").write_bytes(b"")
    for root in (tmp_path / "data.zip", tmp_path / "none"):
        with pytest.raises(DataError, match=rf"root {root}: no such folder, expected that of a folder data set"):
            evaluate.run(EvaluateParams(), model, dataset="folder", root=root)


def test_splits_of_a_data_set_may_be_joined(tmp_path):
    raw = camvid.read(write_camvid(tmp_path, {"train": 2, "val": 1}))
    assert [len(RawSplit(raw, split)) for split in ("train", "val", "train+val")] == [2, 1, 3]
