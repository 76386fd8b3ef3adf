"""Exporting an FCN: its graph does what the trained net does, says what it is, and else does not leave."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from support.fcn_model import one_line, read
from torch import nn

from components import export
from components.export import ExportParams
from pixelwise.errors import ModelError
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trained import list_graphs, load_trained
from pixelwise.identity import sha256_file
from pixelwise.inference.session import open_model


@pytest.mark.covers("export", "fcn")
def test_the_graph_agrees_with_torch_at_odd_sizes_and_several_batches(model):
    exported = read(model / "export.json")
    sizes = exported["graphs"]["model"]["sizes"]
    assert exported["parity"] == min(size["agreement"] for size in sizes) >= 0.999
    assert any(size["height"] % 2 and size["width"] % 2 for size in sizes)
    assert {1, 3} <= {size["batch"] for size in sizes}
    assert exported["fingerprint"] == read(model / "checkpoint" / "model.json")["fingerprint"]
    assert exported["graphs"]["model"]["sha256"] == sha256_file(model / "onnx/model.onnx")
    assert exported["graphs"]["model"]["bytes"] == (model / "onnx/model.onnx").stat().st_size


def test_the_graph_tells_what_it_takes_and_where_it_comes_from(model):
    graph = onnx.load(model / "onnx/model.onnx")
    described = read(model / "checkpoint" / "model.json")
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert facts["family"] == "fcn"
    assert facts["fingerprint"] == described["fingerprint"]
    assert facts["data"] == described["data"]
    assert json.loads(facts["classes"]) == described["classes"]
    assert json.loads(facts["palette"]) == described["palette"]
    assert json.loads(facts["inputs"]) == {"image": "uint8 (batch, height, width, 3)"}
    assert facts["temperature"] == str(described["temperature"])
    assert [node.name for node in graph.graph.input] == ["image", "with_confidence"]
    assert [node.name for node in graph.graph.output] == ["prediction", "confidence"]
    assert [entry.version for entry in graph.opset_import if not entry.domain] == [ExportParams().opset]
    assert [file.name for file in (model / "onnx").iterdir()] == ["model.onnx"]


def test_the_opened_model_predicts_what_torch_predicts(model, val):
    segmenter = open_model(model, "cpu")
    described, net = load_trained(model / "checkpoint")
    (graph,) = list_graphs(described, net)
    images = np.stack([sample.image for sample in val])
    for batch in (images, images[:, :, ::-1].copy(), images[:1, :57, :63], images[:, :1, :1]):
        with torch.inference_mode():
            labels, confidence = (output.numpy() for output in graph.module(torch.from_numpy(batch.copy())))
            logits = net(torch.from_numpy(batch.copy()).permute(0, 3, 1, 2).float())
            probabilities = torch.softmax(logits / described["temperature"], dim=1).amax(dim=1).numpy()
        predicted, sure = segmenter.predict_with_confidence(batch)
        assert (predicted == labels).mean() >= 0.999
        assert np.array_equal(segmenter.predict(batch), predicted)
        assert np.allclose(confidence, probabilities, atol=1e-6)
        assert np.allclose(sure, probabilities, atol=1e-4)
        assert sure.dtype == np.float32
        assert 0 < sure.min() <= sure.max() <= 1
    assert segmenter.names == val.classes.names
    assert segmenter.palette == val.classes.palette


def test_a_graph_that_disagrees_with_torch_does_not_leave_and_the_older_one_stays(model, tmp_path, monkeypatch):
    class Shifting(nn.Module):
        """Says something else each time it is asked."""

        def forward(self, image):
            return image[..., 0] if torch.compiler.is_compiling() else image[..., 0] + 1

    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/model.onnx").write_bytes(b"the older one")
    graphs = fcn.graphs
    # Without a temperature, so that labels are the only output.
    monkeypatch.setattr(fcn, "graphs", lambda *net: [replaced(graph, Shifting()) for graph in graphs(*net[:3])])
    message = one_line(lambda: export.run(ExportParams(), model / "checkpoint", tmp_path), ModelError)
    assert "agrees with torch on 0.0000% of the pixels at 1×360×480, expected 99.90%" in message
    assert [file.name for file in tmp_path.rglob("*")] == ["onnx", "model.onnx"]
    assert (tmp_path / "onnx/model.onnx").read_bytes() == b"the older one"


def test_labels_are_cropped_and_not_the_scores_of_every_class(model):
    kinds = [node.op_type for node in onnx.load(model / "onnx/model.onnx").graph.node]
    # What the first labels come from, and how often they are cut: along rows and columns.
    assert kinds[kinds.index("ArgMax") - 1 :][:4] == ["Resize", "ArgMax", "Slice", "Slice"]


def test_confidence_that_is_not_asked_for_is_not_computed(model):
    session, image = open_model(model, "cpu").session, np.zeros((1, 40, 50, 3), np.uint8)
    label, confidence = session.run(None, {"image": image})
    assert (label.shape, confidence.shape) == ((1, 40, 50), (0, 0, 0))
    (choice,) = (node for node in onnx.load(model / "onnx/model.onnx").graph.node if node.op_type == "If")
    branches = {attribute.name: [node.op_type for node in attribute.g.node] for attribute in choice.attribute}
    assert branches["else_branch"] == ["Constant"]
    assert "Exp" in branches["then_branch"]
    assert "Conv" not in branches["then_branch"]


def test_a_confidence_that_disagrees_with_torch_does_not_leave(model, tmp_path, monkeypatch):
    class Shifting(nn.Module):
        """Right labels, and a confidence that is another in the graph."""

        def forward(self, image):
            share = 0.5 if torch.compiler.is_compiling() else 0.502
            return image[..., 0], image[..., 0] * 0.0 + share

    graphs = fcn.graphs
    monkeypatch.setattr(fcn, "graphs", lambda *net: [replaced(graph, Shifting()) for graph in graphs(*net)])
    message = one_line(lambda: export.run(ExportParams(), model / "checkpoint", tmp_path), ModelError)
    assert "agrees with torch on 0.0000% of the pixels" in message


def replaced(graph, module):
    return type(graph)(**{**vars(graph), "module": module})


def test_exporting_what_was_not_trained_is_an_error_of_one_line(checkpoint, tmp_path):
    assert "model.json: no such file" in one_line(lambda: export.run(ExportParams(), tmp_path, tmp_path), ModelError)
    broken = shutil.copytree(checkpoint, tmp_path / "broken")
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    act = lambda: export.run(ExportParams(), broken, tmp_path / "out")  # noqa: E731
    assert "weights.safetensors: not a safetensors file" in one_line(act, ModelError)
    described = read(checkpoint / "model.json")
    (broken / "model.json").write_text(json.dumps({**described, "classes": described["classes"][:-1]}))
    shutil.copy(checkpoint / "weights.safetensors", weights)
    assert "fusion.score" in one_line(act, ModelError)
    assert not (tmp_path / "out").exists()
