"""Receptive fields as (kernel, stride, offset), derived from a net's layers and composed (thesis §2.2)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from torch import nn
from torchvision.models.googlenet import BasicConv2d, Inception

from pixelwise.errors import ModelError

# Layers that map each cell on its own.
POINTWISE = (nn.ReLU, nn.Dropout, nn.Dropout2d, nn.BatchNorm2d, nn.LocalResponseNorm, nn.Identity)
CHAINS = (nn.Sequential, BasicConv2d)
BRANCHES = (Inception,)


@dataclass(frozen=True)
class ReceptiveField:
    """The input cells that one output cell sees: `kernel` of them, centred at input coordinate stride·i + offset.

    Composition follows the thesis, f_ks ∘ g_k's' = (f ∘ g) of kernel k' + (k − 1)s' and stride ss', extended by the
    offsets that paddings cause, so that crops are computed instead of hard-coded. Upsampling has a stride below 1.
    """

    kernel: int = 1
    stride: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def chain(self, top: "ReceptiveField") -> "ReceptiveField":
        """The field of this layer followed by the layer `top`."""
        return ReceptiveField(
            kernel=math.ceil(self.kernel + (top.kernel - 1) * self.stride),
            stride=self.stride * top.stride,
            offset=self.offset + self.stride * top.offset,
        )


class GridPlacement(NamedTuple):
    """The position of a map's cells: cell i is at pixel start + i·step, as in an exported clockwork (`runtime.grids`).

    trimmed: the number of cells that layers without padding remove, compared with the next finer map.
    """

    step: float
    start: float
    trimmed: int = 0


def derive_field(module: nn.Module) -> ReceptiveField:
    """The field of a layer, a chain of layers or parallel branches. Raises ModelError for any other module."""
    if isinstance(module, CHAINS):
        return compose_fields(derive_field(child) for child in module.children())
    if isinstance(module, BRANCHES):
        return merge_branches(derive_field(child) for child in module.children())
    if isinstance(module, POINTWISE):
        return ReceptiveField()
    if isinstance(module, nn.ConvTranspose2d):
        kernel, stride = measure_kernel(module), require_square(module.stride)
        centre = require_square(module.padding) - Fraction(kernel - 1, 2)
        return ReceptiveField(math.ceil(kernel / stride), Fraction(1, stride), centre / stride)
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel = measure_kernel(module)
        return ReceptiveField(
            kernel, Fraction(require_square(module.stride)), Fraction(kernel - 1, 2) - require_square(module.padding)
        )
    if isinstance(module, nn.ZeroPad2d):
        left, _, top, _ = module.padding
        return ReceptiveField(offset=-Fraction(require_square((left, top))))
    raise ModelError(f"layer {type(module).__name__}: expected one with a kernel, or one that works cell by cell")


def compose_fields(fields: Iterable[ReceptiveField]) -> ReceptiveField:
    """The field of layers one after the other, first to last."""
    total = ReceptiveField()
    for field in fields:
        total = total.chain(field)
    return total


def merge_branches(fields: Iterable[ReceptiveField]) -> ReceptiveField:
    """The field of parallel branches: the widest one. Raises ModelError if their strides or offsets differ."""
    branches = list(fields)
    grids = {(field.stride, field.offset) for field in branches}
    if len(grids) != 1:
        fields_text = ", ".join(f"stride {stride} offset {offset}" for stride, offset in sorted(grids))
        raise ModelError(f"branches: found {fields_text}, expected one grid")
    return max(branches, key=lambda field: field.kernel)


def measure_receptive_field(*modules: nn.Module) -> int:
    """The side of the receptive field, in pixels, of one output cell of the sequence `modules`."""
    return compose_fields(derive_field(module) for module in modules).kernel


def find_crop_offset(top: ReceptiveField, reference: ReceptiveField) -> int:
    """The number of cells to crop from the start of `top` to align it with `reference` (thesis §2.3.3).

    Raises ModelError if no crop aligns them: the strides differ, or the offset is negative or fractional.
    """
    if top.stride != reference.stride:
        raise ModelError(f"crop: found strides {top.stride} and {reference.stride}, expected the same")
    offset = (reference.offset - top.offset) / top.stride
    if offset < 0 or offset.denominator != 1:
        raise ModelError(f"crop: found an offset of {offset} cells, expected a whole number from 0")
    return int(offset)


def measure_kernel(layer: nn.Conv2d | nn.ConvTranspose2d | nn.MaxPool2d | nn.AvgPool2d) -> int:
    """The side of the kernel in cells, dilation included."""
    dilation = 1 if isinstance(layer, nn.AvgPool2d) else require_square(layer.dilation)
    return dilation * (require_square(layer.kernel_size) - 1) + 1


def require_square(value: object) -> int:
    """The side of a square kernel, stride or padding. Raises ModelError if height and width differ."""
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) != 1 or not isinstance(number := sides.pop(), int):
        raise ModelError(f"layer: found a kernel, stride or padding of {value}, expected the same number both ways")
    return number
