"""Suggest: a table, a page and labels of the pictures that a model knows least."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from support.channel_model import PALETTE, channel_picture, write_channel_data, write_channel_model
from support.image_sets import save
from support.label_studio import accept_predictions

from components import ingest
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import read_dataset
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.families.options import PredictParams
from pixelwise.labelling.suggestions import read_list
from pixelwise.tools import suggest

SIZE = (40, 60)


@pytest.fixture(scope="module")
def confident(tmp_path_factory):
    """A model whose confidence is the brightness of a pixel's strongest channel."""
    return write_channel_model(tmp_path_factory.mktemp("confident") / "fcn", confidence=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Six labelled pictures of coloured blocks."""
    folder = tmp_path_factory.mktemp("labelled")
    root = write_channel_data(folder / "raw", [SIZE] * 6, split="train")
    write_channel_data(root, [SIZE] * 2)
    ingest.run(ingest.IngestParams(dataset="folder", root=root), folder / "prepared")
    return folder / "prepared"


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures like the labelled ones, two of which are labelled, then a dark one that is copied four times."""
    folder = tmp_path / "pictures"
    for seed in range(4, 14):
        save(Image.fromarray(channel_picture(seed, SIZE)[0]), folder / f"like/{seed:02}.png")
    dark = channel_picture(50, SIZE)[0] // 4
    for number in range(5):
        save(Image.fromarray(dark + np.uint8(number)), folder / f"night/{number}.png")
    return folder


def rows(output):
    with (output / "ranking.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_the_model_never_saw_comes_first_and_its_copies_do_not_follow(confident, prepared, pictures, tmp_path):
    report = suggest.run(PredictParams(), [pictures], confident, tmp_path / "out", prepared, count=6)
    ranked = rows(tmp_path / "out")
    assert [int(row["rank"]) for row in ranked] == list(range(1, 14))
    names = [row["picture"].removeprefix(f"{pictures}/") for row in ranked]
    assert names[0].startswith("night/")
    assert not names[1].startswith("night/")
    # At random, a copy stands on average in the middle.
    assert np.mean([names.index(f"night/{number}.png") for number in range(5) if names[0][6] != str(number)]) > 8
    assert {"like/04.png", "like/05.png"}.isdisjoint(names), "labelled already"
    assert float(ranked[0]["uncertainty"]) > 0.7
    assert "2 pictures left out, which are labelled already" in str(report)
    assert f"next: pixelwise studio --correct {tmp_path / 'out'}" in str(report)


def test_the_first_pictures_have_labels_and_stand_on_a_page_that_needs_no_network(confident, pictures, tmp_path):
    output = tmp_path / "out"
    report = suggest.run(PredictParams(), [pictures], confident, output, count=3)
    assert "no labelled data" in str(report)
    opened = read_list(output)
    assert opened.names == ("red", "green", "blue")
    assert opened.palette == PALETTE
    assert [file for file, _, _ in opened.pictures] == [tmp_path / row["picture"] for row in rows(output)[:3]]
    for file, name, label in opened.pictures:
        assert file == pictures / name
        strongest = np.asarray(Image.open(file)).argmax(axis=2)
        assert np.array_equal(np.asarray(Image.open(label)), strongest)
    assert len(list(output.rglob("*.label.png"))) == 3
    page = (output / "suggestions.html").read_text()
    assert page.count("<figure>") == 3
    assert re.findall(r"(?:src|href)=\"(?!data:)", page) == []
    assert "http" not in page
    assert all(row["novelty"] == "" for row in rows(output))


@pytest.mark.parametrize("kind", ["cvat", "label_studio", "labelme"])
def test_labels_for_a_tool_are_those_of_the_first_pictures_in_their_order(confident, pictures, tmp_path, kind):
    output = pictures / "suggested"
    report = suggest.run(PredictParams(format=kind), [pictures], confident, output, count=3)
    if kind == "label_studio":
        tasks = json.loads(report.annotations.read_text())
        names = [name for _, name, _ in read_list(output).pictures]
        assert [task["data"]["image"] for task in tasks] == [f"/data/local-files/?d=pictures/{name}" for name in names]
        accept_predictions(report.annotations)
    labels = {name.rpartition(".")[0]: np.asarray(Image.open(path)) for _, name, path in read_list(output).pictures}
    for path in [*output.rglob("*.label.png"), *output.rglob("*.overlay.png")]:
        path.unlink()
    if kind != "labelme":
        for name in ("like", "night"):
            shutil.copytree(pictures / name, output / "images" / name)
    raw = read_dataset(kind, pictures if kind == "labelme" else output)
    found = {item.id: read_pair(item, raw, 10**6)[1] for item in raw.items}
    assert len(found) == 3
    classes = np.array([raw.classes.names.index(name) for name in ("red", "green", "blue")])
    for name, label in labels.items():
        (read,) = [read for id_, read in found.items() if id_.endswith(name)]
        assert np.array_equal(read, classes[label])


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_ranked(confident, pictures, tmp_path, capsys):
    (pictures / "like/06.png").write_bytes(b"no picture")
    report = suggest.run(PredictParams(), [pictures], confident, tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 14
    assert "06.png" in capsys.readouterr().err
    assert report.failure.startswith("1 of 15 pictures could not be used")


def test_data_of_other_classes_and_a_folder_that_is_labelled_are_refused_in_one_line(
    prepared, pictures, confident, tmp_path
):
    other = write_channel_model(tmp_path / "fcn", names=("red", "green", "sea"))
    with pytest.raises(DataError, match=r"^data [^\n]*: classes red, green, blue, expected those of the model: red"):
        suggest.run(PredictParams(), [pictures], other, tmp_path / "out", prepared)
    with pytest.raises(PixelwiseError, match="no picture that is not labelled"):
        suggest.run(PredictParams(), [pictures / "like/04.png"], confident, tmp_path / "out", prepared)
    assert not (tmp_path / "out").exists()
