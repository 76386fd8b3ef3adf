"""The engines of a model of one graph: ONNX Runtime, OpenVINO, the smaller graphs that are offered, and torch."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError, PixelwiseError, ProviderError
from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.graph import Graph
from pixelwise.families.trained import list_graphs, load_trained
from pixelwise.inference.session import open_model
from pixelwise.model_folder import ModelFolder
from pixelwise.timing import Engine

# Inputs of the graph by name. The first axis of each is the batch.
Inputs = Mapping[str, np.ndarray]
# Label maps in the order of the graph's outputs, (N, H, W) each; by name where the engine knows the names.
Labels = Mapping[str, np.ndarray] | Sequence[np.ndarray]
Label = Callable[[Inputs], Labels]


def open_engines(
    params: BenchmarkParams,
    model: Path,
    data: Path | None,  # noqa: ARG001 - the inputs are synthetic
    threads: int,
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open every engine of the exported `model`, at batch 1 and at `batch_size`. Raises as `open_graph_engines`."""
    return open_graph_engines(params, model, load_label_graph(model), threads)


def load_label_graph(model: Path) -> Graph:
    """The graph of the trained `model` without its confidence, which torch would compute with every label."""
    described, net = load_trained(ModelFolder(model).checkpoint)
    (graph,) = list_graphs(described | {"temperature": None}, net)
    return graph


def open_graph_engines(
    params: BenchmarkParams, model: Path, graph: Graph, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open every engine that can run `graph`. Returns engines, and reasons why others are left out.

    Raises ModelError if the exported `model` cannot be opened, ProviderError if torch finds no CUDA device.
    """
    if params.device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("device cuda: torch finds none, expected cpu")
    labellers: dict[str, Label] = {"onnx": open_model(model, params.device, threads).label}
    left_out: dict[str, str] = {}
    folder = ModelFolder(model)
    # float16 pays on CUDA alone.
    for small in (folder.int8, folder.float16) if params.device == "cuda" else (folder.int8,):
        if ModelFolder(small).graph().exists():
            labellers[f"onnx {small.name}"] = open_model(small, params.device, threads).label
        else:
            left_out[f"onnx {small.name}"] = "not offered by quantize"
    if params.device == "cpu":
        opened, refused = open_openvino(folder, threads)
        labellers, left_out = labellers | opened, left_out | refused
    module: Any = graph.module.to(params.device)
    module = module.to(memory_format=torch.channels_last)
    labellers["torch eager"] = make_labeller(module, params.device)
    inputs = {batch: make_inputs(graph, batch, params) for batch in dict.fromkeys((1, params.batch_size))}
    if not params.torch_compile:
        left_out["torch compile"] = "not asked for; benchmark.torch_compile turns it on"
    elif isinstance(compiled := compile_net(module, params.device, list(inputs.values())), str):
        left_out["torch compile"] = compiled
    else:
        labellers["torch compile"] = compiled
    engines = {}
    for batch, given in inputs.items():
        suffix = "" if batch == 1 else f", batch {batch}"
        expected = get_first_map(labellers["onnx"](given))
        for name, label in labellers.items():
            alike = float(np.mean(get_first_map(label(given)) == expected))
            engines[f"{name}{suffix}"] = Engine(partial(label, given), f"onnx{suffix}", batch, alike)
    return engines, left_out


def open_openvino(folder: ModelFolder, threads: int) -> tuple[dict[str, Label], dict[str, str]]:
    """Open the graphs in `folder` on OpenVINO. Returns what labels, and reasons why a graph is left out."""
    labellers: dict[str, Label] = {}
    left_out: dict[str, str] = {}
    for name, model in (("openvino", folder.root), ("openvino int8", folder.int8)):
        if not ModelFolder(model).graph().exists():
            continue
        try:
            labellers[name] = open_model(model, "openvino", threads).label
        except ModelError as error:
            left_out[name] = str(error)
    return labellers, left_out


def get_first_map(labels: Labels) -> np.ndarray:
    """The first label map (N, H, W) of an engine."""
    return next(iter(labels.values() if isinstance(labels, Mapping) else labels))


def make_inputs(graph: Graph, batch: int, params: BenchmarkParams) -> dict[str, np.ndarray]:
    """Synthetic inputs of `graph` by name, of the benchmark's size."""
    return {name: x.numpy() for name, x in graph.example(batch, params.height, params.width).items()}


def make_labeller(module: Callable[..., Any] | nn.Module, device: str) -> Label:
    """Wrap `module` to take and return NumPy arrays, as ONNX Runtime does."""

    @torch.inference_mode()
    def label(inputs: Inputs) -> list[np.ndarray]:
        labels = module(*(torch.from_numpy(values).to(device) for values in inputs.values()))
        return [x.cpu().numpy() for x in ([labels] if isinstance(labels, Tensor) else labels)]

    return label


def compile_net(module: nn.Module, device: str, inputs: list[dict[str, np.ndarray]]) -> Label | str:
    """Compile `module` for all `inputs`. Returns why it fails where it does: it needs a C++ compiler."""
    # The compiler warns about missing CUDA tools even on the CPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    label = make_labeller(torch.compile(module), device)
    try:
        with warnings.catch_warnings(action="ignore"):
            for given in inputs:
                label(given)
    except PixelwiseError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return label
