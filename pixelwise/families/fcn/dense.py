"""A prediction for every pixel from a net that subsamples: shift-and-stitch, and the same by dilation (thesis §2.2.2).

Both give, at cell (i, j), what the net gives for the window of the image that starts i rows below and j columns right
of its first window. So cell (i, j) belongs to pixel (i + o, j + o), the centre of that window, where o is the offset of
`receptive_fields.derive_field(net)`; an image padded by o on every side gives each of its pixels a prediction.

The two agree on the valid region: the cells whose receptive field lies within the image. For a net without padding
these are all. What sees padding differs, since a layer pads its own, shifted or dilated map; and as a shifted image
begins below the first rows, cells that see them through its padding do too. So for p pixels of padding in all, the
valid region starts at the first multiple of the stride from p on, and ends with the image.
"""

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ModelError

Pair = tuple[int, int]
Kernel = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
# Layers that map each cell on its own, once they no longer learn.
POINTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Dropout,
    nn.Dropout2d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
)


def shift_and_stitch(net: nn.Module, image: Tensor, stride: int | Pair) -> Tensor:
    """Run `net` on the image shifted by every offset below its output `stride`, and interlace the outputs.

    image: (N, C, H, W), larger than the net's receptive field by stride − 1 at least. Returns (N, K, h, w) at the
    image's own resolution: h is H − k + 1 for a receptive field of k and no padding. This runs the net once a shift,
    stride² times; `dilate` gives the same for less.
    """
    rows, columns = pair(stride)
    parts = {(y, x): net(image[..., y:, x:]) for y in range(rows) for x in range(columns)}
    # As far as every shift reaches, so that no cell is left empty.
    height = min(part.shape[-2] * rows + y for (y, _), part in parts.items())
    width = min(part.shape[-1] * columns + x for (_, x), part in parts.items())
    first = parts[0, 0]
    stitched = first.new_empty(*first.shape[:-2], height, width)
    for (y, x), part in parts.items():
        phase = stitched[..., y::rows, x::columns]
        phase.copy_(part[..., : phase.shape[-2], : phase.shape[-1]])
    return stitched


class Grid(NamedTuple):
    """How far a rewrite has come, each way: the output stride that it kept, the product of the strides it removed."""

    stride: Pair = (1, 1)
    rate: Pair = (1, 1)


def dilate(net: nn.Module, stride: int | Pair = 1) -> nn.Module:
    """A copy of `net` whose output stride is `stride`: the later strides are gone, the kernels behind them dilated.

    net: nested `nn.Sequential` of convolutions, pools and layers that map each cell on its own, such as the `features`
    of torchvision's VGG16 and AlexNet; in evaluation mode, if it has batch norms. Its names are kept and its weights
    copied: a state dict fits both. With stride 1 it equals shift-and-stitch; with another, as in dilated FCNs, every
    (original stride / `stride`)-th cell is the original's. Padding is dilated with its kernel, which keeps the grid.

    Raises ModelError where a layer cannot be rewritten, or the net's strides do not multiply to a `stride` on the way.
    """
    rewritten, grid = rewrite(copy.deepcopy(net), Grid(), pair(stride), type(net).__name__)
    if grid.stride != pair(stride):
        raise ModelError(f"dilate: the net's strides leave {grid.stride}, expected output stride {pair(stride)}")
    return rewritten


def rewrite(layer: nn.Module, grid: Grid, kept: Pair, place: str) -> tuple[nn.Module, Grid]:
    """The rewritten layer, or chain of layers, whose input is on `grid`; and the grid of its output."""
    if isinstance(layer, nn.Sequential) and type(layer).forward is nn.Sequential.forward:
        chain = nn.Sequential()
        # Not named_children, which passes over a layer that stands in a chain for the second time.
        for name, child in layer._modules.items():
            rewritten, grid = rewrite(child, grid, kept, f"{place}.{name}")
            chain.add_module(name, rewritten)
        chain.training = layer.training
        return chain, grid
    if type(layer) in POINTWISE:
        return layer, grid
    kernel = rewritable(layer, place)
    stays, removed = split_stride(pair(kernel.stride), grid.stride, kept)
    return on_grid(kernel, stays, grid.rate), Grid(times(grid.stride, stays), times(grid.rate, removed))


def rewritable(layer: nn.Module, place: str) -> Kernel:
    """`layer`, a convolution or pool that can be dilated. Raises ModelError, naming its `place`, where it is none."""
    # Not isinstance: a subclass may pad or size itself by its input.
    if not (type(layer) is nn.Conv2d or type(layer) is nn.MaxPool2d or type(layer) is nn.AvgPool2d):
        raise ModelError(
            f"dilate {place}: found {type(layer).__name__}, expected convolutions, pools of fixed size and layers "
            "that map each cell on its own, in nn.Sequential"
        )
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            found = layer.padding if isinstance(layer.padding, str) else layer.padding_mode
            raise ModelError(f"dilate {place}: found padding {found}, expected numbers of zeros")
        return layer
    if layer.ceil_mode:
        raise ModelError(f"dilate {place}: found ceil_mode, expected windows that lie within the input")
    if any(2 * pad > size - 1 for pad, size in zip(pair(layer.padding), pair(layer.kernel_size), strict=True)):
        raise ModelError(
            f"dilate {place}: found padding {layer.padding} of a pool of {layer.kernel_size}, "
            "expected less than half a window"
        )
    return layer


def split_stride(stride: Pair, reached: Pair, kept: Pair) -> tuple[Pair, Pair]:
    """What of a layer's `stride` stays and what is removed, each way: all or nothing, while `kept` is not exceeded."""
    fits = tuple(step * before <= limit for step, before, limit in zip(stride, reached, kept, strict=True))
    stays = tuple(step if fit else 1 for step, fit in zip(stride, fits, strict=True))
    removed = tuple(1 if fit else step for step, fit in zip(stride, fits, strict=True))
    return pair(stays), pair(removed)


def on_grid(layer: Kernel, stride: Pair, rate: Pair) -> nn.Module:
    """`layer` with another stride, on a grid `rate` times finer than its own."""
    if isinstance(layer, nn.AvgPool2d) and rate != (1, 1):
        return DilatedAverage(layer, stride, rate)
    rewritten = copy.copy(layer)
    rewritten.stride, rewritten.padding = stride, times(pair(layer.padding), rate)
    if not isinstance(rewritten, nn.AvgPool2d):
        rewritten.dilation = times(pair(rewritten.dilation), rate)
    return rewritten


class DilatedAverage(nn.Module):
    """The average pool `pool` over every `rate`-th cell, which torch lacks; padding counts as zeros.

    x: (N, C, H, W). Returns (N, C, h, w).
    """

    def __init__(self, pool: nn.AvgPool2d, stride: Pair, rate: Pair) -> None:
        super().__init__()
        self.kernel_size, self.padding = pair(pool.kernel_size), times(pair(pool.padding), rate)
        self.stride, self.rate = stride, rate
        self.divisor = pool.divisor_override or self.kernel_size[0] * self.kernel_size[1]

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the window, and then its share, as the pool itself computes it."""
        channels = x.shape[1]
        ones = torch.ones(channels, 1, *self.kernel_size, dtype=x.dtype, device=x.device)
        total = F.conv2d(x, ones, stride=self.stride, padding=self.padding, dilation=self.rate, groups=channels)
        return total / self.divisor


def pair(value: object) -> Pair:
    """`value`, a number or two, as (vertical, horizontal)."""
    vertical, horizontal = value if isinstance(value, tuple) else (value, value)
    return int(vertical), int(horizontal)


def times(pair: Pair, rate: Pair) -> Pair:
    """The product of two pairs, each way."""
    return pair[0] * rate[0], pair[1] * rate[1]
