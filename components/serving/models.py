"""The model that is served: one graph, opened from a folder where nothing else lies."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.errors import ModelError
from components.identity import sha256_file
from components.runtime.session import GRAPH_FILE, Provider, Segmenter, graph_file, open_model
from components.tracking.fetched import Reference, fetch_graph, version_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

# family -> what takes a model of several graphs, and the graph by which its folder is known.
INSTEAD = {
    "clockwork": "`pixelwise predict --schedule NAME` labels videos with it",
    "guided": "`pixelwise predict --guidance FILE` labels pictures and videos with it",
}
MARKS = {"clockwork": "stage1.onnx", "guided": "encode.onnx"}
# Any small picture shows whether a graph runs.
TRIAL = (1, 64, 64, 3)


@dataclass(frozen=True)
class Served:
    """An open model, its name, its version in the registry (None: of a file) and the hash of its graph."""

    segmenter: Segmenter
    name: str
    version: str | None
    sha256: str

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        return f"{self.name}{version} (sha256 {self.sha256[:12]})"


def open_file(model: Path, device: Provider) -> Served:
    """Open an exported `model`, a folder or an .onnx file.

    Raises ModelError where it is missing, not one graph or does not run, ProviderError where `device` cannot be had.
    """
    for family, mark in MARKS.items():
        if (model / mark).is_file():
            raise several(str(model), family)
    file = graph_file(model)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copyfile(file, Path(folder) / GRAPH_FILE))
        return open_graph(copy, str(model), model.resolve().stem, None, device)


def open_version(client: "MlflowClient", reference: Reference, version: str, device: Provider) -> Served:
    """Open a `version` of a registered model. Raises like `open_file`, and ModelError where its hash differs."""
    with tempfile.TemporaryDirectory() as folder:
        file = fetch_graph(client, reference.name, version, Path(folder))
        return open_graph(file, f"{reference.name} version {version}", reference.name, version, device)


def open_champion(client: "MlflowClient", reference: Reference, device: Provider) -> Served:
    """Open the version that `reference` names now. Raises as above, and RegistryError where there is none."""
    return open_version(client, reference, version_of(client, reference), device)


def open_graph(file: Path, source: str, name: str, version: str | None, device: Provider) -> Served:
    """Open `file` and label a small picture with it; `source` is what errors call it.

    The file lies alone, so that a graph with external data, which its hash would not cover, finds none.
    """
    try:
        segmenter = open_model(file, device, is_alone=False)
    except ModelError as error:
        raise type(error)(str(error).replace(str(file), source)) from None
    if (family := segmenter.metadata.get("family", "")) in INSTEAD:
        raise several(source, family)
    if segmenter.inputs != ("image",):
        raise ModelError(f"{source}: takes {' and '.join(segmenter.inputs)}, expected image alone: requests have one")
    require_labels(segmenter, source)
    return Served(segmenter, name, version, sha256_file(file))


def several(source: str, family: str) -> ModelError:
    """The error about a model of more than one graph."""
    return ModelError(f"{source}: a model of several graphs ({family}), expected one graph; {INSTEAD[family]}")


def require_labels(segmenter: Segmenter, source: str) -> None:
    """Raise ModelError unless the model labels a small picture."""
    try:
        prediction = segmenter.predict(np.zeros(TRIAL, np.uint8))
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this.
        raise ModelError(f"{source}: does not run ({' '.join(str(error).split())})") from None
    if prediction.shape != TRIAL[:3] or prediction.dtype != np.uint8:
        found = f"{prediction.dtype} {prediction.shape}"
        raise ModelError(f"{source}: gives {found} for a picture of {TRIAL[:3]}, expected uint8 of its size")
