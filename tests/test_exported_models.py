"""Exported models of a project, and what tells them apart."""

import shutil

from support.channel_model import write_channel_model

from pixelwise.exported_models import find_exported_models, identify
from pixelwise.identity import sha256_file


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
