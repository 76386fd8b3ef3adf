"""Gaussians whose covariance is inferred at every cell (thesis §5.3.2), and free-form deformation beside them.

Exact local filtering is the reference. Sampling the ring with `deform_conv2d` is the thesis's way. What is cheap blends
three static scales, each a plain dilated and blurred convolution of the same weights.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from components.networks.composition import GaussianParams, require
from components.networks.covariance import NUMBERS, Kind, of_size, root, size_of
from components.networks.gaussian import apply, kernel_1d, kernel_2d
from components.networks.sampling import dynamic_samples, gaussian_offsets

# Dilation of the three scales of what is cheap; the blur before each is by half of what the dilation adds.
DILATIONS = (1, 2, 4)


def regressor(channels: int, numbers: int) -> nn.Conv2d:
    """The 3×3 convolution that infers `numbers` at every cell; it starts as zero, so as a constant."""
    conv = nn.Conv2d(channels, numbers, 3, padding=1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class DynamicGaussian(nn.Module):
    """A 3×3 convolution whose points move by the ring of a covariance inferred at every cell: 1, 2 or 3 numbers.

    x: (N, C, H, W). At constant covariance it samples as blur-and-resample does, without its blur.
    """

    def __init__(self, conv: nn.Conv2d, covariance: Kind = "spherical", size: float = 0.5) -> None:
        super().__init__()
        require(conv, is_3x3=True)
        self.conv = conv
        self.infer = regressor(conv.in_channels, NUMBERS[covariance])
        self.infer.bias.data.copy_(of_size(covariance, size))  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the points of each cell."""
        return dynamic_samples(x, self.conv.weight, self.conv.bias, gaussian_offsets(root(self.numbers(x))))

    def numbers(self, x: Tensor) -> Tensor:
        """The log-Cholesky numbers of every cell, (N, H, W, 1, 2 or 3)."""
        found: Tensor = self.infer(x)
        return found.permute(0, 2, 3, 1)

    def scale_map(self, x: Tensor) -> Tensor:
        """The size of every cell's Gaussian, (N, H, W), in cells (figure 5.8)."""
        return size_of(self.numbers(x))


class FreeForm(nn.Module):
    """Deformable convolution: every cell infers 2·9 offsets, dy and dx of each tap (the thesis's baseline)."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        require(conv, is_3x3=True)
        self.conv = conv
        self.infer = regressor(conv.in_channels, 18)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the points of each cell."""
        offsets: Tensor = self.infer(x)
        return dynamic_samples(x, self.conv.weight, self.conv.bias, offsets.unflatten(1, (9, 2)))


class Scales(nn.Module):
    """The cheap dynamic Gaussian: each cell blends three static scales of one 3×3 convolution by its inferred size.

    A scale of dilation d is blurred by (d − 1) / 2, half of what it dilates, and stands for the size d − 1; between two
    sizes the blend is linear, beyond the last it stays there. x: (N, C, H, W).
    """

    def __init__(self, conv: nn.Conv2d, size: float = 0.5) -> None:
        super().__init__()
        require(conv, is_3x3=True)
        self.conv = conv
        self.infer = regressor(conv.in_channels, 1)
        self.infer.bias.data.fill_(math.log(size))  # type: ignore[union-attr]
        for dilation in DILATIONS[1:]:
            kernel = kernel_1d(torch.tensor([(dilation - 1) / 2])).float()
            self.register_buffer(f"kernel_{dilation}", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The blend."""
        near, middle, far = (self.at(x, dilation) for dilation in DILATIONS)
        first, second = self.steps(self.scale_map(x).unsqueeze(1))
        blended: Tensor = near + first * (middle - near) + second * (far - middle)
        return blended

    def at(self, x: Tensor, dilation: int) -> Tensor:
        """X filtered at one scale."""
        if dilation > 1:
            kernel = self.get_buffer(f"kernel_{dilation}")
            x = apply(x, [kernel.unsqueeze(-1), kernel.unsqueeze(-2)], is_dark=True)
        conv = self.conv
        return F.conv2d(x, conv.weight, conv.bias, padding=dilation, dilation=dilation, groups=conv.groups)

    def steps(self, size: Tensor) -> tuple[Tensor, Tensor]:
        """How far a `size` is on the way from the first scale to the second, and from there to the third: 0 to 1."""
        low, middle, high = (float(dilation - 1) for dilation in DILATIONS)
        return ((size - low) / (middle - low)).clamp(0, 1), ((size - middle) / (high - middle)).clamp(0, 1)

    def scale_map(self, x: Tensor) -> Tensor:
        """The size of every cell's Gaussian, (N, H, W), in cells."""
        return size_of(self.infer(x).permute(0, 2, 3, 1))


def local_filter(x: Tensor, numbers: Tensor, params: GaussianParams) -> Tensor:
    """`x` (N, C, H, W) filtered at every cell with a Gaussian of its own: the exact reference, slow.

    numbers: (N, H, W, 1, 2 or 3) log-Cholesky. Past the border there is nothing, as in `gaussian.apply`.
    """
    kernels = kernel_2d(numbers, params.std_devs, params.is_sampled).to(x.dtype)
    height, width = kernels.shape[-2:]
    taps = kernels.flatten(-2).permute(0, 3, 1, 2).flatten(2)

    def unfolded(values: Tensor) -> Tensor:
        patches = F.unfold(values, (height, width), padding=(height // 2, width // 2))
        return patches.unflatten(1, (values.shape[1], height * width))

    filtered = torch.einsum("ncks,nks->ncs", unfolded(x), taps)
    if not params.is_dark:
        filtered = filtered / torch.einsum("ncks,nks->ncs", unfolded(torch.ones_like(x[:, :1])), taps)
    return filtered.unflatten(2, x.shape[-2:])
