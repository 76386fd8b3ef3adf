"""Export a trained family: ONNX graphs with all processing inside, compared with torch before they may leave."""

import inspect
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
from pydantic import Field
from torch import Tensor

from pixelwise import command
from pixelwise.errors import ModelError
from pixelwise.families.graph import Graph, Size
from pixelwise.families.trained import graphs_of, load_trained
from pixelwise.files import atomic_path, write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.session import open_session
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params


class ExportParams(Params):
    """Section `<family>.export`."""

    opset: int = Field(20, ge=18, description="ONNX operator set; older ones are silently raised to 18 by the exporter")
    agreement: float = Field(
        0.999, ge=0, le=1, description="share of pixels on which ONNX Runtime and torch must agree"
    )


@dataclass(frozen=True)
class Exported:
    """The graphs and how well they agree with torch."""

    out: Path
    graphs: Mapping[str, Mapping[str, Any]]

    @property
    def parity(self) -> float:
        """The lowest share of equal pixels over all graphs and sizes."""
        return min(size["agreement"] for graph in self.graphs.values() for size in graph["sizes"])

    def __str__(self) -> str:
        folder = ModelFolder(self.out)
        lines = [f"{folder.graph(name)}: {graph['bytes'] / 1e6:.1f} MB" for name, graph in self.graphs.items()]
        lines.append(f"agrees with torch on at least {self.parity:.4%} of the pixels at every size tried")
        lines.append(f"next: pixelwise predict --model {self.out} PICTURE --output predictions")
        return "\n".join(lines)


def run(
    params: ExportParams,
    model: Annotated[Path, "folder that train wrote"],
    out: Annotated[Path, "folder of the model, for onnx/ and export.json"],
) -> Exported:
    """Export a trained model to ONNX and compare it with torch at several sizes and batches.

    Raises ModelError where the weights do not fit, the exporter refuses, or too few pixels agree.
    """
    described, net = load_trained(model)
    facts = {
        "family": described["family"],
        "classes": json.dumps(described["classes"]),
        "palette": json.dumps(described["palette"]),
        "fingerprint": described["fingerprint"],
        "data": described["data"],
    }
    folder, found = ModelFolder(out), {}
    for graph in graphs_of(described, net):
        with atomic_path(folder.graph(graph.name)) as file:
            write_graph(graph, facts, params.opset, file)
            sizes = [compare(graph, file, size) for size in graph.probes]
            worst = min(sizes, key=lambda size: size["agreement"])
            if worst["agreement"] < params.agreement:
                raise ModelError(
                    f"{graph.name}: ONNX Runtime agrees with torch on {worst['agreement']:.4%} of the pixels at "
                    f"{worst['batch']}×{worst['height']}×{worst['width']}, expected {params.agreement:.2%}"
                )
        written = folder.graph(graph.name)
        found[graph.name] = {"bytes": written.stat().st_size, "sha256": sha256_file(written), "sizes": sizes}
    exported = Exported(out, found)
    write_json(
        folder.export,
        {
            "parity": exported.parity,
            "fingerprint": facts["fingerprint"],
            "parameters": params.model_dump(mode="json"),
            "graphs": found,
        },
    )
    return exported


def write_graph(graph: Graph, facts: Mapping[str, str], opset: int, file: Path) -> None:
    """Export `graph` to one ONNX `file` with `facts` and its input contract as metadata, and check it."""
    inputs = graph.example(*graph.traced)
    symbols: dict[str | None, Any] = {None: torch.export.Dim.DYNAMIC}
    named = {name for axes in graph.dynamic.values() for name in axes.values() if name}
    symbols |= {name: torch.export.Dim(name, min=1) for name in named}
    axes = [graph.dynamic.get(name, {}) for name in inputs]
    shapes: tuple[Any, ...] = tuple({axis: symbols[symbol] for axis, symbol in each.items()} for each in axes)
    if inspect.getfullargspec(graph.module.forward).varargs:
        shapes = (shapes,)
    # The exporter warns of its own internals, which tells a user nothing.
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            graph.module,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=opset,
            input_names=list(inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=shapes,
            verbose=False,
        )
    if program is None:
        raise ModelError(f"{graph.name}: the exporter gave no graph")
    proto = program.model_proto
    forget_traces(proto.graph)
    onnx.helper.set_model_props(proto, {**facts, **graph.facts, "inputs": json.dumps(contract(graph))})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, file)


def forget_traces(graph: onnx.GraphProto) -> None:
    """Remove what the exporter notes of the source at every node.

    It names paths of this machine: they are nobody's business, and would make one model differ by where it was made.
    """
    for node in graph.node:
        node.ClearField("metadata_props")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                forget_traces(attribute.g)


def contract(graph: Graph) -> dict[str, str]:
    """What each input takes, for whoever opens the file: `uint8 (batch, height, width, 3) RGB`."""
    described = {}
    for name, tensor in graph.example(*graph.traced).items():
        axes = graph.dynamic.get(name, {})
        shape = ", ".join(str(axes.get(axis, length) or "?") for axis, length in enumerate(tensor.shape))
        described[name] = f"{str(tensor.dtype).removeprefix('torch.')} ({shape})"
    return described


@torch.inference_mode()
def compare(graph: Graph, file: Path, size: Size) -> dict[str, Any]:
    """Share of values on which ONNX Runtime and torch agree at one size (N, H, W): the worst of the graph's outputs."""
    inputs = graph.example(*size)
    expected = graph.module(*inputs.values())
    expected = [expected] if isinstance(expected, Tensor) else list(expected)
    feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
    found = open_session(file, "cpu").run(list(graph.outputs), feeds)
    batch, height, width = size
    agreement = min(agree(ours, theirs.numpy()) for ours, theirs in zip(found, expected, strict=True))
    return {"batch": batch, "height": height, "width": width, "agreement": agreement}


def agree(found: np.ndarray, expected: np.ndarray) -> float:
    """Share of equal values, floating ones within rounding; 0 where the shapes differ."""
    if found.shape != expected.shape:
        return 0.0
    if np.issubdtype(expected.dtype, np.floating):
        return float(np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean())
    return float((found == expected).mean())


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
