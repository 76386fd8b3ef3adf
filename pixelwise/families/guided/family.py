"""The guided family: a few annotations define the task (thesis chapter 4)."""

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ParamsError
from pixelwise.families.graph import Graph
from pixelwise.families.guided.click_net import ClickNet
from pixelwise.families.guided.click_task import ClickTask
from pixelwise.families.guided.early_fusion import EarlyFusion, MaskedGuide, Query, StackedGuide, Support, Together
from pixelwise.families.guided.episode_task import Episodes
from pixelwise.families.guided.episodes import Masks, Objects
from pixelwise.families.guided.graphs import Click, Encode, Foreground, Guide, Segment
from pixelwise.families.guided.late_fusion import LateGlobal, LateLocal
from pixelwise.families.guided.net import FINE, GuidedNet
from pixelwise.families.guided.params import NetworkParams, TrainParams
from pixelwise.families.guided.runtime.annotations import OFFSET, STRIDE
from pixelwise.families.guided.runtime.click_model import CLICK
from pixelwise.families.guided.runtime.early import FUSED
from pixelwise.families.guided.two_nets import TwoNets, get_late_net
from pixelwise.nets.backbones import Backbone, find_offsets
from pixelwise.nets.synthetic_inputs import make_images
from pixelwise.training.loop import History, RecordMetrics
from pixelwise.training.loop import fit as fit_loop

STRIDES = (FINE, STRIDE, 16, 32)
WAYS = 2
GUIDES = {
    "late": GuidedNet,
    "late-global": LateGlobal,
    "late-local": LateLocal,
    "early": StackedGuide,
    "masking": MaskedGuide,
}


def build(network: NetworkParams, classes: int, pretrained: bool = True) -> nn.Module:  # noqa: ARG001
    """Build the untrained net. `classes` is ignored, as the task defines the classes.

    Raises ParamsError if guide is early and frozen_stride is not 0: a frozen backbone cannot learn to use annotations.
    """
    extra = WAYS if network.guide == "early" else 0
    if extra and network.frozen_stride:
        raise ParamsError(f"frozen_stride: found {network.frozen_stride}, expected 0 where guide is early")
    weights = network.weights if pretrained else "none"
    backbone = Backbone(network.backbone, STRIDES, weights, extra_channels=extra)
    backbone.freeze(network.frozen_stride)
    net: nn.Module = GUIDES[network.guide](backbone, network.hidden)
    if isinstance(net, GuidedNet) and network.click_width:
        return TwoNets(net, ClickNet(Backbone(network.backbone, STRIDES, weights), network.click_width))
    return net


def make_task(data: PreparedData, params: TrainParams) -> Episodes:
    """Return the episodes of both splits of `data`, without the held-out classes."""
    offset = find_offsets(params.network.backbone, (STRIDE,))[0]
    return Episodes(data.split(params.train_split), data.split(params.val_split), params, offset)


def make_click_task(data: PreparedData, params: TrainParams) -> ClickTask:
    """Return the clicked objects of both splits of `data`, without the held-out classes."""
    masks = Objects if params.separate_objects else Masks
    train, val = (masks(data.split(name), params.held_out) for name in (params.train_split, params.val_split))
    return ClickTask(train, val, params.clicks, params.seed)


def name_click_metrics(row: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of an epoch of the click net under names of their own."""
    return {name if name == "epoch" else f"clicks/{name}": value for name, value in row.items()}


def fit(net: nn.Module, data: PreparedData, params: TrainParams, state: Path, record: RecordMetrics) -> History:
    """Train on episodes of one shot with a dense mask or 1 to `max_points` points (thesis §4.3.3), then the click net.

    Metrics of the click net begin with `clicks/`.
    """
    history = fit_loop(get_late_net(net), make_task(data, params), params, state / "late", record)
    if not isinstance(net, TwoNets):
        return history

    def record_clicks(row: Mapping[str, float], epoch: int) -> None:
        record(name_click_metrics(row), epoch)

    task = make_click_task(data, params)
    clicked = fit_loop(net.clicks, task, params.for_clicks(), state / "clicks", record_clicks)
    return [
        {**row, **name_click_metrics(of_clicks)}
        for row, of_clicks in zip_longest(history, clicked, fillvalue=dict[str, float]())
    ]


def rescore(net: nn.Module, data: PreparedData, params: TrainParams) -> dict[str, float]:
    """Return the scores over validation episodes drawn by `params`."""
    scores = make_task(data, params).score(get_late_net(net).eval())
    if isinstance(net, TwoNets):
        scores |= name_click_metrics(make_click_task(data, params).score(net.clicks.eval()))
    return scores


def graphs(net: nn.Module, network: NetworkParams, classes: int) -> Sequence[Graph]:
    """Return the graphs `encode` (runs per picture), `guide` (per change of clicks) and `segment` (per mask).

    A fourth graph, `foreground`, is the baseline without guidance for evaluation. `click` segments the picture that is
    clicked. Early fusion has other graphs.
    """
    if isinstance(net, TwoNets):
        return [*graphs(net.late, network, classes), make_click_graph(net.clicks)]
    if isinstance(net, EarlyFusion):
        return make_early_graphs(net, network.hidden)
    assert isinstance(net, GuidedNet)
    length, hidden = sum(net.backbone.channels[1:]), network.hidden
    traced, probes = (2, 192, 256), [(1, 97, 131), (3, 201, 143)]

    def make_picture(batch: int, height: int, width: int) -> Mapping[str, Tensor]:
        return {"image": make_images(batch, height, width)}

    def make_shot(_: int, height: int, width: int) -> Mapping[str, Tensor]:
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        generator = torch.Generator().manual_seed(height)
        cells = (torch.rand(WAYS, rows, columns, generator=generator) < 0.2).float()
        return {"embedding": make_unit_vectors(1, rows, columns, length), "cells": cells[None]}

    def make_query(batch: int, height: int, width: int) -> Mapping[str, Tensor]:
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        cells = 37 + batch
        generator = torch.Generator().manual_seed(width)
        return {
            "embedding": make_unit_vectors(1, rows, columns, length),
            "seen": torch.randn(1, 2 * hidden, rows, columns, generator=generator),
            "fine": torch.rand(1, hidden // 2, -(-height // FINE), -(-width // FINE), generator=generator),
            "mean": torch.randn(1, WAYS, length, generator=generator),
            "present": torch.tensor([[True, True]]),
            "keys": make_unit_vectors(1, cells, length),
            "values": torch.rand(1, WAYS, cells, generator=generator),
            "hint": torch.rand(1, WAYS, 2, rows, columns, generator=generator),
            "size": torch.zeros(height, width, dtype=torch.uint8),
            **({"places": torch.rand(1, cells, 2, generator=generator)} if isinstance(net, LateLocal) else {}),
        }

    def make_alone(batch: int, height: int, width: int) -> Mapping[str, Tensor]:
        inputs = make_query(batch, height, width)
        return {name: inputs[name] for name in ("embedding", "fine", "size")}

    image_axes = {"image": {0: "batch", 1: "height", 2: "width"}}
    shot_axes = {"embedding": {1: "rows", 2: "columns"}, "cells": {1: "ways", 2: "rows", 3: "columns"}}
    query_axes = {
        "embedding": {1: "rows", 2: "columns"},
        "seen": {2: "rows", 3: "columns"},
        "fine": {2: "fine_rows", 3: "fine_columns"},
        "mean": {1: "ways"},
        "present": {1: "ways"},
        "keys": {1: "cells"},
        "values": {1: "ways", 2: "cells"},
        "places": {1: "cells"},
        "hint": {1: "ways", 3: "rows", 4: "columns"},
        "size": {0: "height", 1: "width"},
    }
    facts = {OFFSET: json.dumps(net.backbone.offsets[1])}
    alone_axes = {name: query_axes[name] for name in ("embedding", "fine", "size")}
    return [
        Graph("encode", Encode(net), make_picture, ("embedding", "seen", "fine"), image_axes, traced, probes, facts),
        Graph("guide", Guide(net), make_shot, ("mean", "present", "values"), shot_axes, traced, probes),
        Graph("segment", Segment(net), make_query, ("logits",), query_axes, traced, probes),
        Graph("foreground", Foreground(net), make_alone, ("logits",), alone_axes, traced, probes),
    ]


def make_click_graph(net: ClickNet) -> Graph:
    """Return the graph `click`; it runs once for each click, on a view of the picture."""

    def make_view(_: int, height: int, width: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(height)
        disks = (torch.rand(1, 2, height, width, generator=generator) < 0.01).to(torch.uint8)
        before = torch.rand(1, height, width, generator=generator)
        return {"image": make_images(1, height, width), "disks": disks, "before": before}

    axes = {"image": {1: "height", 2: "width"}, "disks": {2: "height", 3: "width"}, "before": {1: "height", 2: "width"}}
    return Graph(CLICK, Click(net), make_view, ("logits",), axes, (1, 192, 256), [(1, 97, 131), (1, 201, 143)])


def make_early_graphs(net: EarlyFusion, hidden: int) -> list[Graph]:
    """Return the graphs of early fusion; a change of the annotation needs a full pass of the first or the second.

    `fused` labels the annotated picture itself, `support` makes the guide with which `query` labels another picture.
    """

    def make_annotated(batch: int, height: int, width: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(height)
        annotation = (torch.rand(batch, WAYS, height, width, generator=generator) < 0.002).float()
        return {"image": make_images(batch, height, width), "annotation": annotation}

    def make_guided(batch: int, height: int, width: int) -> Mapping[str, Tensor]:
        guide = torch.randn(batch, hidden, generator=torch.Generator().manual_seed(height))
        return {"image": make_images(batch, height, width), "guide": guide}

    traced, probes = (2, 192, 256), [(1, 97, 131), (3, 201, 143)]
    image_axes = {"image": {0: "batch", 1: "height", 2: "width"}}
    axes = image_axes | {"annotation": {0: "batch", 2: "height", 3: "width"}}
    return [
        Graph(FUSED, Together(net), make_annotated, ("logits",), axes, traced, probes),
        Graph("support", Support(net), make_annotated, ("guide",), axes, traced, probes),
        Graph("query", Query(net), make_guided, ("logits",), image_axes | {"guide": {0: "batch"}}, traced, probes),
    ]


def make_unit_vectors(*shape: int) -> Tensor:
    """Return seeded vectors of unit length along the last axis."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(shape[-1]))
    return values / values.norm(dim=-1, keepdim=True)
