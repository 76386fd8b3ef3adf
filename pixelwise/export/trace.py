"""Trace all graphs of a model at once, side by side in one ONNX graph, from which each is cut afterwards."""

import copy
import warnings
from collections.abc import Sequence
from itertools import islice
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.export import fast_shapes
from pixelwise.export.folding import fold
from pixelwise.families.graph import Graph

SIDES = {"height", "width"}
# With a smaller minimum, torch finds that strided layers need at least 33 pixels, and traces the net again.
LEAST_SIDE = 33


class SideBySide(nn.Module):
    """The modules of several graphs as one: their inputs one after the other in, their outputs likewise out.

    The graphs do not depend on each other. Each has its own inputs, so that the sizes of its maps are simple functions
    of them, and the fixed cost of a trace is paid once.
    """

    def __init__(self, graphs: Sequence[Graph]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(graph.module for graph in graphs)
        self.counts = [len(graph.inputs) for graph in graphs]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of all modules."""
        given, outputs = iter(inputs), list[Tensor]()
        for part, count in zip(self.parts, self.counts, strict=True):
            found = part(*islice(given, count))
            outputs += [found] if isinstance(found, Tensor) else found
        return tuple(outputs)


@torch.no_grad()
def trace(graphs: Sequence[Graph], opset: int) -> onnx.ModelProto:
    """Export `graphs` to one ONNX model whose inputs and outputs are called `graph.name`.

    Raises ModelError if the exporter returns no model.
    """
    # A copy: the nets themselves stay as they are, to be compared with.
    net = copy.deepcopy(SideBySide(graphs)).eval()
    # Copies, since torch takes one tensor that is given twice for one input.
    inputs = tuple(tensor.clone() for graph in graphs for tensor in graph.inputs.values())
    fold(net, inputs)
    fast_shapes.register()
    # The exporter's warnings are about its internals and do not help the user.
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            net,
            inputs,
            dynamo=True,
            opset_version=opset,
            input_names=[f"{graph.name}.{name}" for graph in graphs for name in graph.inputs],
            output_names=[f"{graph.name}.{output}" for graph in graphs for output in graph.outputs],
            dynamic_shapes=(tuple(shape for graph in graphs for shape in find_dynamic_shapes(graph)),),
            verbose=False,
        )
    if program is None:
        raise ModelError(f"{', '.join(graph.name for graph in graphs)}: the exporter gave no graph")
    return program.model_proto


def find_dynamic_shapes(graph: Graph) -> list[dict[int, Any]]:
    """The symbols of the axes that vary, by axis, for each input of `graph`. Equal symbols of two graphs differ."""
    symbols: dict[str | None, Any] = {None: torch.export.Dim.DYNAMIC}
    named = {name for axes in graph.dynamic.values() for name in axes.values() if name}
    symbols |= {
        name: torch.export.Dim(f"{graph.name}_{name}", min=LEAST_SIDE if name in SIDES else 1) for name in named
    }
    return [{axis: symbols[symbol] for axis, symbol in graph.dynamic.get(name, {}).items()} for name in graph.inputs]
