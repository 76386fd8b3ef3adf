"""The error page of an evaluation: what it shows of errors, of suspected labels and of a model beside."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from support.channel_model import NAMES, write_channel_model
from support.image_sets import save

from components import evaluate
from pixelwise.errors import DataError, ParamsError
from pixelwise.families.options import EvaluateParams


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model") / "fcn", confidence=True)


def draw(root, place: int, seen: np.ndarray, label: np.ndarray) -> None:
    """Add a picture in which the model sees the classes `seen`, at a confidence of 200 / 255."""
    image = np.zeros((*seen.shape, 3), np.uint8)
    image[seen[..., None] == np.arange(3)] = 200
    save(Image.fromarray(image), root / "val" / "images" / f"{place}.png")
    save(Image.fromarray(label), root / "val" / "masks" / f"{place}.png")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four pictures, red above green. In 1 a blue square is labelled red, and 2 has no error but at a boundary."""
    root = tmp_path_factory.mktemp("data")
    root.joinpath("classes.yaml").write_text(f"names: [{', '.join(NAMES)}]\n")
    for place in range(4):
        label = np.zeros((60, 80), np.uint8)
        label[30:] = 1
        seen = label.copy()
        if place == 1:
            seen[35:55, 10:40] = 2
            label[35:55, 10:40] = 0
        if place == 2:
            seen[30:32] = 0
        draw(root, place, seen, label)
    return root


@pytest.fixture(scope="module")
def out(model, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    table = out / "weather.csv"
    table.write_text(
        "path,weather\n" + "".join(f"val/{place}.png,{'rain' if place else 'sun'}\n" for place in range(4))
    )
    evaluate.run(EvaluateParams(slices=table), model, out=out, dataset="folder", root=root)
    return out


def test_the_page_needs_no_network_and_links_the_files_beside_it(out):
    page = (out / "errors.html").read_text()
    assert not re.search("https?:|<script", page)
    assert page.count('src="data:image/') == page.count("<img") >= 10
    for target in re.findall('href="([^"]+)"', page + (out / "report.html").read_text()):
        assert (out / target).is_file()


def test_a_label_that_the_model_doubts_heads_the_list_with_its_box(out):
    with (out / "suspects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {name: rows[0][name] for name in ("path", "left", "top", "width", "height", "label", "prediction")} == {
        "path": "val/1",
        "left": "10",
        "top": "35",
        "width": "30",
        "height": "20",
        "label": "red",
        "prediction": "blue",
    }
    coco = json.loads((out / "suspects.json").read_text())
    first = coco["annotations"][0]
    assert first["bbox"] == [10, 35, 30, 20]
    assert first["attributes"] == {"label": "red", "confidence": pytest.approx(200 / 255)}
    assert {image["id"]: image for image in coco["images"]}[first["image_id"]] == {
        "id": 2,
        "file_name": "val/1",
        "height": 60,
        "width": 80,
    }
    assert {each["id"]: each["name"] for each in coco["categories"]}[first["category_id"]] == "blue"


def test_errors_json_counts_places_sizes_slices_and_confusions(out):
    found = json.loads((out / "errors.json").read_text())
    assert found["classes"]["red"]["missed_as"] == {"blue": pytest.approx(600 / (4 * 2400 + 600))}
    assert found["classes"]["red"]["taken_for_it"] == {"green": pytest.approx(160 / (4 * 2400 + 160))}
    assert found["classes"]["blue"]["precision"] == 0
    assert found["classes"]["blue"]["confidence"] == pytest.approx(200 / 255)
    boundary, interior = found["places"]["boundary"], found["places"]["interior"]
    assert boundary["pixels"] + interior["pixels"] == 4 * 60 * 80
    assert interior["pixel_accuracy"] < 1
    assert found["sizes"]["medium"]["objects"] == found["sizes"]["large"]["objects"] + 8
    assert found["slices"]["weather"]["sun"] == {"images": 1, "pixels": 4800, "mean_iu": 1.0, "pixel_accuracy": 1.0}
    assert found["slices"]["weather"]["rain"]["images"] == 3
    assert found["beside"] is None


def test_a_model_beside_gains_and_loses_what_only_one_of_the_two_has_right(model, root, tmp_path):
    # It says red where the evaluated model says green or blue, and green where that says red.
    other = write_channel_model(tmp_path / "other", operator="ArgMin")
    params = EvaluateParams(beside=other)
    evaluate.run(params, model, out=tmp_path / "out", dataset="folder", root=root)
    found = json.loads((tmp_path / "out" / "errors.json").read_text())["beside"]
    assert found["model"] == str(other)
    assert found["classes"]["green"]["gained"] == pytest.approx((9000 - 160) / 9000)
    assert found["classes"]["green"]["lost"] == pytest.approx(160 / 9000)
    assert found["mean_iu"][0] > found["mean_iu"][1]
    page = (tmp_path / "out" / "errors.html").read_text()
    assert f"Beside {other}" in page
    assert "Gained: right here, wrong there" in page


def test_without_confidence_no_label_is_suspected(root, tmp_path):
    model = write_channel_model(tmp_path / "fcn")
    evaluate.run(EvaluateParams(), model, out=tmp_path / "out", dataset="folder", root=root)
    assert not (tmp_path / "out" / "suspects.csv").exists()
    assert "Suspected" not in (tmp_path / "out" / "errors.html").read_text()


def test_what_the_user_got_wrong_about_the_error_page_is_said_in_one_line(model, root, tmp_path):
    other = write_channel_model(tmp_path / "other", names=("red", "lime", "blue"))
    cases = [
        ({"beside": other}, None, ParamsError, "beside and slices are for the error page, expected --out FOLDER too"),
        ({"beside": other}, tmp_path, DataError, "class 1: 'green' in the data, but 'lime' in the model"),
        ({"slices": tmp_path / "none.csv"}, tmp_path, DataError, r"none\.csv"),
    ]
    for values, out, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            evaluate.run(EvaluateParams(**values), model, out=out, dataset="folder", root=root)
        assert "\n" not in str(caught.value)
