"""Gaussian kernels and filters whose covariance is learned (thesis §5.2).

The thesis samples the density at whole cells and truncates it at ⌈2σ⌉. So the loss jumps when the kernel grows, and
below σ = 0.5 the gradient vanishes, since the kernel hardly spreads. Here the density is integrated over each cell, up
to 2σ plus half a cell: the outermost tap grows from zero, and a small Gaussian remains a Gaussian. `is_sampled` selects
the thesis's method.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.families.composition.covariance import compute_deviations, compute_root, require_numbers

# The mass beyond two is 5 %, which the thesis drops too. The parameter `std_devs` may raise it.
STD_DEVS = 2.0
# Integration points along y in each row of cells, for a slanted Gaussian; along x the integral is exact.
POINTS = 8
# Taps per side up to which one square filter is as fast as a column and a row filter.
DENSE = 5


def compute_half_size(sigma: float, std_devs: float = STD_DEVS) -> int:
    """Cells on either side of the centre cell: ⌈std_devs·σ⌉, at least one (thesis §5.2.1)."""
    return max(1, math.ceil(std_devs * sigma))


def compute_mass(low: Tensor, high: Tensor) -> Tensor:
    """The probability of a standard normal variable between `low` and `high`."""
    # The mirrored interval keeps precision in the upper tail.
    flip = low > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    return torch.special.ndtr(high) - torch.special.ndtr(low)


def compute_edges(half: int, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Start and end of each cell from −half to half, (..., 2·half + 1) each, clamped to ±`reach` (...)."""
    cells = torch.arange(-half, half + 1, dtype=reach.dtype, device=reach.device)
    low, high = cells - 0.5, cells + 0.5
    limit = reach.unsqueeze(-1)
    return torch.clamp(low, -limit, limit), torch.clamp(high, -limit, limit)


def make_kernel_1d(
    sigma: Tensor, std_devs: float = STD_DEVS, is_sampled: bool = False, most: int | None = None
) -> Tensor:
    """Normalised kernels (..., 2h + 1) with standard deviations `sigma` (...) in cells. The largest sigma decides h,
    which is at most `most`.
    """
    sigma = sigma.double()
    half = compute_half_size(float(sigma.detach().max()), std_devs)
    half = half if most is None else max(1, min(half, most))
    if is_sampled:
        cells = torch.arange(-half, half + 1, dtype=sigma.dtype, device=sigma.device)
        weights = (-0.5 * (cells / sigma.unsqueeze(-1)).square()).exp()
    else:
        low, high = compute_edges(half, std_devs * sigma + 0.5)
        weights = compute_mass(low / sigma.unsqueeze(-1), high / sigma.unsqueeze(-1))
    return weights / weights.sum(dim=-1, keepdim=True)


def make_kernel_2d(
    numbers: Tensor,
    std_devs: float = STD_DEVS,
    is_sampled: bool = False,
    most: tuple[int | None, int | None] = (None, None),
) -> Tensor:
    """Normalised kernels (..., 2h_y + 1, 2h_x + 1) of log-Cholesky `numbers` (..., 1, 2 or 3), equation 5.1."""
    numbers = numbers.double()
    spread = compute_deviations(numbers)
    if numbers.shape[-1] < 3:
        sides = [make_kernel_1d(spread[..., axis], std_devs, is_sampled, most[axis]) for axis in (0, 1)]
        return sides[0].unsqueeze(-1) * sides[1].unsqueeze(-2)
    halves = []
    for axis in (0, 1):
        half, limit = compute_half_size(float(spread[..., axis].detach().max()), std_devs), most[axis]
        halves.append(half if limit is None else max(1, min(half, limit)))
    weights = (
        sample_slanted(numbers, halves[0], halves[1])
        if is_sampled
        else integrate_slanted(numbers, halves[0], halves[1], std_devs)
    )
    return weights / weights.sum(dim=(-2, -1), keepdim=True)


def sample_slanted(numbers: Tensor, half_y: int, half_x: int) -> Tensor:
    """The density of a full covariance at whole cells, not normalised, (..., 2h_y + 1, 2h_x + 1)."""
    upper = compute_root(numbers)[..., None, None, :, :]
    y = torch.arange(-half_y, half_y + 1, dtype=numbers.dtype, device=numbers.device).view(-1, 1)
    x = torch.arange(-half_x, half_x + 1, dtype=numbers.dtype, device=numbers.device)
    # xᵀΣ⁻¹x is the squared length of the row vector x U⁻¹.
    first = y / upper[..., 0, 0]
    last = (x - first * upper[..., 0, 1]) / upper[..., 1, 1]
    return (-0.5 * (first.square() + last.square())).exp()


def integrate_slanted(numbers: Tensor, half_y: int, half_x: int, std_devs: float) -> Tensor:
    """The mass of a full covariance in each cell, not normalised, (..., 2h_y + 1, 2h_x + 1).

    Given y, x is normal with mean y·U₀₁/U₀₀ and deviation U₁₁, which is integrated exactly. Along y the points are
    evenly spaced in probability, not in space, so that Gaussians much smaller than a cell are integrated well too.
    """
    upper, spread = compute_root(numbers), compute_deviations(numbers)
    scale = upper[..., 0, 0].unsqueeze(-1)
    low, high = (edge / scale for edge in compute_edges(half_y, std_devs * spread[..., 0] + 0.5))
    mass = compute_mass(low, high)
    quantiles = (torch.arange(POINTS, dtype=numbers.dtype, device=numbers.device) + 0.5) / POINTS
    # Compute the lower half and mirror it: a Gaussian is symmetric, and ndtri is precise only near 0.
    bottom = torch.special.ndtr(low[..., : half_y + 1])
    chances = bottom.unsqueeze(-1) + mass[..., : half_y + 1].unsqueeze(-1) * quantiles
    lower = torch.special.ndtri(chances.clamp(1e-300, 1 - 1e-16))
    heights = torch.cat([lower, -lower[..., :half_y, :].flip((-2, -1))], dim=-2)
    x_low, x_high = (edge[..., None, None, :] for edge in compute_edges(half_x, std_devs * spread[..., 1] + 0.5))
    middle = (heights * upper[..., 0, 1, None, None]).unsqueeze(-1)
    width = upper[..., 1, 1, None, None, None]
    across = compute_mass((x_low - middle) / width, (x_high - middle) / width).mean(dim=-2)
    return mass.unsqueeze(-1) * across


def make_kernels(
    numbers: Tensor, std_devs: float = STD_DEVS, is_sampled: bool = False, shape: tuple[int, int] | None = None
) -> list[Tensor]:
    """The kernels to apply in turn, (G, h, w) each: a column and a row if that is faster than one square kernel.

    numbers: (G, 1, 2 or 3), one Gaussian for all channels or one per channel. With the `shape` of a map, taps that
    always lie outside it are left out. Raises ModelError if a number is NaN.
    """
    require_numbers(numbers)
    most = (None, None) if shape is None else (shape[0] - 1, shape[1] - 1)
    if numbers.shape[-1] == 3:
        return [make_kernel_2d(numbers, std_devs, is_sampled, most)]
    spread = compute_deviations(numbers.double())
    column, row = (make_kernel_1d(spread[..., axis], std_devs, is_sampled, most[axis]) for axis in (0, 1))
    sides = [column.unsqueeze(-1), row.unsqueeze(-2)]
    return sides if max(column.shape[-1], row.shape[-1]) > DENSE else [sides[0] * sides[1]]


def apply(x: Tensor, kernels: list[Tensor], is_dark: bool = False) -> Tensor:
    """Filter every channel of `x` (N, C, H, W) with each of the `kernels` (1 or C, h, w) in turn.

    At borders the weights of the taps inside are renormalised, so that a constant stays constant and an infinite
    Gaussian is the global average. With `is_dark` borders are padded with zeros, as in the thesis, and darken.
    """
    channels = x.shape[1]
    if not torch.compiler.is_exporting():
        # Depthwise filters run two to three times as fast on channels-last memory.
        x = x.contiguous(memory_format=torch.channels_last)
    for kernel in kernels:
        weights = kernel.to(x.dtype).unsqueeze(1).expand(channels, 1, -1, -1)
        padding = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)
        filtered = F.conv2d(x, weights, padding=padding, groups=channels)
        if not is_dark:
            # One channel is enough if all share a Gaussian; one row or column if the kernel is a row or column.
            groups, height, width = kernel.shape
            ones = torch.ones_like(x[:1, :groups, : 1 if height == 1 else None, : 1 if width == 1 else None])
            own = kernel.to(x.dtype).unsqueeze(1)
            filtered = filtered / F.conv2d(ones, own, padding=padding, groups=kernel.shape[0])
        x = filtered
    return x


def blur(
    x: Tensor, numbers: Tensor, std_devs: float = STD_DEVS, is_sampled: bool = False, is_dark: bool = False
) -> Tensor:
    """Filter `x` (N, C, H, W) with the Gaussian of log-Cholesky `numbers` (1 or C, 1, 2 or 3)."""
    height, width = x.shape[-2:]
    return apply(x, make_kernels(numbers, std_devs, is_sampled, (height, width)), is_dark)
