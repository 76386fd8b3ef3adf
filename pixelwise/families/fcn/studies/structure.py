"""Studies of kind structure: the size, the strides and the speed of nets, and their scores (thesis table 2.1)."""

import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.families import find
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.nets.receptive_fields import BRANCHES, measure_receptive_field
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import require_trainings as require
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import train_variant

__all__ = ["measure", "require"]

TRIALS = 3
# The thesis times pictures of 500 by 500 pixels (table 2.1).
SIDE = 500


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Measure the structure of every variant's net, and score the net if its initial weights are available."""
    return Measurements(measure_variants(study, seeds, bench, measure_variant))


def measure_variant(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Measure the structure of one net, and score it if its initial weights are available."""
    family, classes = find(study.family), len(bench.data.classes)
    network = bench.parse_params(study, variant, seed).network
    structure = measure_structure(family.build(network, classes, pretrained=False), network.strides)
    if bench.is_quick:
        return Run(seed=seed, scores=structure, remark="not trained")
    try:
        family.build(network, classes)
    except ModelError:
        return Run(seed=seed, scores=structure, remark="weights not available")
    run = train_variant(study, variant, seed, bench)
    return run.model_copy(update={"scores": run.scores | structure})


def measure_structure(net: nn.Module, strides: Sequence[int], side: int = SIDE) -> dict[str, float]:
    """Count learned weights, and measure the coarsest stride and the forward time at `side` pixels.

    For the thesis's own nets, also measure the number of layers with weights and the receptive field in pixels.
    """
    structure = {
        "parameters": float(sum(weights.numel() for weights in net.parameters() if weights.requires_grad)),
        "max_stride": float(max(strides)),
        "forward_milliseconds": time_forward(net.eval(), side),
    }
    if isinstance(net, ReferenceFCN):
        field = measure_receptive_field(net.trunk)
        # The score layer is one more.
        structure |= {"conv_layers": count_layers(net.trunk) + 1.0, "receptive_field": float(field)}
    return structure


def count_layers(net: nn.Module) -> int:
    """Count the convolutions on the longest path through `net`, a chain of layers and parallel branches."""
    if isinstance(net, nn.Conv2d):
        return 1
    counts = [count_layers(child) for child in net.children()]
    return max(counts) if isinstance(net, BRANCHES) else sum(counts)


@torch.inference_mode()
def time_forward(net: nn.Module, side: int) -> float:
    """Return the median milliseconds for a picture of `side` × `side` pixels, on CUDA if available."""
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
