"""Exported models of a project, and what tells them apart."""

import json
import shutil

import pytest
from support.channel_model import write_channel_model

from pixelwise.errors import ModelError
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import find_exported_models, identify, require_one_training


def test_every_folder_with_a_graph_is_an_exported_model_and_no_other(tmp_path):
    write_channel_model(tmp_path / "models/fcn")
    (tmp_path / "models/guided/onnx").mkdir(parents=True)
    (tmp_path / "models/guided/onnx/guide.onnx").touch()
    (tmp_path / "models/trained/checkpoint").mkdir(parents=True)
    (tmp_path / "models/README.md").touch()
    assert find_exported_models(tmp_path) == [tmp_path / "models/fcn", tmp_path / "models/guided"]


def test_a_model_is_known_by_its_graph_or_by_all_of_several(tmp_path):
    model = write_channel_model(tmp_path / "fcn")
    graph = model / "onnx/model.onnx"
    assert identify(model) == identify(graph) == sha256_file(graph)
    (model / "onnx/stage1.onnx").write_bytes(b"1")
    one = identify(model)
    (model / "onnx/stage1.onnx").write_bytes(b"2")
    other = identify(model)
    shutil.copy(graph, model / "onnx/first.onnx")
    assert identify(model) not in (one, other)
    (model / "onnx/first.onnx").unlink()
    (model / "schedules.json").write_text("{}")
    assert len({one, other, identify(model), identify(graph)}) == 4


@pytest.mark.parametrize("name", ["export.json", "checkpoint/run.json"])
def test_files_of_two_trainings_are_no_model(tmp_path, name):
    model = write_channel_model(tmp_path / "fcn", fingerprint="old")
    require_one_training(model)
    file = model / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"fingerprint": "old"}))
    require_one_training(model)
    file.write_text(json.dumps({"fingerprint": "new"}))
    with pytest.raises(ModelError, match=f"{name}: found fingerprint new, expected old of .*model.onnx.*; export"):
        require_one_training(model)


def test_graphs_of_two_trainings_are_no_model(tmp_path):
    model = write_channel_model(tmp_path / "fcn", fingerprint="old")
    other = write_channel_model(tmp_path / "other", fingerprint="new")
    (other / "onnx/model.onnx").rename(model / "onnx/stage1.onnx")
    with pytest.raises(ModelError, match=r"stage1.onnx: found fingerprint new, expected old"):
        require_one_training(model)
