"""A learned clock: predicts from shallow features how much of the net's output would change (thesis §3.3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

HIDDEN = 16


class Change(nn.Module):
    """Predict the share of output pixels that change between two frames, from a shallow stage's features of both.

    now, then: (N, C, h, w). Returns (N,) in 0–1: a small net on each channel's change, averaged over cells, so that any
    picture size works. The net has no biases: equal features give exactly 0, so that stages rest in still scenes.
    """

    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cell = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1, bias=False), nn.ReLU(), nn.Conv2d(HIDDEN, 1, 1, bias=False)
        )
        # Channels differ in scale by orders of magnitude; `measure` sets their usual change.
        self.register_buffer("scale", torch.ones(1, channels, 1, 1))

    @torch.no_grad()
    def measure(self, now: Sequence[Tensor], then: Sequence[Tensor]) -> None:
        """Set `scale` to the mean absolute change of each channel over pairs of features."""
        moved = [(a - b).abs().mean(dim=(0, 2, 3), keepdim=True) for a, b in zip(now, then, strict=True)]
        self.scale.copy_(torch.stack(moved).mean(dim=0).clamp_min(1e-6))

    def forward(self, now: Tensor, then: Tensor) -> Tensor:
        """Return the predicted share (N,)."""
        moved = (now - then).abs() / self.scale
        return (1 - (-self.cell(moved).abs()).exp()).mean(dim=(1, 2, 3))
