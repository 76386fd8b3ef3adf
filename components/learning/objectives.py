"""Losses over logits (N, K, H, W) and labels (N, H, W) with 255 = void."""

import torch
import torch.nn.functional as F
from torch import Tensor

VOID = 255


def class_weights(pixels: Tensor, power: float) -> Tensor:
    """Weights (K,) proportional to class frequency to the power −`power`, averaging 1 over pixels (thesis §2.3.4).

    pixels: (K,) counts. A class without pixels gets the weight 0 instead of infinity.
    """
    frequency = pixels / pixels.sum()
    weights = torch.where(frequency > 0, frequency.clamp_min(1e-12) ** -power, 0.0)
    return weights / (weights * frequency).sum()


def cross_entropy(logits: Tensor, label: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean softmax cross-entropy over the labelled pixels, each counted by its class's weight."""
    return F.cross_entropy(logits, label.long(), weight=weights, ignore_index=VOID)


def lovasz_softmax(logits: Tensor, label: Tensor, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """The Lovász extension of 1 − IU, averaged over the classes present (Berman et al. 2018, arXiv:1705.08790).

    Taken over `samples` labelled pixels drawn at random, since it sorts them once a class: loss sampling (thesis
    §2.2.4) makes a sort of a million pixels one of some ten thousand.
    """
    classes = logits.shape[1]
    chosen = (label.flatten() != VOID).nonzero().squeeze(1)
    chosen = chosen[torch.randperm(len(chosen), generator=generator)[:samples].to(chosen.device)]
    if len(chosen) == 0:
        return logits.sum() * 0.0
    probability = logits.permute(0, 2, 3, 1).reshape(-1, classes)[chosen].float().softmax(dim=1)
    truth = F.one_hot(label.flatten()[chosen].long(), classes).to(probability.dtype)
    errors, order = (truth - probability).abs().sort(dim=0, descending=True)
    gradient = lovasz_gradient(truth.gather(0, order))
    present = truth.sum(dim=0) > 0
    return (errors * gradient).sum(dim=0)[present].mean()


def lovasz_gradient(truth: Tensor) -> Tensor:
    """Growth of 1 − IU as each error is added, in descending order. truth: (P, K) zeros and ones. Returns (P, K)."""
    total = truth.sum(dim=0)
    intersection = total - truth.cumsum(dim=0)
    union = total + (1 - truth).cumsum(dim=0)
    loss = 1 - intersection / union
    return torch.diff(loss, dim=0, prepend=torch.zeros_like(loss[:1]))
