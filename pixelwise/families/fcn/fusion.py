"""Fuse the features of several strides: scores that are summed, and a path from coarse to fine (thesis §2.3.3)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from pixelwise.nets.upsampling import UpsamplingStep, upsample


def conv_norm_relu(channels_in: int, channels_out: int, kernel_size: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the grid, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class SkipFusion(nn.Module):
    """Fuse class scores from coarse to fine (thesis §2.3.3).

    Scoring each layer and summing equals scoring their concatenation, both being linear, and holds K channels a stride
    instead of hundreds. Taking the maximum is the thesis's alternative, which it found hard to train: the gradient goes
    to one stream a pixel. `scales` multiplies each stream before it is scored: fixed constants for streams of unlike
    norms (at-once training). `active` streams, the coarsest, take part: staged training adds one after the other.
    features: coarse to fine, each (N, C_i, H_i, W_i). Returns (N, K, H, W) of the finest active stream.
    """

    def __init__(
        self,
        channels: Sequence[int],
        steps: Sequence[UpsamplingStep],
        classes: int,
        dropout: float = 0.0,
        fusion: Literal["sum", "max"] = "sum",
        scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.steps = steps
        self.fuse = torch.add if fusion == "sum" else torch.maximum
        self.scales = list(scales) or [1.0] * len(channels)
        self.active = len(channels)
        self.score = nn.ModuleList(nn.Conv2d(c, classes, kernel_size=1) for c in channels)
        self.drop = nn.Dropout2d(dropout)
        for parameter in self.score.parameters():
            # Zero, so that a skip added to a trained net leaves its prediction as it was.
            nn.init.zeros_(parameter)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Fused scores on the finest active grid."""
        return self.combine([self.scores(place, x) for place, x in enumerate(features[: self.active])])

    def scores(self, place: int, x: Tensor) -> Tensor:
        """The scores of one stream, `place` from the coarsest; x: its features (N, C, H, W)."""
        scored: Tensor = self.score[place](self.drop(x) * self.scales[place])
        return scored

    def combine(self, scores: Sequence[Tensor]) -> Tensor:
        """The scores of the active streams, coarse to fine, as one."""
        fused, *finer = scores
        for own, step in zip(finer, self.steps, strict=False):
            fused = self.fuse(upsample(fused, step.factor, own.shape[-2:], step.offset), own)
        return fused


class TopDown(nn.Module):
    """Carry what the coarse layers know down to the fine ones before they are scored.

    A linear skip cannot reinterpret a fine edge by its context; here each stride mixes its own features with those of
    the coarser one, non-linearly and at a constant `width`. The coarsest is gated by its global average, which gives
    every pixel the whole image as receptive field. features: coarse to fine. Returns the same, `width` channels each.
    """

    def __init__(self, channels: Sequence[int], steps: Sequence[UpsamplingStep], width: int) -> None:
        super().__init__()
        self.steps = steps
        self.lateral = nn.ModuleList(conv_norm_relu(c, width) for c in channels)
        self.gate = nn.Sequential(nn.Conv2d(channels[0], width, kernel_size=1), nn.Sigmoid())
        self.mix = nn.ModuleList(
            nn.Sequential(conv_norm_relu(width, width, kernel_size=3, groups=width), conv_norm_relu(width, width))
            for _ in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Mixed features at each stride, coarse to fine."""
        return self.carry_down([self.own(place, x) for place, x in enumerate(features)])

    def own(self, place: int, x: Tensor) -> Tensor:
        """What one stride brings, `place` from the coarsest, before the coarser ones are mixed in."""
        brought: Tensor = self.lateral[place](x)
        return brought if place else brought * self.gate(x.mean(dim=(2, 3), keepdim=True))

    def carry_down(self, own: Sequence[Tensor]) -> list[Tensor]:
        """What the strides bring, coarse to fine, each mixed with all coarser ones."""
        mixed: list[Tensor] = [self.mix[0](own[0])]
        for x, mix, step in zip(own[1:], list(self.mix)[1:], self.steps, strict=True):
            mixed.append(mix(x + upsample(mixed[-1], step.factor, x.shape[-2:], step.offset)))
        return mixed
