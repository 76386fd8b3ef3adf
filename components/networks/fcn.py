"""Fully convolutional nets with skips (thesis §2.2–2.3)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from components.networks.backbones import Backbone


def upsample(x: Tensor, factor: int, like: Tensor) -> Tensor:
    """`x` (N, C, h, w) brought to the `factor` times finer grid of `like` (N, C', H, W), bilinearly (thesis §2.2.3).

    Cell i lands on cell factor·i: that is where it looks, since every layer with a stride has an odd kernel and half
    its size as padding. The usual half-pixel resizing is off by (factor − 1)/2 cells there, which blurs what is as thin
    as a pole; the thesis crops by the offset that its own padding makes for the same reason (§2.3.3).
    Past the last cell its value is repeated.
    """
    height, width = x.shape[-2:]
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    size = (factor * height + 1, factor * width + 1)
    return F.interpolate(padded, size=size, mode="bilinear", align_corners=True)[..., : like.shape[2], : like.shape[3]]


def conv_norm_relu(channels_in: int, channels_out: int, kernel_size: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the grid, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class SkipFusion(nn.Module):
    """Sum class scores from coarse to fine (thesis §2.3.3).

    Scoring each layer and summing equals scoring their concatenation, both being linear, and holds K channels a stride
    instead of hundreds. features: coarse to fine, each (N, C_i, H_i, W_i). Returns (N, K, H_last, W_last).
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.factors = factors(strides)
        self.score = nn.ModuleList(nn.Conv2d(c, classes, kernel_size=1) for c in channels)
        self.drop = nn.Dropout2d(dropout)
        for parameter in self.score.parameters():
            # Zero, so that a skip added to a trained net leaves its prediction as it was.
            nn.init.zeros_(parameter)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Fused scores on the finest grid."""
        fused, *finer = (score(self.drop(x)) for score, x in zip(self.score, features, strict=True))
        for scores, factor in zip(finer, self.factors, strict=True):
            fused = upsample(fused, factor, scores) + scores
        return fused


class TopDown(nn.Module):
    """Carry what the coarse layers know down to the fine ones before they are scored.

    A linear skip cannot reinterpret a fine edge by its context; here each stride mixes its own features with those of
    the coarser one, non-linearly and at a constant `width`. The coarsest is gated by its global average, which gives
    every pixel the whole image as receptive field. features: coarse to fine. Returns the same, `width` channels each.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        self.factors = factors(strides)
        self.lateral = nn.ModuleList(conv_norm_relu(c, width) for c in channels)
        self.gate = nn.Sequential(nn.Conv2d(channels[0], width, kernel_size=1), nn.Sigmoid())
        self.mix = nn.ModuleList(
            nn.Sequential(conv_norm_relu(width, width, kernel_size=3, groups=width), conv_norm_relu(width, width))
            for _ in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Mixed features at each stride, coarse to fine."""
        context = self.gate(features[0].mean(dim=(2, 3), keepdim=True))
        own = [lateral(x) for lateral, x in zip(self.lateral, features, strict=True)]
        mixed: list[Tensor] = [self.mix[0](own[0] * context)]
        for x, mix, factor in zip(own[1:], list(self.mix)[1:], self.factors, strict=True):
            mixed.append(mix(x + upsample(mixed[-1], factor, x)))
        return mixed


def factors(strides: Sequence[int]) -> list[int]:
    """How many times finer each of `strides` (coarse to fine) is than the one before."""
    return [coarse // fine for coarse, fine in pairwise(strides)]


class FCN(nn.Module):
    """FCN-32s, -16s, -8s (or -4s) over any backbone: `strides` says which layers are scored.

    image: (N, 3, H, W) float RGB in 0–255. Returns logits (N, K, H, W). With `width` 0 the backbone's features are
    scored as they are, as in the thesis; otherwise a `TopDown` of that width comes first. `scale` enlarges the picture
    inside the net: classes that are two pixels wide, such as poles, are lost at the backbone's first strides.
    """

    def __init__(
        self,
        backbone: str,
        classes: int,
        strides: Sequence[int],
        width: int = 0,
        scale: float = 1.0,
        dropout: float = 0.0,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, tuple(sorted(strides)), pretrained)
        coarse_to_fine = sorted(strides, reverse=True)
        channels = self.backbone.channels[::-1]
        self.stride = coarse_to_fine[-1]
        self.scale = scale
        self.top_down = TopDown(channels, coarse_to_fine, width) if width else nn.Identity()
        self.fusion = SkipFusion([width] * len(strides) if width else channels, coarse_to_fine, classes, dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the image's own grid."""
        if self.scale == 1:
            return self.logits(image)
        enlarged = F.interpolate(image, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return F.interpolate(self.logits(enlarged), size=image.shape[-2:], mode="bilinear", align_corners=False)

    def logits(self, image: Tensor) -> Tensor:
        """Logits on the grid of the picture that the backbone sees."""
        features = self.backbone(image)[::-1]
        return upsample(self.fusion(self.top_down(features)), self.stride, image)


class PixelLabels(nn.Module):
    """The net as it ships: uint8 pictures in, a label a pixel out, with everything between inside the graph.

    image: (N, H, W, 3) uint8 RGB. Returns prediction (N, H, W) uint8.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """The most probable class of every pixel."""
        logits = self.net(image.permute(0, 3, 1, 2).to(torch.float32))
        return logits.argmax(dim=1).to(torch.uint8)
