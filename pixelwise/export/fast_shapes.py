"""Compute the result of frequent operations while a net is traced: its shape, its strides and its type.

With sizes in symbols torch runs a reference of each operation instead, which is ten operations for ReLU6 and forty for
a bilinear resizing.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
import torch._refs
import torch._refs.nn.functional
from torch import Tensor
from torch._subclasses.fake_impls import register_fast_op_impl
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode


@cache
def register() -> None:
    """Let torch compute these operations here. ONNX has an operator for each, so that no trace takes them apart."""
    aten, references = torch.ops.aten, torch._refs
    register_fast_op_impl(aten.relu.default)(make_activation(references.nn.functional.relu))
    register_fast_op_impl(aten.clamp.default)(make_activation(references.clamp))
    register_fast_op_impl(aten.clamp_min.default)(make_activation(references.clamp_min))
    register_fast_op_impl(aten.upsample_bilinear2d.vec)(resize)


def make_activation(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Make the operation whose result is like its input, as that of `reference` is for floats."""

    def activate(mode: FakeTensorMode, x: Tensor, *limits: float | None, **named: float | None) -> Any:
        if not x.is_floating_point():
            # Limits of another type may change the result's.
            with mode:
                return reference(x, *limits, **named)
        return FakeTensor(mode, torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta"), x.device)

    return activate


def resize(mode: FakeTensorMode, x: Tensor, size: Sequence[int] | None, _: bool, scales: Sequence[float] | None) -> Any:
    """A result of `size` (H, W), or of the sides of `x` (N, C, h, w) times `scales`."""
    if size is None:
        size = [torch.sym_int(side * scale) for side, scale in zip(x.shape[-2:], scales or (), strict=True)]
    meta = torch.empty((*x.shape[:2], *size), dtype=x.dtype, device="meta")
    return FakeTensor(mode, meta, x.device)
