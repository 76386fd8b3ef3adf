"""A prediction for every pixel from a net that subsamples, by shift-and-stitch and by dilation (thesis §2.2.2)."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from pixelwise.families.fcn.dense import dilate, shift_and_stitch
from pixelwise.params import Params, parse
from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.schedules import Together
from pixelwise.studies.study import Study

# VGG16 as far as its third pool, whose output stride is 8.
LAYERS, STRIDE = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M"), 8
# Pixels a side of the picture, and how often each way is timed.
SIDE, TRIALS = 128, 3
# Two orders of adding agree to rounding: within this share of the largest value.
ROUNDING = 1e-5

Way = Literal["as it is", "shift and stitch", "dilation"]
Ways = Mapping[Way, Callable[[Tensor], Tensor]]


class DenseParams(Params):
    """What a variant of a study of kind dense overrides."""

    way: Way


def dense_predictions(study: Study, bench: Bench) -> Together:
    """The time of every variant's way, and how far what it gives is what dilation gives. The ways take turns."""
    wanted = {v.name: parse(DenseParams, v.overrides, f"study {study.name}: {v.name}").way for v in study.variants}
    image = bench.data.split(bench.val_split(study)).image(0)[:SIDE, :SIDE]
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    ways = make_ways(study.seeds[0])
    seconds, found = measure(ways, x)
    scores = {
        way: {
            "forward_milliseconds": 1000 * median(seconds[way]),
            "max_stride": float(STRIDE if way == "as it is" else 1),
            "equal_cells": share_of_equal_cells(found[way], found["dilation"]),
        }
        for way in ways
    }
    return Together({name: Run(seed=study.seeds[0], scores=scores[way]) for name, way in wanted.items()})


def make_ways(seed: int) -> Ways:
    """One net of random weights in three ways: neither what is compared nor its cost depends on what was learned.

    Without padding, which a shifted and a dilated map see at other cells.
    """
    torch.manual_seed(seed)
    net = make_layers(list(LAYERS)).eval()
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            layer.padding = (0, 0)
    return {"as it is": net, "shift and stitch": partial(shift_and_stitch, net, stride=STRIDE), "dilation": dilate(net)}


@torch.inference_mode()
def measure(ways: Ways, x: Tensor) -> tuple[dict[Way, list[float]], dict[Way, Tensor]]:
    """The seconds of every way, taken in turns, and what it gives for `x` (N, C, H, W)."""
    seconds: dict[Way, list[float]] = {way: [] for way in ways}
    found: dict[Way, Tensor] = {}
    for _ in progress(range(TRIALS), "shift and stitch"):
        for way, run in ways.items():
            started = time.perf_counter()
            found[way] = run(x)
            seconds[way].append(time.perf_counter() - started)
    return seconds, found


def share_of_equal_cells(found: Tensor, dense: Tensor) -> float:
    """The share of the cells of `found` that agree with `dense` to rounding; a coarse map is compared one a stride."""
    step = 1 if found.shape == dense.shape else STRIDE
    gap = (found - dense[..., ::step, ::step]).abs().amax(dim=1)
    return float((gap <= ROUNDING * dense.abs().max()).float().mean())
