"""The served model, from a folder or from the registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import ModelError
from pixelwise.evaluation.engine_choice import choose_provider
from pixelwise.families import find_requests
from pixelwise.families.exported import find_family
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import Provider
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.references import PREFIX, find_referenced_version, find_version_folder
from pixelwise.tracking.store import connect_existing, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Served:
    """An open model, its family, its name, its version in the registry (None: of a file) and the hash of its graphs."""

    # A `hooks.ServedModel`. The routes of its family know what else it has.
    model: Any
    family: str
    name: str
    version: str | None
    sha256: str

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        return f"{self.name}{version} (sha256 {self.sha256[:12]})"


def open_named(model: str, device: Provider, tracking: str | None) -> tuple[Served, "MlflowClient | None"]:
    """Open `model`, a folder, a file or a reference; also return the registry's client where it is a reference.

    Raises like `open_file` and `open_version`, RegistryError where the store fails.
    """
    if not model.startswith(PREFIX):
        return open_file(Path(model), device), None
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        return open_version(client, find_referenced_version(client, model), device), client


def open_file(model: Path, device: Provider) -> Served:
    """Open an exported `model`, a folder or an .onnx file.

    Raises ModelError if it is missing or does not run, ProviderError if `device` is not available.
    """
    return open_exported(model, str(model), model.resolve().stem, None, device)


def open_version(client: "MlflowClient", registered: "ModelVersion", device: Provider) -> Served:
    """Open a version of a registered model. Raises like `open_file`, and ModelError where its hash differs."""
    name, version = registered.name, str(registered.version)
    folder = find_version_folder(client, registered, f"{PREFIX}{name}/{version}")
    return open_exported(folder, f"{name} version {version}", name, version, device)


def open_exported(model: Path, source: str, name: str, version: str | None, device: Provider) -> Served:
    """Open `model` as its family does; `source` names the model in errors."""
    try:
        family = find_family(model)
        opened = find_requests(family).open_served(model, choose_provider(model, device))
    except ModelError as error:
        text = str(error).replace(str(ModelFolder(model).graph()), source)
        raise type(error)(text.replace(str(model), source)) from None
    return Served(opened, family, name, version, identify(model))
