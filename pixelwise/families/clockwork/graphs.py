"""The exported graphs of a clockwork: the plain net, the net up to its scores, stages, fusion, decoding and clock."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.params import NetworkParams
from pixelwise.families.clockwork.runtime.decoding import UPSAMPLING
from pixelwise.families.clockwork.runtime.stream_grids import GRIDS, SCORES
from pixelwise.families.clockwork.stages import Decode, Fuse, Skips, Undecoded
from pixelwise.families.fcn.net import FCN
from pixelwise.families.graph import Graph
from pixelwise.model_folder import UNDECODED
from pixelwise.nets.pixel_labeller import PixelLabeller
from pixelwise.nets.synthetic_inputs import make_images

TRACED = (2, 96, 128)
# Dynamic axes of a map (N, C, h, w) inside the net, whose size follows from the picture's.
MAP = {0: "batch", 2: None, 3: None}
PROBES = [(1, 360, 480), (1, 97, 131), (3, 65, 203), (1, 33, 40)]


def graphs(
    net: Clockwork,
    network: NetworkParams,  # noqa: ARG001
    classes: int,  # noqa: ARG001
    temperature: float | None = None,
) -> Sequence[Graph]:
    """Return the graphs of the plain net, the net up to its scores, its stages, fusion, decoding and learned clock."""
    optional = [] if temperature is None else ["confidence"]
    stages, image = net.make_stages(), {0: "batch", 1: "height", 2: "width"}

    def shown(batch: int, height: int, width: int) -> dict[str, Tensor]:
        return {"image": make_images(batch, height, width)}

    @cache
    @torch.no_grad()
    def run(count: int, batch: int, height: int, width: int) -> tuple[Tensor, list[Tensor]]:
        """Return the features of the first `count` stages and their streams, coarse to fine."""
        if not count:
            return make_images(batch, height, width), []
        x, streams = run(count - 1, batch, height, width)
        stage = stages[count - 1]
        out = stage(x)
        return out[0], [*(out if stage.is_last else out[1:]), *streams]

    names = [f"stream_{stride}" for stride in sorted(net.net.strides, reverse=True)]
    grids = dict(zip([*names, SCORES], net.net.placements, strict=True))
    found = []
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
            Decode(net.net, temperature).eval(),
            lambda *size: {"scores": scores(*run(len(stages), *size)[1]), **shown(*size)},
            ["prediction", *optional],
            {"scores": MAP, "image": image},
            describe_upsampling(net.net),
            optional,
        ),
        graph(
            "change",
            net.change.eval(),
            lambda *size: {"now": run(1, *size)[0], "then": run(1, *size)[0].flip(3)},
            ["share"],
            {"now": MAP, "then": MAP},
        ),
    ]
    plain = graph(
        "model",
        PixelLabeller(net.net, temperature=temperature).eval(),
        shown,
        ["prediction", *optional],
        {"image": image},
        {"temperature": str(temperature)} if optional else {},
        optional,
    )
    wiring = wire(found[: len(stages)])
    decoding = {"decode.image": "image", "decode.scores": "fuse.scores"}
    decoding |= {name: f"decode.{name}" for name in plain.outputs}
    undecoded = graph(UNDECODED, Undecoded(net.net).eval(), shown, [SCORES], {"image": image})
    return [
        replace(plain, wiring=wiring | decoding),
        replace(undecoded, wiring=wiring | {SCORES: "fuse.scores"}),
        *found,
    ]


def describe_upsampling(net: Skips) -> dict[str, str]:
    """Return the metadata of how `net` upsamples its scores; none for a reference net, which has its own borders."""
    if not isinstance(net, FCN):
        return {}
    return {UPSAMPLING: json.dumps([*net.last[net.fusion.active - 1], net.scale])}


def wire(stages: Sequence[Graph]) -> dict[str, str]:
    """Return the wiring of the net up to its scores: all stages, one after the other, then the fusion."""
    wiring = {"stage1.image": "image"}
    for shallow, deep in pairwise(stages):
        wiring[f"{deep.name}.given"] = f"{shallow.name}.features"
    for stage in stages:
        streams = (name for name in stage.outputs if name != "features")
        wiring |= {f"fuse.{name}": f"{stage.name}.{name}" for name in streams}
    return wiring


def graph(
    name: str,
    module: nn.Module,
    example: Callable[[int, int, int], Mapping[str, Tensor]],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str | None]],
    facts: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
) -> Graph:
    """Return a graph for any batch and picture size."""
    return Graph(name, module, example, outputs, dynamic, TRACED, PROBES, facts or {}, optional=optional)
