"""Export a trained family to ONNX graphs that contain all processing; each graph is compared with torch first."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import onnx
from pydantic import Field

from pixelwise import command
from pixelwise.errors import ModelError
from pixelwise.export.graph_file import convert
from pixelwise.export.parity import compare
from pixelwise.families.trained import list_graphs, load_trained
from pixelwise.files import write_atomically, write_json
from pixelwise.identity import sha256_file
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params


class ExportParams(Params):
    """Section `<family>.export`."""

    opset: int = Field(20, ge=18, description="ONNX operator set; the exporter raises older ones to 18")
    agreement: float = Field(
        0.999, ge=0, le=1, description="share of pixels on which ONNX Runtime and torch must agree"
    )


@dataclass(frozen=True)
class Exported:
    """The exported graphs and their agreement with torch. graphs: name -> bytes, sha256 and agreement by size."""

    out: Path
    graphs: Mapping[str, Mapping[str, Any]]

    @property
    def parity(self) -> float:
        """The lowest share of pixels on which ONNX Runtime and torch agree, over all graphs and sizes."""
        return min(size["agreement"] for graph in self.graphs.values() for size in graph["sizes"])

    def __str__(self) -> str:
        folder = ModelFolder(self.out)
        lines = [f"{folder.graph(name)}: {graph['bytes'] / 1e6:.1f} MB" for name, graph in self.graphs.items()]
        lines.append(f"agrees with torch on at least {self.parity:.4%} of the pixels at every size tried")
        lines.append(f"next: pixelwise predict --model {self.out} PICTURE --output predictions")
        return "\n".join(lines)


def run(
    params: ExportParams,
    model: Annotated[Path, "checkpoint folder that `pixelwise train` wrote"],
    out: Annotated[Path, "model folder, to which onnx/ and export.json are written"],
) -> Exported:
    """Export a trained model to ONNX and compare it with torch at several sizes and batches.

    Raises ModelError where the weights do not fit the net, the exporter fails, or too few pixels agree.
    """
    description, net = load_trained(model)
    facts = {
        "family": description["family"],
        "classes": json.dumps(description["classes"]),
        "palette": json.dumps(description["palette"]),
        "fingerprint": description["fingerprint"],
        "data": description["data"],
    }
    folder, reports = ModelFolder(out), {}
    graphs = list_graphs(description, net)
    models = convert(graphs, facts, params.opset)
    for graph in graphs:
        with write_atomically(folder.graph(graph.name)) as file:
            onnx.save(models.pop(graph.name), file)
            sizes = compare(graph, file)
            worst = min(sizes, key=lambda size: size["agreement"])
            if worst["agreement"] < params.agreement:
                raise ModelError(
                    f"{graph.name}: ONNX Runtime agrees with torch on {worst['agreement']:.4%} of the pixels at "
                    f"{worst['batch']}×{worst['height']}×{worst['width']}, expected {params.agreement:.2%}"
                )
        exported_file = folder.graph(graph.name)
        reports[graph.name] = {
            "bytes": exported_file.stat().st_size,
            "sha256": sha256_file(exported_file),
            "sizes": sizes,
        }
    exported = Exported(out, reports)
    write_json(
        folder.export,
        {
            "parity": exported.parity,
            "fingerprint": facts["fingerprint"],
            "parameters": params.model_dump(mode="json"),
            "graphs": reports,
        },
    )
    return exported


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
