"""`pixelwise inspect` on labelled data, plain pictures, prepared data and damaged ones."""

import re

import numpy as np
import pytest
from PIL import Image
from support.edged_pictures import write_shapes
from support.image_sets import mask, noise, save

from components import ingest
from components.ingest import IngestParams
from pixelwise.errors import DataError, ParamsError
from pixelwise.tools.inspect import run


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder in which all is well."""
    return write_shapes(tmp_path_factory.mktemp("shapes"))


def look(root, folder, **options):
    """(what inspect says, its page)."""
    said = str(run([root], folder / "page.html", **options))
    return said, (folder / "page.html").read_text()


def test_a_labelled_folder_is_described_with_its_splits_classes_and_next_command(shapes, tmp_path):
    said, page = look(shapes, tmp_path)
    assert "folder: classes.yaml" in said
    assert "train 12, val 6" in said
    assert "128×96 (18)" in said
    assert re.search(r"ground \d+\.\d%, disc \d+\.\d%, box \d+\.\d%", said)
    assert said.endswith(f"page: {tmp_path / 'page.html'}\nnext: pixelwise init {shapes}")
    assert "rgb(190, 60, 50)" in page


def test_the_page_holds_every_picture_itself_and_each_tile_twice(shapes, tmp_path):
    _, page = look(shapes, tmp_path)
    assert page.count("<figure") == 18
    assert page.count("data:image/jpeg;base64,") == 36
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import', page)


def test_the_same_data_gives_the_same_page(shapes, tmp_path):
    assert look(shapes, tmp_path / "a")[1] == look(shapes, tmp_path / "b")[1]


def test_mirrored_masks_are_named_and_shown_first(tmp_path):
    root = write_shapes(tmp_path / "data", spoil=lambda mask: mask[::-1])
    said, page = look(root, tmp_path)
    assert "warning: each mask follows the edges of its picture" in said
    assert "its mask fits better mirrored top to bottom" in said
    first, *_ = re.findall(r"<figure.*?</figure>", page)
    assert "fails: each mask follows the edges of its picture" in first


def test_swapped_classes_of_a_split_are_named(tmp_path):
    root = write_shapes(tmp_path / "data", spoil=lambda mask: np.array([0, 2, 1], np.uint8)[mask])
    said, _ = look(root, tmp_path)
    assert "disc (val): looks like train's box" in said


def test_every_unusable_file_is_a_line_and_the_others_are_shown(shapes, tmp_path):
    root = write_shapes(tmp_path / "data")
    (root / "train" / "images" / "3.jpg").write_bytes(b"no picture")
    save(mask(0, 2, (8, 8)), root / "val" / "masks" / "12.png")
    said, page = look(root, tmp_path)
    assert "unusable: image 3.jpg: not a picture" in said
    assert "unusable: label 12.png: " in said
    assert "stops the pipeline: few files are in quarantine" in said
    assert "12.png" in page


def test_plain_pictures_are_shown_without_masks_and_other_files_are_counted(tmp_path):
    for seed in range(3):
        save(noise(seed, (64, 64)), tmp_path / "trip" / f"{seed}.jpg")
    (tmp_path / "trip" / "route.txt").write_text("north")
    said, page = look(tmp_path / "trip", tmp_path)
    assert "passed over: 1 .txt" in said
    assert "Pictures without masks" in page
    assert page.count("data:image/jpeg;base64,") == 3
    assert "pixelwise predict" in said


def test_orientation_tags_are_counted(tmp_path):
    picture, exif = noise(0, (64, 64)), Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "trip").mkdir()
    picture.save(tmp_path / "trip" / "a.jpg", exif=exif)
    assert "1 turned by 90° to the right" in look(tmp_path / "trip", tmp_path)[0]


def test_a_recognised_data_set_that_cannot_be_read_is_named_and_its_pictures_are_shown(tmp_path):
    root = write_shapes(tmp_path / "data")
    (root / "classes.yaml").write_text("names: [ground, ground]\n")
    said, page = look(root, tmp_path)
    assert "stops the pipeline: folder cannot be read: " in said
    assert "a name twice" in page


def test_prepared_data_is_inspected_too_and_some_of_it_on_request(shapes, tmp_path):
    ingest.run(IngestParams(dataset="folder", root=shapes), tmp_path / "prepared")
    said, _ = look(tmp_path / "prepared", tmp_path, most=4)
    assert "written by `pixelwise ingest` from folder" in said
    assert "8 of 18 pictures" in said
    assert said.endswith("next: dvc repro")


def test_nothing_to_look_at_is_one_line(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"no data set and no picture, found passed over: 1 \.txt; expected"):
        run([tmp_path / "notes"], tmp_path / "page.html")
    with pytest.raises(ParamsError, match="found 2 paths"):
        run([tmp_path, tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
