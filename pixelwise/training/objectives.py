"""Losses over logits (N, K, H, W) and labels (N, H, W) with 255 = void."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

VOID = 255
Reduction = Literal["mean", "sum"]


def compute_class_weights(pixels: Tensor, power: float) -> Tensor:
    """Weights (K,) proportional to class frequency to the power −`power`, averaging 1 over pixels (thesis §2.3.4).

    pixels: (K,) counts. A class without pixels gets the weight 0 instead of infinity.
    """
    frequency = pixels / pixels.sum()
    weights = torch.where(frequency > 0, frequency.clamp_min(1e-12) ** -power, 0.0)
    return weights / (weights * frequency).sum()


def compute_pixel_loss(
    logits: Tensor,
    label: Tensor,
    *,
    loss: Literal["softmax", "sigmoid"] = "softmax",
    reduction: Reduction = "mean",
    weights: Tensor | None = None,
    sampled_share: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The loss of every labelled pixel, as one scalar (thesis §2.3.4).

    loss: softmax, in which classes compete for a pixel, or sigmoid, in which each class is independent. reduction: the
    sum is the thesis's unnormalised loss (§2.3.2), in which a pixel's weight does not depend on the size of picture and
    batch; the mean is over the counted pixels, and zero if there are none. weights: (K,), the weight of a pixel of
    each class. sampled_share: the probability that a pixel is counted (§2.2.4).
    """
    if sampled_share < 1:
        label = sample_pixels(label, sampled_share, generator)
    if reduction == "mean" and not (label != VOID).any():
        return logits.sum() * 0.0
    entropy = compute_cross_entropy if loss == "softmax" else compute_sigmoid_cross_entropy
    return entropy(logits, label, weights, reduction)


def compute_cross_entropy(
    logits: Tensor, label: Tensor, weights: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Softmax cross-entropy over the labelled pixels, each weighted by its class."""
    return F.cross_entropy(logits, label.long(), weight=weights, ignore_index=VOID, reduction=reduction)


def compute_sigmoid_cross_entropy(
    logits: Tensor, label: Tensor, weights: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Binary cross-entropy of every class against all others, summed over a pixel's classes (thesis §2.3.4).

    A pixel is weighted by the class of its label, as for softmax.
    """
    is_labelled = label != VOID
    index = label.long().where(is_labelled, 0)
    scores = logits.float()
    # The logistic loss is softplus(s), less s where the class is true: no one-hot labels need be held.
    terms = F.softplus(scores).sum(dim=1) - scores.gather(1, index.unsqueeze(1)).squeeze(1)
    counts = is_labelled.to(terms.dtype) if weights is None else weights[index] * is_labelled
    total = (terms * counts).sum()
    return total if reduction == "sum" else total / counts.sum()


def sample_pixels(label: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Make each pixel of `label` void with probability 1 − `share`, independently (thesis §2.2.4, §2.3.4).

    The gradient of a summed loss over the remaining pixels is on average `share` times the full gradient; the thesis
    compensates by batches of 1/`share` times as many pictures. generator: on the CPU, so that all devices draw the
    same; None: torch's default generator.
    """
    is_kept = torch.rand(label.shape, generator=generator) < share
    return label.where(is_kept.to(label.device), VOID)


def compute_lovasz_softmax(
    logits: Tensor, label: Tensor, samples: int, generator: torch.Generator | None = None
) -> Tensor:
    """The Lovász extension of 1 − IU, averaged over the classes present (Berman et al. 2018, arXiv:1705.08790).

    Computed over `samples` labelled pixels drawn at random, since it sorts them once per class: loss sampling (thesis
    §2.2.4) makes a sort of a million pixels one of some ten thousand.
    """
    classes = logits.shape[1]
    labelled = (label.flatten() != VOID).nonzero().squeeze(1)
    labelled = labelled[torch.randperm(len(labelled), generator=generator)[:samples].to(labelled.device)]
    if len(labelled) == 0:
        return logits.sum() * 0.0
    probability = logits.permute(0, 2, 3, 1).reshape(-1, classes)[labelled].float().softmax(dim=1)
    truth = F.one_hot(label.flatten()[labelled].long(), classes).to(probability.dtype)
    errors, order = (truth - probability).abs().sort(dim=0, descending=True)
    gradient = compute_lovasz_gradient(truth.gather(0, order))
    present = truth.sum(dim=0) > 0
    return (errors * gradient).sum(dim=0)[present].mean()


def compute_lovasz_gradient(truth: Tensor) -> Tensor:
    """Growth of 1 − IU as each error is added, in descending order. truth: (P, K) zeros and ones. Returns (P, K)."""
    total = truth.sum(dim=0)
    intersection = total - truth.cumsum(dim=0)
    union = total + (1 - truth).cumsum(dim=0)
    loss = 1 - intersection / union
    return torch.diff(loss, dim=0, prepend=torch.zeros_like(loss[:1]))
