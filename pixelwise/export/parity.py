"""Compare an exported graph with torch: the share of values on which both agree."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelwise.families.graph import Graph, Size
from pixelwise.inference.session import open_session


@torch.inference_mode()
def compare(graph: Graph, file: Path, size: Size) -> dict[str, Any]:
    """The share of values on which ONNX Runtime and torch agree at one size (N, H, W), for the graph's worst output."""
    inputs = graph.example(*size)
    expected = graph.module(*inputs.values())
    expected = [expected] if isinstance(expected, Tensor) else list(expected)
    feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
    found = open_session(file, "cpu").run(list(graph.outputs), feeds)
    batch, height, width = size
    agreement = min(agree(ours, theirs.numpy()) for ours, theirs in zip(found, expected, strict=True))
    return {"batch": batch, "height": height, "width": width, "agreement": agreement}


def agree(found: np.ndarray, expected: np.ndarray) -> float:
    """The share of equal values; floats may differ by rounding. 0 if the shapes differ."""
    if found.shape != expected.shape:
        return 0.0
    if np.issubdtype(expected.dtype, np.floating):
        return float(np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean())
    return float((found == expected).mean())
