"""Convert the graphs of a model to ONNX, each with its facts and its input contract as metadata."""

import json
from collections.abc import Mapping, Sequence

import onnx

from pixelwise.export.cropping import crop_labels
from pixelwise.export.cutting import cut
from pixelwise.export.optional_output import make_optional
from pixelwise.export.trace import trace
from pixelwise.families.graph import Graph


def convert(graphs: Sequence[Graph], facts: Mapping[str, str], opset: int) -> dict[str, onnx.ModelProto]:
    """Export `graphs` to ONNX models by name, with `facts` and their input contract as metadata, and check them.

    A graph that is wired of others equals them by construction. Raises ModelError if the exporter returns no graph.
    """
    whole = trace([graph for graph in graphs if not graph.wiring], opset)
    forget_traces(whole.graph)
    models = {}
    for graph in graphs:
        model = cut(whole, graph)
        crop_labels(model.graph)
        for output in graph.optional:
            make_optional(model.graph, output)
        onnx.helper.set_model_props(model, {**facts, **graph.facts, "inputs": json.dumps(describe_inputs(graph))})
        onnx.checker.check_model(model, full_check=True)
        models[graph.name] = model
    return models


def forget_traces(graph: onnx.GraphProto) -> None:
    """Remove the source locations that the exporter writes to every node.

    They contain paths of this machine, which are private, and which would make equal models differ between machines.
    """
    for node in graph.node:
        node.ClearField("metadata_props")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                forget_traces(attribute.g)


def describe_inputs(graph: Graph) -> dict[str, str]:
    """The type and shape of each input as text, such as `uint8 (batch, height, width, 3)`."""
    described = {}
    for name, tensor in graph.inputs.items():
        axes = graph.dynamic.get(name, {})
        shape = ", ".join(str(axes.get(axis, length) or "?") for axis, length in enumerate(tensor.shape))
        described[name] = f"{str(tensor.dtype).removeprefix('torch.')} ({shape})"
    return described
