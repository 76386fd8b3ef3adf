"""Cut single graphs out of a model that holds several side by side, perhaps connected to each other."""

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

import onnx
from onnx import helper

from pixelwise.families.graph import Graph


def cut(whole: onnx.ModelProto, graph: Graph) -> onnx.ModelProto:
    """The part of `whole`, which `trace` made, that computes the outputs of `graph` from its inputs."""
    wiring = graph.wiring or {
        **{f"{graph.name}.{name}": name for name in graph.inputs},
        **{output: f"{graph.name}.{output}" for output in graph.outputs},
    }
    sources = {wiring[output]: output for output in graph.outputs}
    names = sources | {
        target: sources.get(source, source) for target, source in wiring.items() if target not in graph.outputs
    }
    # The exporter names values after their operations: a `mean` inside the net is not the output `mean` of its graph.
    connected = names.keys() | set(wiring.values()) - graph.inputs.keys()
    inner = {value for node in whole.graph.node for value in node.output} - connected
    names |= {value: f"inner.{value}" for value in inner & set(names.values())}
    renamed = [rename(node, names) for node in whole.graph.node]
    needed = find_needed(renamed, graph.outputs)
    part = helper.make_graph(
        sort([node for node in renamed if not needed.isdisjoint(node.output)]),
        graph.name,
        [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(tensor.numpy().dtype),
                [graph.dynamic.get(name, {}).get(axis, length) for axis, length in enumerate(tensor.shape)],
            )
            for name, tensor in graph.inputs.items()
        ],
        [describe_output(value, sources[value.name]) for value in whole.graph.output if value.name in sources],
        [tensor for tensor in whole.graph.initializer if tensor.name in needed],
    )
    return helper.make_model(
        part, opset_imports=whole.opset_import, ir_version=whole.ir_version, producer_name=whole.producer_name
    )


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


def describe_output(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    """The type and shape of an output under another `name`, without its graph's name in the symbols of its shape."""
    described = onnx.ValueInfoProto()
    described.CopyFrom(value)
    described.name = name
    for axis in described.type.tensor_type.shape.dim:
        if axis.dim_param:
            axis.dim_param = axis.dim_param.replace(f"{value.name.partition('.')[0]}_", "")
    return described
