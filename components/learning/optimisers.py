"""Optimiser, learning-rate schedule and the running average of the weights."""

import copy
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn


def adamw(net: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the parameters that learn; one-dimensional ones (biases, norms) are not decayed."""
    learned = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate)


def poly_rate(step: int, steps: int, warmup: int, power: float = 0.9) -> float:
    """Share of the full learning rate at `step`: a linear warm-up, then (1 − step/steps)^power."""
    return min(1.0, (step + 1) / max(1, warmup)) * (1 - step / steps) ** power


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use the learning rate `rate` in every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate


class WeightAverage:
    """Exponential average of a net's weights and normalisation statistics, which scores better than the last ones."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Move towards `net`; faster in the first steps, so that the start is soon forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, value in zip(tensors(self.net), tensors(net), strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(value.detach().to(average.dtype), 1 - decay)
            else:
                average.copy_(value)


def tensors(net: nn.Module) -> Iterable[Tensor]:
    """Parameters and buffers."""
    return chain(net.parameters(), net.buffers())
