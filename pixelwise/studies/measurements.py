"""Measurements without training: coarse ground truth, and the structure of nets."""

import time
from collections.abc import Sequence
from statistics import median

import torch
from pydantic import PositiveInt
from torch import nn

from pixelwise.data.prepared import PreparedSplit
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.metrics.oracle import count_oracle_pixels
from pixelwise.nets.receptive_fields import BRANCHES, measure_receptive_field
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.training.still_images import name_scores

TRIALS = 3
# The thesis times pictures of 500 by 500 pixels (table 2.1).
SIDE = 500


class OracleParams(Params):
    """What a variant of a study of kind oracle overrides."""

    factor: PositiveInt


def oracle_scores(split: PreparedSplit, factor: int) -> dict[str, float]:
    """The four scores of labels at a `factor` times coarser resolution against themselves (thesis §2.5.3)."""
    total = ConfusionMatrix(len(split.classes))
    for index in progress(range(len(split)), f"factor {factor}"):
        total.counts += count_oracle_pixels(split.label(index), factor, len(split.classes))
    return {name.removeprefix("val/"): value for name, value in name_scores(total.scores()).items()}


def structure(net: nn.Module, strides: Sequence[int], side: int = SIDE) -> dict[str, float]:
    """Count learned weights, and measure the coarsest stride and the forward time at `side` pixels (table 2.1).

    For the thesis's own nets, also the number of layers with weights and the receptive field in pixels.
    """
    found = {
        "parameters": float(sum(weights.numel() for weights in net.parameters() if weights.requires_grad)),
        "max_stride": float(max(strides)),
        "forward_milliseconds": forward_milliseconds(net.eval(), side),
    }
    if isinstance(net, ReferenceFCN):
        # The score layer is one more.
        found |= {"conv_layers": depth(net.trunk) + 1.0, "receptive_field": float(measure_receptive_field(net.trunk))}
    return found


def depth(net: nn.Module) -> int:
    """Convolutions on the longest way through `net`, a chain of layers and parallel branches."""
    if isinstance(net, nn.Conv2d):
        return 1
    inside = [depth(child) for child in net.children()]
    return max(inside) if isinstance(net, BRANCHES) else sum(inside)


@torch.inference_mode()
def forward_milliseconds(net: nn.Module, side: int) -> float:
    """The median time of a picture of `side` × `side` pixels, on CUDA where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net, image = net.to(device), torch.zeros(1, 3, side, side, device=device)
    seconds = []
    for _ in range(TRIALS + 1):
        started = time.perf_counter()
        # Fetching the item waits until a GPU has finished the work.
        net(image).sum().item()
        seconds.append(time.perf_counter() - started)
    # The first trial pays for set-up that later ones reuse.
    return 1000 * median(seconds[1:])
