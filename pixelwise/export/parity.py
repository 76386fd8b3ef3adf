"""Compare an exported graph with torch: the share of values on which both agree."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelwise.families.graph import Graph
from pixelwise.inference.session import open_session


@torch.inference_mode()
def compare(graph: Graph, file: Path) -> list[dict[str, Any]]:
    """The share of values on which ONNX Runtime and torch agree at each probe, for the graph's worst output."""
    session, rows = open_session(file, "cpu"), []
    for batch, height, width in graph.probes:
        inputs = graph.example(batch, height, width)
        expected = graph.module(*inputs.values())
        expected = [expected] if isinstance(expected, Tensor) else list(expected)
        feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
        feeds |= {f"with_{name}": np.array(True) for name in graph.optional}
        found = session.run(list(graph.outputs), feeds)
        agreement = min(agree(ours, theirs.numpy()) for ours, theirs in zip(found, expected, strict=True))
        rows.append({"batch": batch, "height": height, "width": width, "agreement": agreement})
    return rows


def agree(found: np.ndarray, expected: np.ndarray) -> float:
    """The share of equal values; floats may differ by rounding. 0 if the shapes differ."""
    if found.shape != expected.shape:
        return 0.0
    if np.issubdtype(expected.dtype, np.floating):
        return float(np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean())
    return float((found == expected).mean())
