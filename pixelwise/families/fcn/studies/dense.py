"""Studies of kind dense: a prediction for every pixel, by shift-and-stitch or by dilation (thesis §2.2.2)."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from pixelwise.families.fcn.dense import dilate, shift_and_stitch
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import require_overrides
from pixelwise.studies.study import Study, parse_overrides
from pixelwise.studies.units import pack_rounds

# VGG16 up to its third pool, whose output stride is 8.
LAYERS, STRIDE = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M"), 8
# Side of the picture in pixels, and the number of timed runs of each method.
SIDE, TRIALS = 128, 3
# Sums in another order agree up to this share of the largest value.
ROUNDING = 1e-5

Method = Literal["as it is", "shift and stitch", "dilation"]
Methods = Mapping[Method, Callable[[Tensor], Tensor]]


class DenseParams(Params):
    """The overrides of a variant."""

    way: Method


def require(study: Study, bench: Bench) -> None:
    """Raise ParamsError at the first variant with bad overrides, DataError if the scored split is missing."""
    require_overrides(study, bench, DenseParams)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Time the method of every variant, and compare its output with that of dilation. The methods take turns."""
    image = bench.data.split(bench.find_val_split(study)).image(0)[:SIDE, :SIDE]
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    methods = make_methods(seeds[0])
    seconds, outputs = run_in_turns(methods, x)
    scores = {
        method: {
            "forward_milliseconds": 1000 * median(seconds[method]),
            "max_stride": float(STRIDE if method == "as it is" else 1),
            "equal_cells": share_equal_cells(outputs[method], outputs["dilation"]),
        }
        for method in methods
    }
    chosen = {variant.name: parse_overrides(study, variant, DenseParams).way for variant in study.variants}
    rounds = {method: pack_rounds([1000 * one for one in seconds[method]]) for method in methods}
    return Measurements(
        {
            name: [Run(seed=seeds[0], scores=scores[method], units={"forward_milliseconds": rounds[method]})]
            for name, method in chosen.items()
        }
    )


def make_methods(seed: int) -> Methods:
    """Make the three methods over one net of random weights, on which neither agreement nor time depends.

    The net has no padding: a shifted map and a dilated map have it at different cells.
    """
    torch.manual_seed(seed)
    net = make_layers(list(LAYERS)).eval()
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            layer.padding = (0, 0)
    return {"as it is": net, "shift and stitch": partial(shift_and_stitch, net, stride=STRIDE), "dilation": dilate(net)}


@torch.inference_mode()
def run_in_turns(methods: Methods, x: Tensor) -> tuple[dict[Method, list[float]], dict[Method, Tensor]]:
    """Return the seconds of every method on `x` (N, C, H, W), and its output. The methods take turns."""
    seconds: dict[Method, list[float]] = {method: [] for method in methods}
    outputs: dict[Method, Tensor] = {}
    for _ in progress(range(TRIALS), "shift and stitch"):
        for method, run in methods.items():
            started = time.perf_counter()
            outputs[method] = run(x)
            seconds[method].append(time.perf_counter() - started)
    return seconds, outputs


def share_equal_cells(output: Tensor, dense: Tensor) -> float:
    """Return the share of the cells of `output` that agree with `dense` up to rounding.

    A map of lower resolution is compared at its own cells.
    """
    step = 1 if output.shape == dense.shape else STRIDE
    gap = (output - dense[..., ::step, ::step]).abs().amax(dim=1)
    return float((gap <= ROUNDING * dense.abs().max()).float().mean())
