"""The engines of a model of one graph: ONNX Runtime, OpenVINO, the smaller graphs that are offered, and torch."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import ModelError, PixelwiseError, ProviderError
from pixelwise.evaluation.equality import PICTURES, measure_equality
from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.graph import Graph
from pixelwise.families.trained import list_graphs, load_trained
from pixelwise.inference.session import Provider, Segmenter, open_model, stack_samples
from pixelwise.model_folder import ModelFolder
from pixelwise.timing import Engine

# Inputs of the graph by name. The first axis of each is the batch.
Inputs = Mapping[str, np.ndarray]
# Label maps in the order of the graph's outputs, (N, H, W) each; by name where the engine knows the names.
Labels = Mapping[str, np.ndarray] | Sequence[np.ndarray]
Label = Callable[[Inputs], Labels]


def open_engines(
    params: BenchmarkParams, model: Path, data: Path | None, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open every engine of the exported `model`, at batch 1 and at `batch_size`. Raises as `open_graph_engines`."""
    return open_graph_engines(params, model, load_label_graph(model), data, threads)


def load_label_graph(model: Path) -> Graph:
    """The graph of the trained `model` without its confidence, which torch would compute with every label."""
    described, net = load_trained(ModelFolder(model).checkpoint)
    (graph,) = list_graphs(described | {"temperature": None}, net)
    return graph


def open_graph_engines(
    params: BenchmarkParams, model: Path, graph: Graph, data: Path | None, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open every engine that can run `graph`. Returns engines, and reasons why others are left out.

    Raises ModelError if the exported `model` cannot be opened, ProviderError if torch finds no CUDA device, DataError
    if `data` lacks the split.
    """
    if params.device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("device cuda: torch finds none, expected cpu")
    onnx = open_model(model, params.device, threads)
    labellers: dict[str, Label] = {"onnx": onnx.label}
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
    samples = [inputs[1]] if data is None else read_inputs(PreparedData(data).split(params.split), onnx)
    expected = label_all(onnx.label, samples)
    alike = {name: measure_equality(label_all(label, samples), expected) for name, label in labellers.items()}
    providers = {"onnx": params.device, "openvino": "openvino"}
    engines = {}
    for batch, given in inputs.items():
        suffix = "" if batch == 1 else f", batch {batch}"
        for name, label in labellers.items():
            call = partial(label, given)
            engines[f"{name}{suffix}"] = Engine(call, f"onnx{suffix}", batch, alike[name], providers.get(name))
    return engines, left_out


@dataclass(frozen=True)
class Part:
    """A call to time on each provider. images: as for `Engine`. labels: its label maps, to be compared; or none."""

    call: Callable[[], object]
    images: int = 1
    labels: Sequence[np.ndarray] = ()


def open_on_each(
    device: Provider, whole: str, open_parts: Callable[[Provider], Mapping[str, Part]]
) -> tuple[dict[str, Engine], dict[str, str]]:
    """The engines of a model's parts on ONNX Runtime's `device` and, on a CPU, on OpenVINO; and why it is left out.

    whole: the part that ONNX Runtime's others are compared with. Each of OpenVINO's is compared with ONNX Runtime's.
    """
    first = open_parts(device)
    engines = {
        name: Engine(part.call, whole, part.images, 1.0 if part.labels else None, device)
        for name, part in first.items()
    }
    if device != "cpu":
        return engines, {}
    try:
        others = open_parts("openvino")
    except ModelError as error:
        return engines, {"openvino": str(error)}
    for name, part in others.items():
        alike = measure_equality(part.labels, first[name].labels) if part.labels else None
        engines[f"openvino {name}"] = Engine(part.call, name, part.images, alike, "openvino")
    return engines, {}


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


def read_inputs(split: PreparedSplit, model: Segmenter) -> list[dict[str, np.ndarray]]:
    """The inputs of `model` for pictures spread evenly over `split`, each of its own size."""
    sampled = split.with_layers(*model.layers)
    return [model.select_inputs(stack_samples([sampled[index]])) for index in sample_evenly(len(split), PICTURES)]


def label_all(label: Label, samples: Sequence[Inputs]) -> list[np.ndarray]:
    """The first label map (N, H, W) of each sample."""
    found = [label(given) for given in samples]
    return [next(iter(labels.values() if isinstance(labels, Mapping) else labels)) for labels in found]


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
