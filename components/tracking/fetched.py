"""Graphs out of the registry: what a reference names, and the file itself, whose hash is checked each time."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ModelError, ParamsError, RegistryError
from components.identity import sha256_file
from components.tracking.registry import GRAPH, ONNX_TAG, logged_model_of, read_aliases

if TYPE_CHECKING:
    from mlflow import MlflowClient

SCHEME = "models:/"


@dataclass(frozen=True)
class Reference:
    """A registered model, by an alias that may move or by a version that stays: one of the two is None."""

    name: str
    alias: str | None
    version: str | None


def parse_reference(text: str) -> Reference:
    """Read `models:/NAME@ALIAS` or `models:/NAME/VERSION`. Raises ParamsError where `text` is neither."""
    found = re.fullmatch(SCHEME + r"([^@/]+)(?:@([\w.-]+)|/(\d+))", text)
    if found is None:
        raise ParamsError(f"{text}: expected {SCHEME}NAME@ALIAS or {SCHEME}NAME/VERSION")
    return Reference(*found.groups())


def version_of(client: "MlflowClient", reference: Reference) -> str:
    """The version that `reference` names now. Raises RegistryError where its alias names none."""
    if reference.version is not None:
        return reference.version
    aliases = read_aliases(client, reference.name)
    if reference.alias not in aliases:
        there = " ".join(sorted(aliases)) or "none"
        raise RegistryError(f"{reference.name}: no alias {reference.alias} in the registry, found {there}")
    return aliases[reference.alias]


def fetch_graph(client: "MlflowClient", name: str, version: str, folder: Path) -> Path:
    """Copy model.onnx of a version to `folder`.

    Raises ModelError where its hash is not the registered one, RegistryError where it cannot be had.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    logged = logged_model_of(client, name, version)
    try:
        mlflow.artifacts.download_artifacts(
            artifact_uri=f"{logged.artifact_location}/{GRAPH}", dst_path=str(folder), tracking_uri=client.tracking_uri
        )
    except (MlflowException, OSError) as error:
        raise RegistryError(f"{name} version {version}: no {GRAPH} in the registry: {error}") from None
    expected = client.get_model_version(name, version).tags.get(ONNX_TAG)
    if (found := sha256_file(folder / GRAPH)) != expected:
        raise ModelError(f"{name} version {version}: {GRAPH} has sha256 {found}, but {expected} was registered")
    return folder / GRAPH
