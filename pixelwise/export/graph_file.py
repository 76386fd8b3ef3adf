"""Write a graph as one ONNX file, with its facts and its input contract as metadata."""

import inspect
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch

from pixelwise.errors import ModelError
from pixelwise.families.graph import Graph

SIDES = {"height", "width"}
# With a smaller minimum, torch finds that strided layers need at least 33 pixels, and traces the net again.
LEAST_SIDE = 33


def write_graph(graph: Graph, facts: Mapping[str, str], opset: int, file: Path) -> None:
    """Export `graph` to one ONNX `file` with `facts` and its input contract as metadata, and check it.

    Raises ModelError if the exporter returns no graph.
    """
    inputs = graph.example(*graph.traced)
    symbols: dict[str | None, Any] = {None: torch.export.Dim.DYNAMIC}
    named = {name for axes in graph.dynamic.values() for name in axes.values() if name}
    symbols |= {name: torch.export.Dim(name, min=LEAST_SIDE if name in SIDES else 1) for name in named}
    axes = [graph.dynamic.get(name, {}) for name in inputs]
    shapes: tuple[Any, ...] = tuple({axis: symbols[symbol] for axis, symbol in each.items()} for each in axes)
    if inspect.getfullargspec(graph.module.forward).varargs:
        shapes = (shapes,)
    # The exporter's warnings are about its internals and do not help the user.
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            graph.module,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=opset,
            input_names=list(inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=shapes,
            verbose=False,
        )
    if program is None:
        raise ModelError(f"{graph.name}: the exporter gave no graph")
    proto = program.model_proto
    forget_traces(proto.graph)
    onnx.helper.set_model_props(proto, {**facts, **graph.facts, "inputs": json.dumps(contract(graph))})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, file)


def forget_traces(graph: onnx.GraphProto) -> None:
    """Remove the source locations that the exporter writes to every node.

    They contain paths of this machine, which are private, and which would make equal models differ between machines.
    """
    for node in graph.node:
        node.ClearField("metadata_props")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                forget_traces(attribute.g)


def contract(graph: Graph) -> dict[str, str]:
    """The type and shape of each input as text, such as `uint8 (batch, height, width, 3)`."""
    described = {}
    for name, tensor in graph.example(*graph.traced).items():
        axes = graph.dynamic.get(name, {})
        shape = ", ".join(str(axes.get(axis, length) or "?") for axis, length in enumerate(tensor.shape))
        described[name] = f"{str(tensor.dtype).removeprefix('torch.')} ({shape})"
    return described
