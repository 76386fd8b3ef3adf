"""A model file is loaded only where it is one file, and the one that was written."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.channel_model import write_channel_model

from pixelwise.errors import ModelError
from pixelwise.identity import sha256_file
from pixelwise.inference.metadata import require_sealed
from pixelwise.inference.session import open_model


def outside(location: str) -> TensorProto:
    """A tensor whose values lie in the file `location`."""
    tensor = numpy_helper.from_array(np.zeros(64, np.float32), "w")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    tensor.ClearField("raw_data")
    return tensor


def graph_with(tensor: TensorProto, where: str):
    """A model that keeps `tensor` as an initializer, as a constant, or as one in a branch or in a function."""
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    plain = helper.make_graph([], "g", [], [])
    nodes, functions = [], []
    if where == "initializer":
        plain.initializer.append(tensor)
    elif where == "constant":
        nodes = [constant]
    elif where == "branch":
        nodes = [helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([constant], "t", [], []))]
    else:
        functions = [helper.make_function("d", "f", [], ["c"], [constant], [helper.make_opsetid("", 18)])]
    plain.node.extend(nodes)
    return helper.make_model(plain, functions=functions)


@pytest.mark.parametrize("location", ["../../secret", "/etc/passwd", "weights.bin"])
@pytest.mark.parametrize("where", ["initializer", "constant", "branch", "function"])
def test_a_graph_with_data_in_another_file_is_refused_wherever_it_names_it(tmp_path, where, location):
    file = tmp_path / "model.onnx"
    file.write_bytes(graph_with(outside(location), where).SerializeToString())
    with pytest.raises(ModelError, match=r"model\.onnx: keeps data in other files, expected one file"):
        open_model(file, "cpu")


@pytest.mark.parametrize("where", ["initializer", "constant", "branch", "function"])
def test_data_in_the_graph_itself_is_no_fault(tmp_path, where):
    file = tmp_path / "model.onnx"
    file.write_bytes(graph_with(numpy_helper.from_array(np.zeros(64, np.float32), "w"), where).SerializeToString())
    require_sealed(file)


def record_hash(model, report):
    digest = sha256_file(model / "onnx/model.onnx")
    (model / report).write_text(json.dumps({"graphs": {"model": {"sha256": digest}}}))


@pytest.mark.parametrize("report", ["export.json", "quantization.json"])
def test_a_graph_whose_hash_is_not_the_one_written_beside_it_is_refused(tmp_path, report):
    model = write_channel_model(tmp_path / "model")
    record_hash(model, report)
    open_model(model, "cpu")
    graph = onnx.load(model / "onnx/model.onnx")
    graph.producer_name = "somebody else"
    onnx.save(graph, model / "onnx/model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx: sha256 \w{12}…, but \w{12}… was written; export it again"):
        open_model(model, "cpu")


@pytest.mark.parametrize("content", ["[]", "{", '{"graphs": {"other": {}}}', '{"graphs": null}'])
def test_a_report_that_says_nothing_of_the_graph_refuses_nothing(tmp_path, content):
    model = write_channel_model(tmp_path / "model")
    (model / "export.json").write_text(content)
    open_model(model, "cpu")
