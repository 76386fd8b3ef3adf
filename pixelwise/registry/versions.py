"""Versions of a model in MLflow's registry, and the aliases that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import RegistryError
from pixelwise.model_folder import ModelFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
ONNX_TAG = "onnx_sha256"
# The hashes of all files of a version, as JSON by path: stored apart from the files, in the store's database.
FILES_TAG = "files_sha256"
# The graph that labels images by itself, by its path in the model's folder.
GRAPH_FILE = ModelFolder(Path()).graph().as_posix()
LOGGED_MODEL_PREFIX = "models:/"


def find_version(client: "MlflowClient", name: str, onnx_sha256: str) -> str | None:
    """The version of `name` that holds the graph with this hash, None where there is none."""
    versions = client.search_model_versions(f"name = '{name}' and tags.{ONNX_TAG} = '{onnx_sha256}'")
    return str(versions[0].version) if versions else None


def read_aliases(client: "MlflowClient", name: str) -> dict[str, str]:
    """The versions of `name` by alias; empty if the model is not registered."""
    model = find_model(client, name)
    return {alias: str(version) for alias, version in model.aliases.items()} if model else {}


def find_model(client: "MlflowClient", name: str) -> "RegisteredModel | None":
    """The registered model `name`, None where there is none."""
    with suppress_missing():
        return client.get_registered_model(name)
    return None


def read_version_tags(client: "MlflowClient", name: str, version: str) -> dict[str, str] | None:
    """The tags of a version, None where somebody deleted it."""
    with suppress_missing():
        return dict(client.get_model_version(name, version).tags)
    return None


@contextmanager
def suppress_missing() -> Iterator[None]:
    """Suppress MLflow's error about a model or version that does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def list_versions(client: "MlflowClient", name: str) -> list[str]:
    """The versions of `name` that `pixelwise register` made, the oldest first: those tagged with their graph's hash."""
    versions = client.search_model_versions(f"name = '{name}'")
    return sorted((str(version.version) for version in versions if ONNX_TAG in version.tags), key=int)


def move_alias(client: "MlflowClient", name: str, alias: str, version: str | None) -> None:
    """Set `alias` to `version`; delete `alias` if `version` is None."""
    if version is None:
        client.delete_registered_model_alias(name, alias)
    else:
        client.set_registered_model_alias(name, alias, version)


def find_logged_model(client: "MlflowClient", name: str, version: str) -> Any:
    """The logged model behind a version. Raises RegistryError where another tool registered the version."""
    # The version's own model_id stays empty in MLflow's database store.
    source = str(client.get_model_version(name, version).source)
    if not source.startswith(LOGGED_MODEL_PREFIX):
        raise RegistryError(
            f"{name} version {version}: found source {source}, expected a version of pixelwise register"
        )
    return client.get_logged_model(source.removeprefix(LOGGED_MODEL_PREFIX))
