"""Predict: what is written for pictures and folders, and which files are inputs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.channel_model import PALETTE, channel_picture
from support.image_sets import save
from support.predictions import SIZE, read_map, write_picture, written

from pixelwise.data.inputs import name_results
from pixelwise.errors import DataError
from pixelwise.families.options import PredictParams
from pixelwise.tools import predict


@pytest.mark.covers("predict", "fcn")
def test_the_label_map_holds_the_classes_in_the_models_colours(model, tmp_path):
    label = write_picture(tmp_path / "street.png")
    predict.run(PredictParams(), [tmp_path / "street.png"], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"street.label.png", "street.overlay.png"}
    assert (read_map(tmp_path / "out" / "street.label.png") == label).all()
    with Image.open(tmp_path / "out" / "street.label.png") as picture:
        assert (np.array(picture.convert("RGB")) == np.array(PALETTE)[label]).all()


def test_the_overlay_is_as_wide_as_the_image_and_has_its_legend_below(model, tmp_path):
    write_picture(tmp_path / "street.png")
    predict.run(PredictParams(), [tmp_path / "street.png"], model, tmp_path / "out")
    with Image.open(tmp_path / "out" / "street.overlay.png") as picture:
        assert picture.width == SIZE[1]
        assert picture.height > SIZE[0]


def test_folders_keep_their_subfolders_and_alike_names_do_not_clash(model, tmp_path):
    photos = tmp_path / "photos"
    labels = {
        "a.png": write_picture(photos / "a.png", seed=1),
        "a.bmp": write_picture(photos / "a.bmp", seed=2),
        "deep/er/b": write_picture(photos / "deep" / "er" / "b.png", seed=3),
    }
    (photos / "notes.txt").write_text("no picture")
    predict.run(PredictParams(), [photos], model, tmp_path / "out")
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in labels for kind in ("label", "overlay")}
    for name, label in labels.items():
        assert (read_map(tmp_path / "out" / f"{name}.label.png") == label).all()


def test_every_input_gets_a_name_of_its_own():
    paths = [Path(name) for name in ("a.jpg", "a.png", "A.JPG", "b.v1.jpg", "b.v2.jpg", "c.jpg", "c.jpg")]
    names = [str(name) for name in name_results(paths)]
    assert names == ["a.jpg", "a.png", "A.JPG-2", "b.v1", "b.v2", "c.jpg", "c.jpg-2"]


def test_an_output_inside_the_input_is_not_predicted_again(model, tmp_path):
    write_picture(tmp_path / "a.png")
    for _ in range(2):
        predict.run(PredictParams(), [tmp_path], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"a.label.png", "a.overlay.png"}
    with pytest.raises(DataError, match="all pictures and videos lie in the output"):
        predict.run(PredictParams(), [tmp_path], model, tmp_path)


def test_a_file_given_twice_is_predicted_once(model, tmp_path):
    write_picture(tmp_path / "in" / "a.png")
    report = predict.run(PredictParams(), [tmp_path / "in", tmp_path / "in" / "a.png"], model, tmp_path / "out")
    assert report.inputs == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_predicted_upright_as_its_exif_says(model, tmp_path, orientation):
    turns = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image, label = channel_picture(seed=5, size=SIZE)
    stored = Image.fromarray(image)
    if turns[orientation] is not None:
        stored = stored.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "phone.png", exif=exif)
    predict.run(PredictParams(), [tmp_path / "phone.png"], model, tmp_path / "out")
    assert (read_map(tmp_path / "out" / "phone.label.png") == label).all()


def test_greyscale_transparent_and_palette_pictures_are_predicted(model, tmp_path):
    image, _ = channel_picture(seed=1, size=SIZE)
    for mode in ("L", "RGBA", "P", "CMYK", "1"):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.fromarray(image).convert(mode).save(tmp_path / f"{mode}.{suffix}")
    report = predict.run(PredictParams(), [tmp_path], model, tmp_path / "out")
    assert report.images == 5


def test_predicting_pictures_imports_neither_torch_nor_ffmpeg(model, tmp_path):
    write_picture(tmp_path / "a.png")
    code = (
        "import sys, runpy; runpy.run_module('pixelwise.tools.predict', run_name='__main__', alter_sys=True);"
        "print(sorted({'torch', 'matplotlib', 'mlflow', 'av', 'pyarrow', 'onnx'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "--model", model, tmp_path / "a.png", "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "1 images" in done.stdout


def test_files_that_are_neither_pictures_nor_videos_are_counted(model, tmp_path, capsys):
    write_picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
    (tmp_path / "in" / "IMG_2.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
    predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert "passed over: 2 .heic, 1 .txt\n" in capsys.readouterr().err


def test_linked_folders_are_searched(model, tmp_path):
    write_picture(tmp_path / "disk" / "a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "disk")
    predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"link/a.label.png", "link/a.overlay.png"}


def test_pictures_of_16_bits_are_read_by_the_rule_of_ingest_and_that_is_said_once(model, tmp_path, capsys):
    for name in "abc":
        save(Image.fromarray(np.arange(40 * 60, dtype=np.uint16).reshape(SIZE) * 20), tmp_path / "in" / f"{name}.png")
    predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "16 bits" in line]
    assert line.startswith("3 pictures of 16 bits a channel, divided by 256: ")
