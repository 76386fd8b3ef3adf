"""Fit the temperature by which a net's logits are divided, so that its class probabilities are calibrated.

Nets are trained until they are surer than they are right. One number mends most of it (Guo et al. 2017, On Calibration
of Modern Neural Networks) and leaves the order of the classes, and so every label, as it was.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.data.items import VOID
from pixelwise.training.still_images import StillImageTask

# Labelled pixels on which the temperature is fitted: neighbours say nearly the same, and one number needs few.
PIXELS = 200_000
# The temperature lies between 1 / LARGEST and LARGEST: one that is never wrong on the split would be 0.
LARGEST = 20.0
# Halvings of the logarithm of that range: to 6 millionths.
HALVINGS = 20


def fit_on_validation(net: nn.Module, task: StillImageTask) -> float:
    """Fit the temperature of the first head's logits on the validation split of `task`, void excluded."""
    return fit_temperature(*sample_pixels(net.eval(), task))


@torch.inference_mode()
def sample_pixels(net: nn.Module, task: StillImageTask) -> tuple[Tensor, Tensor]:
    """Sample labelled pixels of the validation split, as many of every picture: the logits (P, K) and classes (P,).

    The sample depends on the split alone.
    """
    name, head = next(iter(task.heads.items()))
    count = math.ceil(PIXELS / len(task.val))
    logits, labels = [], []
    for index in range(len(task.val)):
        maps = task.read_maps(task.val, index)
        label = maps[head.map].ravel()
        labelled = np.flatnonzero(label != VOID)
        chosen = np.random.default_rng(index).choice(labelled, min(count, len(labelled)), replace=False)
        scores = task.compute_logits(net, maps)[name][0].flatten(start_dim=1)
        logits.append(scores[:, torch.from_numpy(chosen).to(scores.device)].T.cpu())
        labels.append(torch.from_numpy(label[chosen].astype(np.int64)))
    return torch.cat(logits), torch.cat(labels)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Fit the temperature that gives the `labels` (P,) the greatest likelihood under softmax(logits / temperature).

    logits: (P, K). The log-likelihood is concave in 1 / temperature. It is greatest where the label's logit is on
    average the mean logit that the probabilities expect, so the sign of their difference is bisected.
    """
    logits = logits.double()
    label_logit = logits.gather(1, labels[:, None]).mean()
    low, high = -math.log(LARGEST), math.log(LARGEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = (torch.softmax(logits / math.exp(middle), dim=1) * logits).sum(dim=1).mean()
        # Expecting more than is found is being too sure, which a higher temperature mends.
        low, high = (middle, high) if expected > label_logit else (low, middle)
    return math.exp((low + high) / 2)
