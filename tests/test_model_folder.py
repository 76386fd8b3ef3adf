"""One place names the files of a model folder, and a folder of an earlier version says so in one line."""

from pathlib import Path

import pytest
from support.channel_model import write_channel_model

from pixelwise.errors import ModelError
from pixelwise.inference.session import open_model
from pixelwise.model_folder import ModelFolder


def test_a_graph_knows_its_folder():
    assert ModelFolder.around(ModelFolder(Path("models/fcn")).graph("stage1")).root == Path("models/fcn")
    assert ModelFolder.around(Path("downloads/fcn.onnx")).root == Path("downloads")


def test_an_int8_model_opens_like_any_other(tmp_path):
    int8 = write_channel_model(ModelFolder(tmp_path).int8)
    assert open_model(int8, "cpu").metadata == open_model(ModelFolder(int8).graph(), "cpu").metadata


def test_a_folder_of_an_earlier_version_says_what_to_do(tmp_path):
    model = write_channel_model(tmp_path / "fcn")
    (model / "onnx/model.onnx").rename(model / "model.onnx")
    (model / "onnx").rmdir()
    found = f"{model}/model.onnx: found a graph here, expected it in {model}/onnx; export it again"
    with pytest.raises(ModelError) as raised:
        open_model(model, "cpu")
    assert str(raised.value) == found


def test_a_graph_that_lacks_beside_others_is_named(tmp_path):
    model = write_channel_model(tmp_path / "fcn")
    with pytest.raises(ModelError, match=r"fcn/onnx/guide\.onnx: no such file, expected what `pixelwise export`"):
        ModelFolder(model).require_graph("guide")
