"""Sampling points of a 3×3 filter: moved by constants, by a covariance, or by offsets inferred per cell (§5.3)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

# Clamp of offsets in cells. Farther samples are outside any map, and torchvision casts coordinates to integers.
FARTHEST = 1e4


def make_grid() -> Tensor:
    """The cells of a 3×3 filter, (9, 2) as dy, dx, row by row."""
    steps = torch.tensor([-1.0, 0.0, 1.0])
    return torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1).view(9, 2)


def make_ring() -> Tensor:
    """The standard Gaussian as points, (9, 2) as dy, dx in the order of `make_grid` (thesis §5.3.2): the origin, and
    eight points of the unit circle at equal angles. The published code has sign errors here: two of its points agree.
    """
    cells = make_grid()
    angles = torch.atan2(cells[:, 0], cells[:, 1])
    circle = torch.stack([angles.sin(), angles.cos()], dim=-1)
    circle[4] = 0.0
    return circle


def spread_kernel(weight: Tensor, points: Tensor, most: int | None = None) -> Tensor:
    """The dense filter (O, I, S, S) that samples bilinearly at `points` (9, 2) with the taps of `weight` (O, I, 3, 3).

    Each tap is distributed over the four cells around its point, so a plain convolution equals `deform_conv2d` with
    constant offsets. S is odd and wide enough for all points, but points beyond `most` cells are dropped.
    """
    points = points.clamp(-FARTHEST, FARTHEST)
    half = max(1, math.ceil(float(points.detach().abs().max())))
    half = half if most is None else max(1, min(half, most))
    cells = torch.arange(-half, half + 1, dtype=points.dtype, device=points.device)
    hats = (1 - (points.unsqueeze(-1) - cells).abs()).clamp_min(0)
    return torch.einsum("oik,ky,kx->oiyx", weight.flatten(2), hats[:, 0], hats[:, 1])


def sample_static(x: Tensor, weight: Tensor, points: Tensor, groups: int = 1) -> Tensor:
    """`x` (N, I, H, W) filtered with `weight` (O, I / groups, 3, 3) at the same `points` (9, 2) everywhere."""
    kernel = spread_kernel(weight, points, max(x.shape[-2:]))
    return F.conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=groups)


def sample_dynamic(x: Tensor, weight: Tensor, bias: Tensor | None, offsets: Tensor) -> Tensor:
    """`x` (N, I, H, W) filtered with `weight` (O, I / groups, 3, 3) at points that differ per cell.

    offsets: (N, 9, 2, H, W) as dy, dx, relative to the cells of the plain filter.
    """
    # NaN offsets become 0, since torchvision would read arbitrary memory.
    safe = torch.nan_to_num(offsets, nan=0.0).clamp(-FARTHEST, FARTHEST)
    # Mixed precision leaves the weights whole, and torchvision's layer knows no bfloat16 on a CPU.
    return deform_conv2d(x.to(weight), safe.flatten(1, 2).to(weight), weight, bias, padding=(1, 1))


def compute_gaussian_offsets(root: Tensor) -> Tensor:
    """Offsets (N, 9, 2, H, W) of the Gaussian deformation: the ring warped by `root` (N, H, W, 2, 2), Σ = UᵀU."""
    return torch.einsum("kr,nhwrc->nkchw", make_ring().to(root), root)
