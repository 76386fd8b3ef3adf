"""The nodes of an ONNX graph: rename their values, find those that an output needs, and order them."""

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

import onnx


def rename(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy of `node` with the inputs and outputs in `names` renamed. A name given to two values connects them."""
    renamed = onnx.NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = [names.get(value, value) for value in node.input]
    renamed.output[:] = [names.get(value, value) for value in node.output]
    return renamed


def find_needed(nodes: Iterable[onnx.NodeProto], outputs: Iterable[str]) -> set[str]:
    """The names of all values of `nodes` from which `outputs` are computed, and of `outputs` themselves."""
    makers = {value: node for node in nodes for value in node.output}
    waiting, needed = list(outputs), set[str]()
    while waiting:
        value = waiting.pop()
        if value not in needed and value in makers:
            waiting += makers[value].input
        needed.add(value)
    return needed


def sort(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """`nodes` in an order of execution: what is connected only afterwards need not be in one."""
    makers = {value: place for place, node in enumerate(nodes) for value in node.output}
    before = {place: [makers[value] for value in node.input if value in makers] for place, node in enumerate(nodes)}
    return [nodes[place] for place in TopologicalSorter(before).static_order()]
