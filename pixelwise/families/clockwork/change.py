"""A learned clock: how much of the net's output would change, judged by shallow features (thesis §3.3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

HIDDEN = 16


class Change(nn.Module):
    """The share of the output's pixels that would change between two frames, from a shallow stage's features of both.

    now, then: (N, C, h, w). Returns (N,) in 0–1: the mean over the cells, so that any picture size works, of a small
    net on how far each channel moved. It has no biases, so that equal features give exactly 0 and still stretches rest.
    """

    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cell = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1, bias=False), nn.ReLU(), nn.Conv2d(HIDDEN, 1, 1, bias=False)
        )
        # Channels differ in scale by orders of magnitude; what they usually move is measured in training.
        self.register_buffer("scale", torch.ones(1, channels, 1, 1))

    @torch.no_grad()
    def measure(self, now: Sequence[Tensor], then: Sequence[Tensor]) -> None:
        """Take from pairs of features how far each channel usually moves."""
        moved = [(a - b).abs().mean(dim=(0, 2, 3), keepdim=True) for a, b in zip(now, then, strict=True)]
        self.scale.copy_(torch.stack(moved).mean(dim=0).clamp_min(1e-6))

    def forward(self, now: Tensor, then: Tensor) -> Tensor:
        """The predicted share."""
        moved = (now - then).abs() / self.scale
        return (1 - (-self.cell(moved).abs()).exp()).mean(dim=(1, 2, 3))
