"""Convolutions composed with Gaussians: free-form filters with learned receptive fields (thesis §5.3)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.families.composition.covariance import NUMBERS, compute_root, compute_size, make_numbers
from pixelwise.families.composition.gaussian import STD_DEVS, apply, blur, make_kernels
from pixelwise.families.composition.params import Kind
from pixelwise.families.composition.sampling import make_grid, make_ring, sample_static, spread_kernel

StaticFilter = Literal["blur", "resample", "dog", "dog-resample"]


# AdamW moves a parameter by about its learning rate per step, whatever its gradient. Covariances and points are stored
# at a tenth of their value, so that they can converge within hundreds of steps.
PACE = 10.0


class GaussianParams(NamedTuple):
    """Parameters of Gaussians. size: initial standard deviation in cells; per_channel: one Gaussian per channel."""

    covariance: Kind = "spherical"
    size: float = 0.5
    std_devs: float = STD_DEVS
    is_sampled: bool = False
    is_dark: bool = False
    per_channel: bool = False


class Fixed(nn.Module):
    """A fixed Gaussian filter with log-Cholesky `numbers` (1 or C, 1, 2 or 3)."""

    numbers: Tensor

    def __init__(self, numbers: Tensor, params: GaussianParams) -> None:
        super().__init__()
        kernels = make_kernels(numbers.detach(), params.std_devs, params.is_sampled)
        self.count, self.is_dark = len(kernels), params.is_dark
        self.register_buffer("numbers", numbers.detach().float(), persistent=False)
        for index, kernel in enumerate(kernels):
            self.register_buffer(f"kernel_{index}", kernel.float(), persistent=False)

    def compute_numbers(self) -> Tensor:
        """The log-Cholesky numbers, (1 or C, 1, 2 or 3)."""
        return self.numbers

    def forward(self, x: Tensor) -> Tensor:
        """Filter x (N, C, H, W)."""
        return apply(x, [self.get_buffer(f"kernel_{index}") for index in range(self.count)], self.is_dark)


class Blur(nn.Module):
    """Filter every channel with a Gaussian whose covariance is learned. x: (N, C, H, W). Returns the same shape."""

    def __init__(self, channels: int, params: GaussianParams) -> None:
        super().__init__()
        self.params = params
        # One-dimensional, so that weight decay skips it. Decay would pull its size to one cell.
        start = make_numbers(params.covariance, params.size) / PACE
        self.covariance = nn.Parameter(start.repeat(channels if params.per_channel else 1))

    def compute_numbers(self) -> Tensor:
        """The log-Cholesky numbers, (1 or C, 1, 2 or 3)."""
        return PACE * self.covariance.view(-1, NUMBERS[self.params.covariance])

    def forward(self, x: Tensor) -> Tensor:
        """Filter x."""
        return blur(x, self.compute_numbers(), self.params.std_devs, self.params.is_sampled, self.params.is_dark)

    def measure_size(self) -> float:
        """The standard deviation in cells, averaged over channels."""
        return float(compute_size(self.compute_numbers().detach()).mean())

    def fold(self) -> Fixed:
        """The same filter with fixed kernels, for export."""
        return Fixed(self.compute_numbers(), self.params)


class DifferenceOfGaussians(nn.Module):
    """A Gaussian less a larger one, both learned (thesis §5.3.1). x: (N, C, H, W). Returns the same shape.

    Cascade smoothing: the surround is the filtered centre, filtered once more. So it is always the larger Gaussian, and
    its covariance is the sum of both.
    """

    def __init__(self, channels: int, params: GaussianParams) -> None:
        super().__init__()
        self.centre = Blur(channels, params)
        self.surround = Blur(channels, params._replace(size=max(1.0, 2 * params.size)))

    def forward(self, x: Tensor) -> Tensor:
        """Centre less surround; zero for a constant map."""
        centre = self.centre(x)
        difference: Tensor = centre - self.surround(centre)
        return difference


class Composed(nn.Module):
    """A convolution after a learned Gaussian that blurs, or blurs and resamples by the covariance (thesis §5.3.1).

    conv: any with stride 1 that keeps the grid. Its weights do not change; as σ goes to zero, only the convolution
    remains. Resampling needs 3×3 taps, which the ring of the covariance moves from their cells. x: (N, C, H, W).
    """

    def __init__(self, conv: nn.Conv2d, kind: StaticFilter, params: GaussianParams) -> None:
        super().__init__()
        self.conv = conv
        self.resamples = kind.endswith("resample")
        require_composable(conv, is_3x3=self.resamples)
        if self.resamples and params.per_channel:
            raise ModelError(f"filter {kind}: found a covariance a channel, expected one: channels share their points")
        make = DifferenceOfGaussians if kind.startswith("dog") else Blur
        self.gaussian: Blur | DifferenceOfGaussians = make(conv.in_channels, params)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of the filtered x."""
        filtered = self.gaussian(x)
        if not self.resamples:
            composed: Tensor = self.conv(filtered)
            return composed
        sampled = sample_static(filtered, self.conv.weight, self.compute_points(), self.conv.groups)
        return sampled if self.conv.bias is None else sampled + self.conv.bias.view(-1, 1, 1)

    def compute_points(self) -> Tensor:
        """The sampling points (9, 2): the cells of the filter, moved by the ring."""
        centre = self.gaussian.centre if isinstance(self.gaussian, DifferenceOfGaussians) else self.gaussian
        numbers = centre.compute_numbers()[0]
        return make_grid().to(numbers) + make_ring().to(numbers) @ compute_root(numbers)

    def fold(self) -> nn.Sequential:
        """The same layer with a plain convolution, for `fold`."""
        conv = fold_conv(self.conv, self.compute_points()) if self.resamples else self.conv
        return nn.Sequential(self.gaussian, conv)


class StaticPoints(nn.Module):
    """A 3×3 convolution whose sampling points are learned and the same everywhere: the thesis's static baselines.

    is_free: nine independent points (static deformable convolution); else one affine map of the grid (static spatial
    transformer). Both start as the plain convolution.
    """

    def __init__(self, conv: nn.Conv2d, is_free: bool) -> None:
        super().__init__()
        require_composable(conv, is_3x3=True)
        self.conv, self.is_free = conv, is_free
        # The change to the grid: nine offsets, or a matrix and a shift.
        self.change = nn.Parameter(torch.zeros(18 if is_free else 6))

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the learned points."""
        sampled = sample_static(x, self.conv.weight, self.compute_points(), self.conv.groups)
        return sampled if self.conv.bias is None else sampled + self.conv.bias.view(-1, 1, 1)

    def compute_points(self) -> Tensor:
        """The sampling points (9, 2)."""
        cells, change = make_grid().to(self.change), PACE * self.change.view(-1, 2)
        return cells + (change if self.is_free else cells @ change[:2] + change[2])

    def fold(self) -> nn.Conv2d:
        """The same as a plain convolution."""
        return fold_conv(self.conv, self.compute_points())


def fold_conv(conv: nn.Conv2d, points: Tensor) -> nn.Conv2d:
    """The plain convolution that samples as `conv` (3×3) does at `points` (9, 2)."""
    kernel = spread_kernel(conv.weight, points).detach()
    side = kernel.shape[-1]
    has_bias = conv.bias is not None
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, side, padding=side // 2, groups=conv.groups, bias=has_bias)
    plain.weight.data.copy_(kernel)
    if plain.bias is not None and conv.bias is not None:
        plain.bias.data.copy_(conv.bias.detach())
    return plain


def require_composable(conv: nn.Conv2d, is_3x3: bool = False) -> None:
    """Raise ModelError if a convolution cannot be composed."""
    height, width = conv.kernel_size
    padding = conv.padding if isinstance(conv.padding, tuple) else (-1, -1)
    if conv.stride != (1, 1) or conv.dilation != (1, 1) or padding != (height // 2, width // 2) or not height % 2:
        raise ModelError(
            f"composition: found a convolution of {height}×{width}, stride {conv.stride}, dilation {conv.dilation}, "
            f"padding {conv.padding}, expected an odd one of stride and dilation 1 that keeps the grid"
        )
    if is_3x3 and (height, width) != (3, 3):
        raise ModelError(f"composition: found a convolution of {height}×{width}, expected 3×3, a tap a point")


@torch.no_grad()
def fold(net: nn.Module) -> nn.Module:
    """Replace the static Gaussians and points of `net` by fixed kernels, in place. Returns `net` or its replacement."""
    if isinstance(net, Blur | Composed | StaticPoints):
        net = net.fold()
    for name, child in net.named_children():
        setattr(net, name, fold(child))
    return net
