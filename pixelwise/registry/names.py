"""Names of models in the registry: a project's prefix before each, so that several projects can share a server."""

from typing import TYPE_CHECKING

from pydantic import Field

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import PARAMS_FILE, Params, parse

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

SECTION = "registry"
# The most that a server of MLflow lists in one answer.
MOST_MODELS = 1000


class RegistryParams(Params):
    """Section `registry` of params.yaml."""

    prefix: str | None = Field(
        None,
        pattern=r"^\w[\w.-]*$",
        description="name of the project before the names of its models: `roads` makes fcn roads-fcn; null: none",
    )


def read_prefix() -> str:
    """What the names of this project's models begin with, such as `roads-`; empty where params.yaml sets no prefix.

    Raises ParamsError where params.yaml of the working folder, or its section `registry`, cannot be read.
    """
    section = read_yaml(PARAMS_FILE, "the pipeline's parameters", default={}, error=ParamsError).get(SECTION) or {}
    if not isinstance(section, dict):
        raise ParamsError(f"{PARAMS_FILE}: {SECTION}: found {section!r}, expected a mapping")
    prefix = parse(RegistryParams, section, f"{PARAMS_FILE}: {SECTION}").prefix
    return f"{prefix}-" if prefix else ""


def complete_name(name: str) -> str:
    """The name in the registry of this project's model `name`, which may have the prefix already.

    Raises ParamsError as `read_prefix`.
    """
    prefix = read_prefix()
    return name if name.startswith(prefix) else f"{prefix}{name}"


def search_models(client: "MlflowClient") -> list["RegisteredModel"]:
    """The registered models of this project, in the order of their names; all of them if it has no prefix."""
    prefix = read_prefix()
    models = client.search_registered_models(max_results=MOST_MODELS)
    return sorted((model for model in models if model.name.startswith(prefix)), key=lambda model: model.name)
