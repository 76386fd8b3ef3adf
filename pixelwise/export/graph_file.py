"""Write a graph as one ONNX file, its facts and its input contract as metadata."""

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
# Where a smaller side is allowed, torch finds that strided layers hold from 33 pixels on, and traces the net again.
LEAST_SIDE = 33


def write_graph(graph: Graph, facts: Mapping[str, str], opset: int, file: Path) -> None:
    """Export `graph` to one ONNX `file` with `facts` and its input contract as metadata, and check it."""
    inputs = graph.example(*graph.traced)
    symbols: dict[str | None, Any] = {None: torch.export.Dim.DYNAMIC}
    named = {name for axes in graph.dynamic.values() for name in axes.values() if name}
    symbols |= {name: torch.export.Dim(name, min=LEAST_SIDE if name in SIDES else 1) for name in named}
    axes = [graph.dynamic.get(name, {}) for name in inputs]
    shapes: tuple[Any, ...] = tuple({axis: symbols[symbol] for axis, symbol in each.items()} for each in axes)
    if inspect.getfullargspec(graph.module.forward).varargs:
        shapes = (shapes,)
    # The exporter warns of its own internals, which tells a user nothing.
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
    """Remove what the exporter notes of the source at every node.

    It names paths of this machine: they are nobody's business, and would make one model differ by where it was made.
    """
    for node in graph.node:
        node.ClearField("metadata_props")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                forget_traces(attribute.g)


def contract(graph: Graph) -> dict[str, str]:
    """What each input takes, for whoever opens the file: `uint8 (batch, height, width, 3) RGB`."""
    described = {}
    for name, tensor in graph.example(*graph.traced).items():
        axes = graph.dynamic.get(name, {})
        shape = ", ".join(str(axes.get(axis, length) or "?") for axis, length in enumerate(tensor.shape))
        described[name] = f"{str(tensor.dtype).removeprefix('torch.')} ({shape})"
    return described
