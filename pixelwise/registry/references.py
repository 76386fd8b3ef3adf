"""A model by reference, `models:/NAME@ALIAS` or `models:/NAME/VERSION`: its folder, every file as it was registered."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from pixelwise.errors import ModelError, RegistryError
from pixelwise.identity import sha256_file
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.names import complete_name
from pixelwise.registry.versions import FILES_TAG, GRAPH_FILE, ONNX_TAG, find_logged_model, read_aliases
from pixelwise.tracking.store import connect_existing, redact_uri, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREFIX = "models:/"
REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
CACHE = Path(".state/models")


def resolve_model_folder(model: Path, tracking: str | None = None) -> Path:
    """`model` itself, or the folder of the registered model that it refers to. Raises as `resolve_model`."""
    return resolve_model(str(model), tracking) if is_reference(model) else model


def is_reference(model: Path) -> bool:
    """Whether `model` names a registered model instead of a folder."""
    return str(model).startswith(PREFIX)


def resolve_model(reference: str, tracking: str | None = None) -> Path:
    """The folder of a registered model, as `pixelwise export` left it, each file with the hash that was registered.

    Files of a store on this machine are used in place. Files of a remote store are downloaded once, to .state/models in
    the working directory. The hashes are compared on every call. `tracking`: as for `resolve_store_uri`.

    Raises RegistryError where the reference names no version, ModelError where a file is missing or not the registered
    one.
    """
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        return find_version_folder(client, find_referenced_version(client, reference), reference)


def find_version_folder(client: "MlflowClient", version: "ModelVersion", reference: str) -> Path:
    """The folder of a registered `version`, which errors call `reference`. Raises as `resolve_model`."""
    logged = find_logged_model(client, version.name, str(version.version))
    folder = find_local_folder(logged.artifact_location) or download_model(client, logged, reference)
    ModelFolder(folder).require_layout()
    require_registered(folder, read_file_hashes(version), reference)
    return folder


def find_referenced_version(client: "MlflowClient", reference: str) -> "ModelVersion":
    """The version that `reference` names, with the project's prefix or without.

    Raises RegistryError, which lists the aliases, if there is none; ParamsError where the prefix cannot be read.
    """
    from mlflow.exceptions import MlflowException

    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise RegistryError(f"{reference}: expected models:/NAME@ALIAS or models:/NAME/VERSION")
    name, alias, version = complete_name(match["name"]), match["alias"], match["version"]
    try:
        return client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    registered = ", ".join(f"{name}@{alias} = version {number}" for alias, number in read_aliases(client, name).items())
    store = redact_uri(client.tracking_uri)
    raise RegistryError(f"{reference}: no such version in {store}, which has {registered or f'no {name}'}")


def read_file_hashes(version: "ModelVersion") -> dict[str, str]:
    """The hash of every file of a version by its path in the model's folder."""
    if FILES_TAG in version.tags:
        return dict(json.loads(version.tags[FILES_TAG]))
    # Versions registered by older releases have only the hash of the graph.
    return {GRAPH_FILE: version.tags.get(ONNX_TAG, "")}


def find_local_folder(location: str) -> Path | None:
    """The folder at `location`; None if it is on another machine."""
    url = urlparse(location)
    path = Path(unquote(url.path))
    return path if url.scheme in ("", "file") and path.is_dir() else None


def download_model(client: "MlflowClient", logged: Any, reference: str) -> Path:
    """The local copy of a model in a remote store, downloaded on first use."""
    import mlflow.artifacts

    folder = CACHE / str(logged.model_id)
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        try:
            downloaded = mlflow.artifacts.download_artifacts(
                artifact_uri=logged.artifact_location, dst_path=work, tracking_uri=client.tracking_uri
            )
            # The rename makes the download atomic.
            Path(downloaded).rename(folder)
        except OSError as error:
            # Another process may have fetched the same meanwhile.
            if not folder.is_dir():
                raise RegistryError(f"{reference}: {logged.artifact_location} cannot be fetched: {error}") from None
    return folder


def require_registered(folder: Path, files: Mapping[str, str], reference: str) -> None:
    """Raise ModelError naming the first file that is missing or has another hash, or a graph that is not registered."""
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise ModelError(f"{reference}: {folder / name}: no such file, expected sha256 {expected}")
        if (found := sha256_file(folder / name)) != expected:
            raise ModelError(f"{reference}: {folder / name}: found sha256 {found}, expected {expected} as registered")
    for graph in sorted(folder.rglob("*.onnx")):
        if (name := graph.relative_to(folder).as_posix()) not in files:
            raise ModelError(f"{reference}: {graph}: found an unregistered graph, expected {', '.join(files)}")
