"""Make an output of a graph optional: it is computed only where the caller asks for it.

ONNX Runtime computes every output, fetched or not: its option `only_execute_path_to_fetches` acts in builds for
training only. The nodes of an optional output are therefore a branch of an `If`, whose condition is an input with a
default.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from pixelwise.export.nodes import find_needed


def make_optional(graph: onnx.GraphProto, name: str) -> None:
    """Compute the output `name` of `graph` only where the input `with_NAME` is true; else that output is empty.

    The input is false by default: a caller that does not know it gets the other outputs at their former cost.
    """
    (output,) = (value for value in graph.output if value.name == name)
    others = find_needed(graph.node, [value.name for value in graph.output if value.name != name])
    own = [node for node in graph.node if others.isdisjoint(node.output)]
    shared = [node for node in graph.node if not others.isdisjoint(node.output)]
    kind = output.type.tensor_type
    empty = np.empty([0] * len(kind.shape.dim), helper.tensor_dtype_to_np_dtype(kind.elem_type))
    constant = helper.make_node("Constant", [], [f"{name}.none"], value=numpy_helper.from_array(empty))
    # No two values of a graph and its branches may have the same name.
    for node in own:
        node.output[:] = [f"{name}.computed" if value == name else value for value in node.output]
    choice = helper.make_node(
        "If",
        [f"with_{name}"],
        [name],
        then_branch=make_branch(own, f"{name}.computed", kind),
        else_branch=make_branch([constant], f"{name}.none", kind),
    )
    del graph.node[:]
    graph.node.extend([*shared, choice])
    graph.input.append(helper.make_tensor_value_info(f"with_{name}", onnx.TensorProto.BOOL, []))
    graph.initializer.append(numpy_helper.from_array(np.array(False), f"with_{name}"))


def make_branch(nodes: list[onnx.NodeProto], output: str, kind: onnx.TypeProto.Tensor) -> onnx.GraphProto:
    """Make the branch of an `If` that computes `output`, of any size and of the type and rank of `kind`."""
    described = helper.make_tensor_value_info(output, kind.elem_type, [None] * len(kind.shape.dim))
    return helper.make_graph(nodes, output, [], [described])
