"""Gaussians whose covariance is inferred at every cell (thesis §5.3.2), and free-form deformation.

Exact local filtering is the reference. The thesis samples the ring with `deform_conv2d`. The cheap variant blends three
static scales of the same weights.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.composition.covariance import (
    LARGEST,
    NUMBERS,
    SMALLEST,
    compute_root,
    compute_size,
    require_numbers,
)
from pixelwise.families.composition.gaussian import make_kernel_2d
from pixelwise.families.composition.layer import PACE, Blur, GaussianParams, require_composable
from pixelwise.families.composition.sampling import compute_gaussian_offsets, sample_dynamic


def make_regressor(channels: int, numbers: int, side: int = 3) -> nn.Conv2d:
    """The convolution that infers `numbers` values at every cell; it starts at zero.

    AdamW moves each weight by about its learning rate per step. A 3×3 regressor has so many weights that a few steps
    change a size by octaves, before the filter can adapt: most cells ended at the smallest or largest size. So the
    outputs of 3×3 regressors are divided by PACE.
    """
    conv = nn.Conv2d(channels, numbers, side, padding=side // 2, bias=False)
    nn.init.zeros_(conv.weight)
    return conv


class DynamicGaussian(nn.Module):
    """Blur and resample, with a covariance inferred at every cell: 1, 2 or 3 numbers added to learned ones.

    The 3×3 points of the convolution move by the ring of each cell's covariance. The blur before it uses the learned
    covariance only, since exact local filtering is slow. If the inferred numbers are zero it equals `Composed`.
    x: (N, C, H, W).
    """

    def __init__(self, conv: nn.Conv2d, params: GaussianParams) -> None:
        super().__init__()
        require_composable(conv, is_3x3=True)
        self.conv = conv
        self.gaussian = Blur(conv.in_channels, params._replace(per_channel=False))
        self.infer = make_regressor(conv.in_channels, NUMBERS[params.covariance])

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the points of each cell."""
        offsets = compute_gaussian_offsets(compute_root(self.infer_numbers(x)))
        return sample_dynamic(self.gaussian(x), self.conv.weight, self.conv.bias, offsets)

    def infer_numbers(self, x: Tensor) -> Tensor:
        """The log-Cholesky numbers of every cell, (N, H, W, 1, 2 or 3)."""
        change: Tensor = self.infer(x)
        return self.gaussian.compute_numbers() + change.permute(0, 2, 3, 1) / PACE

    def infer_scale_map(self, x: Tensor) -> Tensor:
        """The size of every cell's Gaussian, (N, H, W), in cells (figure 5.8)."""
        return compute_size(self.infer_numbers(x))


class FreeForm(nn.Module):
    """Deformable convolution: every cell infers 2·9 offsets, dy and dx of each tap (the thesis's baseline)."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        require_composable(conv, is_3x3=True)
        self.conv = conv
        self.infer = make_regressor(conv.in_channels, 18)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution at the points of each cell."""
        offsets: Tensor = self.infer(x) / PACE
        return sample_dynamic(x, self.conv.weight, self.conv.bias, offsets.unflatten(1, (9, 2)))


class Scales(nn.Module):
    """The cheap dynamic Gaussian: each cell blends three static scales of one 3×3 convolution by its inferred size.

    The thesis notes that blurring and resampling equals reducing with a Gaussian, filtering, and enlarging. So the
    scales are the convolution on the map, on the blurred and halved map, and on the halved map blurred once more, for
    sizes 0, 1 and 3. The blend is linear between sizes and constant beyond the last. The two coarse scales are blended
    before the convolution and filtered once, since it is linear. Taps are 1 or 2 cells apart; beyond size 1 only the
    blur grows. Sizes are inferred at every other cell. x: (N, C, H, W).
    """

    kernel: Tensor

    def __init__(self, conv: nn.Conv2d, size: float = 0.5) -> None:
        super().__init__()
        require_composable(conv, is_3x3=True)
        self.conv = conv
        # The learned base size; inferred factors multiply it.
        self.size = nn.Parameter(torch.tensor([math.log(size) / PACE]))
        # Side 1: with side 3 the regressor alone costs as much as all else.
        self.infer = make_regressor(conv.in_channels, 1, side=1)
        # Binomial: the Gaussian of σ² = 3/4 on four cells. The fifth tap is zero; it pairs cells from the first one on,
        # so that enlarging needs no crop at the start.
        row = torch.tensor([0.0, 0.125, 0.375, 0.375, 0.125])
        self.register_buffer("kernel", torch.outer(row, row).view(1, 1, 5, 5), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The blend of the fine and the coarse convolution."""
        half = self.halve(x)
        size = self.infer_sizes(half)
        blurred = enlarge(self.halve(half), half)
        coarse = self.conv(blend(half, blurred, ((size - 1) / 2).clamp(0, 1)))
        near: Tensor = self.conv(x)
        return blend(near, enlarge(coarse, near), enlarge(size.clamp(max=1), near))

    def halve(self, x: Tensor) -> Tensor:
        """Blur x and halve its sides, rounded up. Cell i is centred between cells 2i and 2i + 1 of x.

        Zeros pad the border, as in the convolution: replicating the border would copy the map.
        """
        channels = x.shape[1]
        return F.conv2d(x, self.kernel.expand(channels, 1, 5, 5), stride=2, padding=2, groups=channels)

    def infer_sizes(self, half: Tensor) -> Tensor:
        """The size of the Gaussian at every cell of the halved map, (N, 1, h, w), in cells of the whole map.

        Raises ModelError if the learned size is NaN.
        """
        if not torch.compiler.is_exporting():
            require_numbers(self.size)
        logs = F.conv2d(half, self.infer.weight, PACE * self.size.view(1))
        return logs.clamp(math.log(SMALLEST), math.log(LARGEST)).exp()

    def infer_scale_map(self, x: Tensor) -> Tensor:
        """The size of every cell's Gaussian, (N, H, W), in cells."""
        return enlarge(self.infer_sizes(self.halve(x)), x)[:, 0]


def enlarge(half: Tensor, whole: Tensor) -> Tensor:
    """Upsample `half` (N, C, h, w) bilinearly to the grid of `whole` (N, C, H, W), which `Scales.halved` halved."""
    fine = F.interpolate(half, scale_factor=2.0, mode="bilinear")
    return fine[..., : whole.shape[-2], : whole.shape[-1]]


def blend(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Interpolate from `first`, where `share` is 0, to `second`, where it is 1."""
    return first + share * (second - first)


def filter_locally(x: Tensor, numbers: Tensor, params: GaussianParams) -> Tensor:
    """Filter `x` (N, C, H, W) with a separate Gaussian at every cell: the exact reference, slow.

    numbers: (N, H, W, 1, 2 or 3) log-Cholesky. Borders are as in `gaussian.apply`.
    """
    kernels = make_kernel_2d(numbers, params.std_devs, params.is_sampled).to(x.dtype)
    height, width = kernels.shape[-2:]
    taps = kernels.flatten(-2).permute(0, 3, 1, 2).flatten(2)

    def unfold(values: Tensor) -> Tensor:
        patches = F.unfold(values, (height, width), padding=(height // 2, width // 2))
        return patches.unflatten(1, (values.shape[1], height * width))

    filtered = torch.einsum("ncks,nks->ncs", unfold(x), taps)
    if not params.is_dark:
        filtered = filtered / torch.einsum("ncks,nks->ncs", unfold(torch.ones_like(x[:, :1])), taps)
    return filtered.unflatten(2, x.shape[-2:])
