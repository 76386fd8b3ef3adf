"""The served model: one graph, from a folder or from the registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelwise.errors import ModelError
from pixelwise.families import find_runtime
from pixelwise.families.exported import family_of
from pixelwise.identity import sha256_file
from pixelwise.inference.session import Provider, Segmenter, find_graph_file, open_model
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.references import PREFIX, find_version_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

# Any small picture proves that a graph runs.
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

    Raises ModelError if it is missing, has several graphs or does not run, ProviderError if `device` is not available.
    """
    return open_graph(model, str(model), model.resolve().stem, None, device)


def open_version(client: "MlflowClient", registered: "ModelVersion", device: Provider) -> Served:
    """Open a version of a registered model. Raises like `open_file`, and ModelError where its hash differs."""
    name, version = registered.name, str(registered.version)
    folder = find_version_folder(client, registered, f"{PREFIX}{name}/{version}")
    return open_graph(folder, f"{name} version {version}", name, version, device)


def open_graph(model: Path, source: str, name: str, version: str | None, device: Provider) -> Served:
    """Open the graph of `model` and label a small picture with it; `source` names the model in errors."""
    graph = model if model.suffix == ".onnx" else ModelFolder(model).graph()
    try:
        require_one_graph(model, source)
        file = find_graph_file(model)
        # Otherwise the memory of one huge picture stays allocated until the service ends.
        segmenter = open_model(file, device, is_alone=False, keeps_memory=False)
    except ModelError as error:
        raise type(error)(str(error).replace(str(graph), source)) from None
    if segmenter.inputs != ("image",):
        raise ModelError(f"{source}: found inputs {' and '.join(segmenter.inputs)}, expected image alone")
    require_labels(segmenter, source)
    return Served(segmenter, name, version, sha256_file(file))


def require_one_graph(model: Path, source: str) -> None:
    """Raise ModelError if a model of this family consists of several graphs that must run together."""
    family = family_of(model)
    if instead := getattr(find_runtime(family), "INSTEAD_OF_SERVING", None):
        raise ModelError(f"{source}: found a model of several graphs ({family}), expected one graph; {instead}")


def require_labels(segmenter: Segmenter, source: str) -> None:
    """Raise ModelError unless the model labels a small picture."""
    try:
        prediction = segmenter.predict(np.zeros(TRIAL, np.uint8))
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this.
        raise ModelError(f"{source}: does not run ({' '.join(str(error).split())})") from None
    if prediction.shape != TRIAL[:3] or prediction.dtype != np.uint8:
        type_and_shape = f"{prediction.dtype} {prediction.shape}"
        raise ModelError(
            f"{source}: found output {type_and_shape} for a picture of {TRIAL[:3]}, expected uint8 of its size"
        )
