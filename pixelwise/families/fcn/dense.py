"""Dense prediction with a net that subsamples: shift-and-stitch, and its equivalent by dilation (thesis §2.2.2).

Cell (i, j) of both results is the net's output for the window that starts i rows below and j columns right of the
image's first window. The centre of that window is pixel (i + o, j + o), where o is the offset of
`receptive_fields.derive_field(net)`. If the image is padded by o on every side, every pixel gets a prediction.

The two agree on the valid region: the cells whose receptive field lies within the image. For a net without padding
these are all cells. Cells that see padding differ, since each layer pads its own shifted or dilated map. Cells that see
the first rows through padding differ too, since a shifted image lacks these rows. So with p pixels of padding in total,
the valid region starts at the first multiple of the stride that is at least p, and ends with the image.
"""

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ModelError

Pair = tuple[int, int]
Kernel = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
# Layers that map each cell independently in evaluation mode.
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
    """Run `net` on the image shifted by every offset below its output `stride`, and interleave the outputs.

    image: (N, C, H, W), at least stride − 1 larger than the net's receptive field. Returns (N, K, h, w) at the
    image's own resolution: h = H − k + 1 for a receptive field of k and no padding. The net runs stride² times, once
    per shift; `dilate` computes the same at lower cost.
    """
    rows, columns = to_pair(stride)
    outputs = {(y, x): net(image[..., y:, x:]) for y in range(rows) for x in range(columns)}
    # The extent that all shifts cover, so that no cell stays empty.
    height = min(output.shape[-2] * rows + y for (y, _), output in outputs.items())
    width = min(output.shape[-1] * columns + x for (_, x), output in outputs.items())
    first = outputs[0, 0]
    stitched = first.new_empty(*first.shape[:-2], height, width)
    for (y, x), output in outputs.items():
        phase = stitched[..., y::rows, x::columns]
        phase.copy_(output[..., : phase.shape[-2], : phase.shape[-1]])
    return stitched


class Grid(NamedTuple):
    """Progress of a rewrite, per axis: the output stride kept so far, and the product of the strides removed."""

    stride: Pair = (1, 1)
    rate: Pair = (1, 1)


def dilate(net: nn.Module, stride: int | Pair = 1) -> nn.Module:
    """A copy of `net` with output stride `stride`: later strides are removed and the kernels after them dilated.

    net: nested `nn.Sequential` of convolutions, pools and layers that map each cell independently, such as the
    `features` of torchvision's VGG16 and AlexNet; in evaluation mode if it has batch norms. Names stay and weights are
    copied, so a state dict fits both nets. With stride 1 the copy equals shift-and-stitch. With a larger stride, as in
    dilated FCNs, every (original stride / `stride`)-th cell equals the original's. Padding is dilated with its kernel,
    which keeps the grid.

    Raises ModelError if a layer cannot be rewritten, or if the strides kept do not multiply to `stride`.
    """
    rewritten, grid = rewrite(copy.deepcopy(net), Grid(), to_pair(stride), type(net).__name__)
    if grid.stride != to_pair(stride):
        raise ModelError(f"dilate: the net's strides leave {grid.stride}, expected output stride {to_pair(stride)}")
    return rewritten


def rewrite(layer: nn.Module, grid: Grid, limit: Pair, path: str) -> tuple[nn.Module, Grid]:
    """Rewrite a layer, or chain of layers, whose input is on `grid`. Returns it and the grid of its output."""
    if isinstance(layer, nn.Sequential) and type(layer).forward is nn.Sequential.forward:
        chain = nn.Sequential()
        # Not named_children, which skips a layer that occurs in the chain for the second time.
        for name, child in layer._modules.items():
            rewritten, grid = rewrite(child, grid, limit, f"{path}.{name}")
            chain.add_module(name, rewritten)
        chain.training = layer.training
        return chain, grid
    if type(layer) in POINTWISE:
        return layer, grid
    kernel = require_rewritable(layer, path)
    kept, removed = split_stride(to_pair(kernel.stride), grid.stride, limit)
    return move_to_grid(kernel, kept, grid.rate), Grid(multiply(grid.stride, kept), multiply(grid.rate, removed))


def require_rewritable(layer: nn.Module, path: str) -> Kernel:
    """Return `layer`, a convolution or pool that can be dilated. Raises ModelError naming its `path` otherwise."""
    # Not isinstance: in a subclass, padding or size may depend on the input.
    if not (type(layer) is nn.Conv2d or type(layer) is nn.MaxPool2d or type(layer) is nn.AvgPool2d):
        raise ModelError(
            f"dilate {path}: found {type(layer).__name__}, expected convolutions, pools of fixed size and layers "
            "that map each cell on its own, in nn.Sequential"
        )
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            padding = layer.padding if isinstance(layer.padding, str) else layer.padding_mode
            raise ModelError(f"dilate {path}: found padding {padding}, expected numbers of zeros")
        return layer
    if layer.ceil_mode:
        raise ModelError(f"dilate {path}: found ceil_mode, expected windows that lie within the input")
    if any(2 * pad > size - 1 for pad, size in zip(to_pair(layer.padding), to_pair(layer.kernel_size), strict=True)):
        raise ModelError(
            f"dilate {path}: found padding {layer.padding} of a pool of {layer.kernel_size}, "
            "expected less than half a window"
        )
    return layer


def split_stride(stride: Pair, reached: Pair, limit: Pair) -> tuple[Pair, Pair]:
    """Split a layer's `stride` into kept and removed. Each axis is kept if the total stays within `limit`."""
    fits = tuple(step * total <= most for step, total, most in zip(stride, reached, limit, strict=True))
    kept = tuple(step if fit else 1 for step, fit in zip(stride, fits, strict=True))
    removed = tuple(1 if fit else step for step, fit in zip(stride, fits, strict=True))
    return to_pair(kept), to_pair(removed)


def move_to_grid(layer: Kernel, stride: Pair, rate: Pair) -> nn.Module:
    """A copy of `layer` with the given `stride`, for a grid `rate` times finer than its own."""
    if isinstance(layer, nn.AvgPool2d) and rate != (1, 1):
        return DilatedAverage(layer, stride, rate)
    rewritten = copy.copy(layer)
    rewritten.stride, rewritten.padding = stride, multiply(to_pair(layer.padding), rate)
    if not isinstance(rewritten, nn.AvgPool2d):
        rewritten.dilation = multiply(to_pair(rewritten.dilation), rate)
    return rewritten


class DilatedAverage(nn.Module):
    """The average pool `pool` with dilation `rate`, which torch lacks; padding counts as zeros.

    x: (N, C, H, W). Returns (N, C, h, w).
    """

    def __init__(self, pool: nn.AvgPool2d, stride: Pair, rate: Pair) -> None:
        super().__init__()
        self.kernel_size, self.padding = to_pair(pool.kernel_size), multiply(to_pair(pool.padding), rate)
        self.stride, self.rate = stride, rate
        self.divisor = pool.divisor_override or self.kernel_size[0] * self.kernel_size[1]

    def forward(self, x: Tensor) -> Tensor:
        """The sum over the window divided by the divisor, as the pool computes it."""
        channels = x.shape[1]
        ones = torch.ones(channels, 1, *self.kernel_size, dtype=x.dtype, device=x.device)
        total = F.conv2d(x, ones, stride=self.stride, padding=self.padding, dilation=self.rate, groups=channels)
        return total / self.divisor


def to_pair(value: object) -> Pair:
    """`value`, one or two numbers, as (vertical, horizontal)."""
    vertical, horizontal = value if isinstance(value, tuple) else (value, value)
    return int(vertical), int(horizontal)


def multiply(pair: Pair, rate: Pair) -> Pair:
    """The elementwise product of two pairs."""
    return pair[0] * rate[0], pair[1] * rate[1]
