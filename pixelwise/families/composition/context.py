"""Dilated context heads, CCL and ASPP, with and without a blur proportional to the rate (thesis §5.3.1, table 5.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.composition.covariance import make_numbers
from pixelwise.families.composition.layer import Fixed, GaussianParams
from pixelwise.families.fcn.fusion import conv_norm_relu

# For maps at stride 8 to 32. The published heads use 6, 12, 18 and 5 on maps twice as wide.
RATES = (2, 4, 6)
CONTEXT_RATE = 5
# Standard deviation of the blur as a share of the rate: one half keeps the structure that dilated taps can resolve.
BLUR_SHARE = 0.5


class Dilated(nn.Module):
    """A 3×3 convolution with dilation `rate`. With `is_blurred`, its input is blurred with σ of half the rate.

    Samples `rate` cells apart alias finer structure; the blur removes it (sampling theorem).
    """

    def __init__(self, channels_in: int, channels_out: int, rate: int, is_blurred: bool) -> None:
        super().__init__()
        blur = Fixed(make_numbers("spherical", BLUR_SHARE * rate)[None], GaussianParams())
        self.smooth = blur if is_blurred else nn.Identity()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=rate, dilation=rate, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Filter x (N, C, H, W)."""
        filtered: Tensor = self.conv(self.smooth(x))
        return filtered


class ContextContrast(nn.Module):
    """Context contrasted local features (CCL): a local convolution less a dilated one. x: (N, C, H, W)."""

    def __init__(self, channels: int, is_blurred: bool) -> None:
        super().__init__()
        self.local = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.context = Dilated(channels, channels, CONTEXT_RATE, is_blurred)
        self.local_norm, self.context_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """The contrast."""
        return F.relu(self.local_norm(self.local(x)) - self.context_norm(self.context(x)))


class PyramidPooling(nn.Module):
    """Atrous spatial pyramid pooling (ASPP): 1×1, three rates and the global average in parallel. x: (N, C, H, W)."""

    def __init__(self, channels: int, is_blurred: bool) -> None:
        super().__init__()
        self.point = conv_norm_relu(channels, channels)
        self.rates = nn.ModuleList(
            nn.Sequential(Dilated(channels, channels, rate, is_blurred), nn.BatchNorm2d(channels), nn.ReLU())
            for rate in RATES
        )
        self.image = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.ReLU())
        self.project = conv_norm_relu(channels * (len(RATES) + 2), channels)

    def forward(self, x: Tensor) -> Tensor:
        """All branches, projected to C channels."""
        average = self.image(x.mean(dim=(2, 3), keepdim=True)).expand_as(x)
        joined = torch.cat([self.point(x), *(rate(x) for rate in self.rates), average], dim=1)
        projected: Tensor = self.project(joined)
        return projected
