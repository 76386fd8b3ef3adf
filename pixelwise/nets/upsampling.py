"""Bilinear upsampling by coordinates, and the steps between the grids of a net (thesis §2.2.3)."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Cells repeated past the end of a map whose layers floor their sizes: enough for the pixels that the layers left out.
END_PADDING = 3


def upsample(x: Tensor, factor: int, size: Sequence[int], offset: float = 0.0) -> Tensor:
    """Upsample `x` (N, C, h, w) bilinearly to a `factor` times finer grid of `size` (H, W) (thesis §2.2.3).

    Cell i moves to cell factor·i + offset, on which it is centred. The offset is a whole or half number of cells,
    derived by `receptive_fields`; it is 0 if every strided layer has an odd kernel padded by half its size. The usual
    half-pixel resizing would then be off by (factor − 1)/2 cells, which blurs objects as thin as a pole. For the same
    reason the thesis crops by the offset of its own padding (§2.3.3). The value of the last cell is repeated past it.
    """
    halves = offset % 1 != 0
    before = math.ceil(max(offset, 0) / factor)
    start = round(factor * before + (factor - 1) / 2 * halves - offset)
    padded = F.pad(x, (before, END_PADDING if offset else 1) * 2, mode="replicate")
    # On corners a map spans one step less and one cell; between centres, h·factor.
    fine_size = [factor * side if halves else factor * (side - 1) + 1 for side in padded.shape[-2:]]
    fine = F.interpolate(padded, size=fine_size, mode="bilinear", align_corners=not halves)
    return fine[..., start : start + size[0], start : start + size[1]]


def make_interpolation(coarse: int, factor: int, fine: int, offset: float = 0.0) -> Tensor:
    """The interpolation matrix (fine, coarse) of `upsample` along one axis.

    Its transpose distributes values of the fine axis over the coarse one.
    """
    return interpolate_at((torch.arange(fine) - offset) / factor, coarse)


def make_resizing(given: int, wanted: int) -> Tensor:
    """The interpolation matrix (wanted, given) of a bilinear resizing along one axis, between half-pixel centres."""
    return interpolate_at((torch.arange(wanted) + 0.5) * given / wanted - 0.5, given)


def interpolate_at(positions: Tensor, cells: int) -> Tensor:
    """The matrix (n, cells) that interpolates linearly at n `positions`, in cells. Its rows sum to one.

    Past the first and the last cell their values are repeated.
    """
    inside = positions.clamp(min=0, max=cells - 1)
    return (1 - (inside[:, None] - torch.arange(cells)).abs()).clamp(min=0)


def upsample_by_products(x: Tensor, factor: int, size: Sequence[int], offset: float = 0.0) -> Tensor:
    """`upsample` of `x` (N, …, h, w) by two matrix products: several times as fast in ONNX Runtime, on small maps."""
    rows, columns = (
        make_interpolation(coarse, factor, fine, offset).to(x) for coarse, fine in zip(x.shape[-2:], size, strict=True)
    )
    return rows @ (x @ columns.T)


class UpsamplingStep(NamedTuple):
    """A step from one grid to a `factor` times finer one: cell i is centred on cell factor·i + offset."""

    factor: int
    offset: float = 0.0


def derive_steps(strides: Sequence[int], offsets: Sequence[float] | None = None) -> list[UpsamplingStep]:
    """The steps between grids of `strides`, coarse to fine, whose cells 0 are centred on the pixels `offsets`."""
    starts = offsets or [0.0] * len(strides)
    return [
        UpsamplingStep(coarse // fine, (start - end) / fine)
        for (coarse, fine), (start, end) in zip(pairwise(strides), pairwise(starts), strict=True)
    ]
