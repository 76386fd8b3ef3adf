"""Optimiser, learning-rate schedule and the running average of the weights."""

import copy
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn


def make_adamw(net: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, without weight decay on one-dimensional ones (biases, norms)."""
    learned = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": weight_decay, "multiple": 1.0},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0, "multiple": 1.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate)


def make_sgd(
    net: nn.Module, learning_rate: float, momentum: float, weight_decay: float, bias_rate: float
) -> torch.optim.SGD:
    """SGD with momentum over the trainable parameters (thesis §2.3.1).

    Biases have `bias_rate` times the learning rate, 2 in the thesis. Biases and norm scales have no weight decay.
    """
    learned = {name: p for name, p in net.named_parameters() if p.requires_grad}
    vectors = {name: p for name, p in learned.items() if p.ndim <= 1}
    biases = [p for name, p in vectors.items() if name.endswith("bias")]
    scales = [p for name, p in vectors.items() if not name.endswith("bias")]
    groups = [
        {"params": [p for p in learned.values() if p.ndim > 1], "weight_decay": weight_decay, "multiple": 1.0},
        {"params": scales, "weight_decay": 0.0, "multiple": 1.0},
        {"params": biases, "weight_decay": 0.0, "multiple": bias_rate},
    ]
    optimiser = torch.optim.SGD(groups, lr=learning_rate, momentum=momentum)
    set_learning_rate(optimiser, learning_rate)
    return optimiser


def compute_equivalent_momentum(momentum: float, batch_size: float, new_batch_size: float) -> float:
    """The momentum p′ = p^(k′/k) for batches of k′ that is equivalent to p for batches of k (thesis §2.5.2).

    In the unrolled update, the j-th example before the last has the weight p^⌊j/k⌋, which is p^(j/k) without the floor
    for both batch sizes. This assumes summed losses and equal learning rates: 0.9 on batches of 20 equals 0.9947 on
    single pictures, and the thesis's 0.99 on single pictures equals 0.9 on batches of 10.5.
    """
    return float(momentum ** (new_batch_size / batch_size))


def compute_warmup_factor(step: int, warmup: int) -> float:
    """Share of the full learning rate at `step`: linear over the first `warmup` steps, then all of it."""
    return min(1.0, (step + 1) / max(1, warmup))


def compute_poly_factor(step: int, steps: int, warmup: int, power: float = 0.9) -> float:
    """Share of the full learning rate at `step`: a linear warm-up, then (1 − step/steps)^power."""
    return compute_warmup_factor(step, warmup) * (1 - step / steps) ** power


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use the learning rate `rate` in every group of an optimiser made here, times the group's own multiple."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["multiple"]


class WeightAverage:
    """Exponential average of a net's weights and normalisation statistics, which scores better than the last ones."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Move towards `net`; the decay is lower in the first steps, so that the initial weights fade quickly."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, value in zip(list_tensors(self.net), list_tensors(net), strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(value.detach().to(average.dtype), 1 - decay)
            else:
                average.copy_(value)


def list_tensors(net: nn.Module) -> Iterable[Tensor]:
    """Parameters and buffers."""
    return chain(net.parameters(), net.buffers())
