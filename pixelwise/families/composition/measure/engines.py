"""What a benchmark of a composition times: the engines of its graph, and each layer that infers a scale a cell."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.composition.dynamic import DynamicGaussian, FreeForm, Scales
from pixelwise.families.engines import load_label_graph, open_graph_engines
from pixelwise.timing import Engine


def open_engines(
    params: BenchmarkParams, model: Path, data: Path | None, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open the engines of the exported `model`, and its dynamic layers in torch. Raises as `open_graph_engines`."""
    graph = load_label_graph(model)
    engines, left_out = open_graph_engines(params, model, graph, data, threads)
    inputs = graph.example(1, params.height, params.width).values()
    return engines | open_dynamic_layers(graph.module, *(x.to(params.device) for x in inputs)), left_out


@torch.inference_mode()
def open_dynamic_layers(net: nn.Module, *inputs: Tensor) -> dict[str, Engine]:
    """Each dynamic layer of `net` alone, on what it gets where `net` gets `inputs`, compared with the whole net."""
    given: dict[str, Tensor] = {}
    layers = {
        name: layer for name, layer in net.named_modules() if isinstance(layer, DynamicGaussian | FreeForm | Scales)
    }

    def note(layer: str, x: Tensor) -> None:
        given[layer] = x

    hooks = [
        layer.register_forward_pre_hook(lambda _, x, name=name: note(name, x[0])) for name, layer in layers.items()
    ]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    run = torch.inference_mode()(lambda layer, x: layer(x))
    return {
        f"torch {name.removeprefix('net.')}": Engine(partial(run, layer, given[name]), "torch eager")
        for name, layer in layers.items()
    }
