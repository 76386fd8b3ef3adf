"""Convolutions composed with Gaussians: free-form features in learned receptive fields (thesis §5.3)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.families.composition.covariance import NUMBERS, of_size, root, size_of
from pixelwise.families.composition.gaussian import STD_DEVS, apply, blur, kernels_of
from pixelwise.families.composition.params import Kind
from pixelwise.families.composition.sampling import grid, ring, spread_kernel, static_samples

StaticFilter = Literal["blur", "resample", "dog", "dog-resample"]


# AdamW moves a parameter by about its rate a step, whatever its gradient. Covariances and points are kept at a tenth of
# what they are, so that within hundreds of steps they can go where they should.
PACE = 10.0


class GaussianParams(NamedTuple):
    """How Gaussians are made. size: the first standard deviation, in cells; per_channel: one Gaussian a channel."""

    covariance: Kind = "spherical"
    size: float = 0.5
    std_devs: float = STD_DEVS
    is_sampled: bool = False
    is_dark: bool = False
    per_channel: bool = False


class Fixed(nn.Module):
    """A Gaussian that does not learn: that of log-Cholesky `numbers` (1 or C, 1, 2 or 3)."""

    given: Tensor

    def __init__(self, numbers: Tensor, params: GaussianParams) -> None:
        super().__init__()
        kernels = kernels_of(numbers.detach(), params.std_devs, params.is_sampled)
        self.count, self.is_dark = len(kernels), params.is_dark
        self.register_buffer("given", numbers.detach().float(), persistent=False)
        for index, kernel in enumerate(kernels):
            self.register_buffer(f"kernel_{index}", kernel.float(), persistent=False)

    def numbers(self) -> Tensor:
        """The log-Cholesky numbers, (1 or C, 1, 2 or 3)."""
        return self.given

    def forward(self, x: Tensor) -> Tensor:
        """X (N, C, H, W) filtered."""
        return apply(x, [self.get_buffer(f"kernel_{index}") for index in range(self.count)], self.is_dark)


class Blur(nn.Module):
    """Filter every channel with a Gaussian whose covariance is learned. x: (N, C, H, W). Returns the same."""

    def __init__(self, channels: int, params: GaussianParams) -> None:
        super().__init__()
        self.params = params
        # In one dimension, so that no weight decay pulls it to a size of one cell.
        start = of_size(params.covariance, params.size) / PACE
        self.covariance = nn.Parameter(start.repeat(channels if params.per_channel else 1))

    def numbers(self) -> Tensor:
        """The log-Cholesky numbers, (1 or C, 1, 2 or 3)."""
        return PACE * self.covariance.view(-1, NUMBERS[self.params.covariance])

    def forward(self, x: Tensor) -> Tensor:
        """X filtered."""
        return blur(x, self.numbers(), self.params.std_devs, self.params.is_sampled, self.params.is_dark)

    def size(self) -> float:
        """The standard deviation in cells, the mean over the channels where each has its own."""
        return float(size_of(self.numbers().detach()).mean())

    def folded(self) -> Fixed:
        """The same with fixed kernels, for export."""
        return Fixed(self.numbers(), self.params)


class DifferenceOfGaussians(nn.Module):
    """A Gaussian less a larger one, both learned (thesis §5.3.1). x: (N, C, H, W). Returns the same.

    By cascade smoothing the surround is the centre, filtered once more: it is the larger one whatever is learned, and
    its covariance the sum of both.
    """

    def __init__(self, channels: int, params: GaussianParams) -> None:
        super().__init__()
        self.centre = Blur(channels, params)
        self.surround = Blur(channels, params._replace(size=max(1.0, 2 * params.size)))

    def forward(self, x: Tensor) -> Tensor:
        """Centre less surround; of a constant nothing is left."""
        centre = self.centre(x)
        difference: Tensor = centre - self.surround(centre)
        return difference


class Composed(nn.Module):
    """A convolution behind a learned Gaussian: it blurs, or blurs and resamples by the covariance (thesis §5.3.1).

    conv: any of stride 1 that keeps the grid; its weights are used as they are, and as σ goes to zero it is alone. What
    resamples has 3×3 taps, which move from their cells by the ring of the covariance. x: (N, C, H, W).
    """

    def __init__(self, conv: nn.Conv2d, kind: StaticFilter, params: GaussianParams) -> None:
        super().__init__()
        self.conv = conv
        self.resamples = kind.endswith("resample")
        require(conv, is_3x3=self.resamples)
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
        sampled = static_samples(filtered, self.conv.weight, self.points(), self.conv.groups)
        return sampled if self.conv.bias is None else sampled + self.conv.bias.view(-1, 1, 1)

    def points(self) -> Tensor:
        """Where the taps look, (9, 2): at their cells, moved by the ring."""
        centre = self.gaussian.centre if isinstance(self.gaussian, DifferenceOfGaussians) else self.gaussian
        numbers = centre.numbers()[0]
        return grid().to(numbers) + ring().to(numbers) @ root(numbers)

    def folded(self) -> nn.Sequential:
        """The same with fixed kernels."""
        conv = folded_conv(self.conv, self.points()) if self.resamples else self.conv
        return nn.Sequential(self.gaussian, conv)


class StaticPoints(nn.Module):
    """A 3×3 convolution whose sampling points are learned and the same everywhere: the thesis's static baselines.

    free: nine points of their own (static deformable convolution); else one affine map of the grid (static spatial
    transformer). Both start as the plain convolution.
    """

    def __init__(self, conv: nn.Conv2d, is_free: bool) -> None:
        super().__init__()
        require(conv, is_3x3=True)
        self.conv, self.is_free = conv, is_free
        # What is added to the grid: nine points, or a matrix and a shift.
        self.change = nn.Parameter(torch.zeros(18 if is_free else 6))

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the learned points."""
        sampled = static_samples(x, self.conv.weight, self.points(), self.conv.groups)
        return sampled if self.conv.bias is None else sampled + self.conv.bias.view(-1, 1, 1)

    def points(self) -> Tensor:
        """Where the taps look, (9, 2)."""
        cells, change = grid().to(self.change), PACE * self.change.view(-1, 2)
        return cells + (change if self.is_free else cells @ change[:2] + change[2])

    def folded(self) -> nn.Conv2d:
        """The same as a plain convolution."""
        return folded_conv(self.conv, self.points())


def folded_conv(conv: nn.Conv2d, points: Tensor) -> nn.Conv2d:
    """The plain convolution that samples as `conv` (3×3) does at `points` (9, 2)."""
    kernel = spread_kernel(conv.weight, points).detach()
    side = kernel.shape[-1]
    has_bias = conv.bias is not None
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, side, padding=side // 2, groups=conv.groups, bias=has_bias)
    plain.weight.data.copy_(kernel)
    if plain.bias is not None and conv.bias is not None:
        plain.bias.data.copy_(conv.bias.detach())
    return plain


def require(conv: nn.Conv2d, is_3x3: bool = False) -> None:
    """Raise ModelError where a convolution cannot be composed."""
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
    """`net` with its static Gaussians and points as fixed kernels, in place; returns it, or what takes its place."""
    if isinstance(net, Blur | Composed | StaticPoints):
        net = net.folded()
    for name, child in net.named_children():
        setattr(net, name, fold(child))
    return net
