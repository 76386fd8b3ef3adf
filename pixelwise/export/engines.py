"""The engines that can run an exported graph on NumPy arrays: ONNX Runtime and torch."""

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.errors import PixelwiseError, ProviderError
from pixelwise.families.graph import Graph
from pixelwise.inference.session import open_model
from pixelwise.model_folder import ModelFolder

# Inputs of the graph by name. The first axis of each is the batch.
Inputs = Mapping[str, np.ndarray]
Engine = Callable[[Inputs], object]


def open_engines(model: Path, graph: Graph, device: Literal["cpu", "cuda"]) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open every engine that can run `graph` on `device`. Returns engines, and reasons why others are left out.

    Raises ProviderError if torch finds no CUDA device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("device cuda: torch finds none, expected cpu")
    module: Any = graph.module.to(device)
    module = module.to(memory_format=torch.channels_last)
    engines: dict[str, Engine] = {"onnx": open_model(model, device, torch.get_num_threads()).label}
    left_out: dict[str, str] = {}
    int8 = ModelFolder(model).int8
    if ModelFolder(int8).graph().exists():
        engines["onnx int8"] = open_model(int8, device, torch.get_num_threads()).label
    else:
        left_out["onnx int8"] = "not offered by quantize"
    engines["torch eager"] = torch_engine(module, device)
    # The compiler warns about missing CUDA tools even on the CPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    engines["torch compile"] = torch_engine(torch.compile(module), device)
    return engines, left_out


def torch_engine(module: Callable[..., Any] | nn.Module, device: str) -> Engine:
    """Wrap `module` to take and return NumPy arrays, as ONNX Runtime does."""

    @torch.inference_mode()
    def engine(inputs: Inputs) -> list[np.ndarray]:
        labels = module(*(torch.from_numpy(values).to(device) for values in inputs.values()))
        return [x.cpu().numpy() for x in ([labels] if isinstance(labels, Tensor) else labels)]

    return engine


def warm_up(engines: dict[str, Engine], inputs: Inputs, runs: int) -> dict[str, str]:
    """Run every engine `runs` times. Remove torch.compile if it fails and return why: it needs a C++ compiler."""
    failed = {}
    for name, engine in list(engines.items()):
        try:
            with warnings.catch_warnings(action="ignore"):
                for _ in range(runs):
                    engine(inputs)
        except PixelwiseError:
            raise
        except Exception as error:
            if name != "torch compile":
                raise
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            del engines[name]
    return failed
