"""The shapes that are computed while a net is traced are those of the operations themselves."""

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from pixelwise.export import fast_shapes

MAP = torch.rand(2, 3, 6, 8)
OPERATIONS = {
    "relu": F.relu,
    "clamp": lambda x: x.clamp(0, 6),
    "clamp below": lambda x: x.clamp(max=1),
    "clamp above": lambda x: x.clamp_min(0.5),
    "resize to a size": lambda x: F.interpolate(x, size=(13, 17), mode="bilinear"),
    "resize to corners": lambda x: F.interpolate(x, size=(11, 15), mode="bilinear", align_corners=True),
    "resize by a factor": lambda x: F.interpolate(x, scale_factor=2.5, mode="bilinear"),
}


def make_symbolic(x):
    """`x` without values, with symbols for all of its sizes."""
    symbols = StatelessSymbolicContext([DimDynamic.DYNAMIC] * x.dim())
    return FakeTensorMode(shape_env=ShapeEnv()).from_tensor(x, symbolic_context=symbols)


def describe(x):
    """The shape, the strides and the type of `x`."""
    return [int(side) for side in x.shape], [int(step) for step in x.stride()], x.dtype


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_traced_operation_has_the_shape_strides_and_type_of_its_result(name):
    fast_shapes.register()
    assert describe(OPERATIONS[name](make_symbolic(MAP))) == describe(OPERATIONS[name](MAP))


def test_the_result_of_an_activation_is_in_the_memory_order_of_its_input():
    fast_shapes.register()
    last = MAP.to(memory_format=torch.channels_last)
    assert describe(F.relu(make_symbolic(last))) == describe(F.relu(last))


def test_whole_numbers_become_floats_where_a_limit_is_one():
    fast_shapes.register()
    counts = torch.arange(12).reshape(3, 4)
    assert describe(make_symbolic(counts).clamp(0.5, 6.5)) == describe(counts.clamp(0.5, 6.5))
    assert make_symbolic(counts).clamp_min(1).dtype == torch.int64
