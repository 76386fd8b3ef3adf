"""Fuse the features of several strides: summed scores, and a top-down path from coarse to fine (thesis §2.3.3)."""

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

    Scoring each layer and summing equals scoring their concatenation, since both are linear, but needs only K channels
    per stride instead of hundreds. The maximum is the thesis's alternative, which it found hard to train: only one
    stream per pixel gets a gradient. `scales` are fixed factors on each stream's features, for streams of different
    norms (at-once training). Only the `active` coarsest streams are used: staged training adds one per stage.
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
            # Zero, so that adding a skip to a trained net does not change its prediction.
            nn.init.zeros_(parameter)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Fused scores on the finest active grid."""
        return self.combine([self.score_stream(index, x) for index, x in enumerate(features[: self.active])])

    def score_stream(self, index: int, x: Tensor) -> Tensor:
        """The scores of stream `index`, counted from the coarsest; x: its features (N, C, H, W)."""
        scored: Tensor = self.score[index](self.drop(x) * self.scales[index])
        return scored

    def combine(self, scores: Sequence[Tensor]) -> Tensor:
        """Fuse the scores of the active streams, given coarse to fine."""
        fused, *finer = scores
        for own, step in zip(finer, self.steps, strict=False):
            fused = self.fuse(upsample(fused, step.factor, own.shape[-2:], step.offset), own)
        return fused


class TopDown(nn.Module):
    """Mix the features of coarse strides into finer ones before scoring.

    A linear skip cannot reinterpret a fine edge by its context. Here each stride mixes its own features with those of
    the next coarser one, non-linearly and at a constant `width`. The coarsest stride is gated by its global average,
    which makes the whole image the receptive field of every pixel. features: coarse to fine. Returns the same grids,
    `width` channels each.
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
        return self.carry_down([self.project_own(index, x) for index, x in enumerate(features)])

    def project_own(self, index: int, x: Tensor) -> Tensor:
        """The features of stride `index`, counted from the coarsest, before coarser ones are mixed in."""
        projected: Tensor = self.lateral[index](x)
        return projected if index else projected * self.gate(x.mean(dim=(2, 3), keepdim=True))

    def carry_down(self, own: Sequence[Tensor]) -> list[Tensor]:
        """Mix each stride's features with those of all coarser strides. own: coarse to fine."""
        mixed: list[Tensor] = [self.mix[0](own[0])]
        for x, mix, step in zip(own[1:], list(self.mix)[1:], self.steps, strict=True):
            mixed.append(mix(x + upsample(mixed[-1], step.factor, x.shape[-2:], step.offset)))
        return mixed
