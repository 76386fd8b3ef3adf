"""The exported graphs of a clockwork: the plain net, its stages, fusion, decoding and the clock."""

import json
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.params import NetworkParams
from pixelwise.families.clockwork.runtime.stream_grids import GRIDS, SCORES
from pixelwise.families.clockwork.stages import Decode, Fuse
from pixelwise.families.graph import Graph
from pixelwise.nets.pixel_labeller import PixelLabeller
from pixelwise.nets.synthetic_inputs import make_images

TRACED = (2, 96, 128)
# Dynamic axes of a map (N, C, h, w) inside the net, whose size follows from the picture's.
MAP = {0: "batch", 2: None, 3: None}
PROBES = [(1, 360, 480), (1, 97, 131), (3, 65, 203), (1, 33, 40)]


def graphs(net: Clockwork, network: NetworkParams, classes: int) -> Sequence[Graph]:  # noqa: ARG001
    """Return the graphs of the plain net, its stages, the fusion, the decoding and the learned clock."""
    stages, image = net.make_stages(), {0: "batch", 1: "height", 2: "width"}

    def shown(batch: int, height: int, width: int) -> dict[str, Tensor]:
        return {"image": make_images(batch, height, width)}

    @torch.inference_mode()
    def run(count: int, batch: int, height: int, width: int) -> tuple[Tensor, list[Tensor]]:
        """Return the features of the first `count` stages and their streams, coarse to fine."""
        x, streams = make_images(batch, height, width), list[Tensor]()
        for stage in stages[:count]:
            out = stage(x)
            x, streams = out[0], [*(out if stage.is_last else out[1:]), *streams]
        return x, streams

    names = [f"stream_{stride}" for stride in sorted(net.net.strides, reverse=True)]
    grids = dict(zip([*names, SCORES], net.net.placements, strict=True))
    found = [graph("model", PixelLabeller(net.net).eval(), shown, ["prediction"], {"image": image})]
    for place, (stage, strides) in enumerate(zip(stages, net.strides, strict=True)):
        outputs = [f"stream_{stride}" for stride in reversed(strides)]
        outputs = outputs if stage.is_last else ["features", *outputs]
        given = shown if stage.is_first else lambda *size, place=place: {"given": run(place, *size)[0]}
        axes = {"image": image} if stage.is_first else {"given": MAP}
        found.append(graph(f"stage{place + 1}", stage, given, outputs, axes))
    scores = Fuse(net.net).eval()
    found += [
        graph(
            "fuse",
            scores,
            lambda *size: dict(zip(names, run(len(stages), *size)[1], strict=True)),
            ["scores"],
            dict.fromkeys(names, MAP),
            {GRIDS: json.dumps(grids)},
        ),
        graph(
            "decode",
            Decode(net.net).eval(),
            lambda *size: {"scores": scores(*run(len(stages), *size)[1]), **shown(*size)},
            ["prediction"],
            {"scores": MAP, "image": image},
        ),
        graph(
            "change",
            net.change.eval(),
            lambda *size: {"now": run(1, *size)[0], "then": run(1, *size)[0].flip(3)},
            ["share"],
            {"now": MAP, "then": MAP},
        ),
    ]
    return found


def graph(
    name: str,
    module: nn.Module,
    example: Callable[[int, int, int], Mapping[str, Tensor]],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str | None]],
    facts: Mapping[str, str] | None = None,
) -> Graph:
    """Return a graph for any batch and picture size."""
    return Graph(name, module, example, outputs, dynamic, TRACED, PROBES, facts or {})
