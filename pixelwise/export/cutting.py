"""Cut single graphs out of a model that holds several side by side, perhaps connected to each other."""

import onnx
from onnx import helper

from pixelwise.export.nodes import find_needed, rename, sort
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


def describe_output(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    """The type and shape of an output under another `name`, without its graph's name in the symbols of its shape."""
    described = onnx.ValueInfoProto()
    described.CopyFrom(value)
    described.name = name
    for axis in described.type.tensor_type.shape.dim:
        if axis.dim_param:
            axis.dim_param = axis.dim_param.replace(f"{value.name.partition('.')[0]}_", "")
    return described
