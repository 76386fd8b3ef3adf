"""The families of nets, one package each: `NAME/`. Other code uses only a family's hooks; see `hooks.py`."""

import importlib
import pkgutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pixelwise.errors import ParamsError

if TYPE_CHECKING:
    from pixelwise.families.hooks import Engines, Measure, Options, Requests, Runtime
    from pixelwise.families.learning import Family

# The family whose options --help shows if the command line names none.
DEFAULT = "fcn"
# Function that finds hooks -> their module in a family's package, and the shared module for a family without it.
MODULES = {
    "find": ("family", ""),
    "find_params": ("params", ""),
    "find_options": ("options", "pixelwise.families.options"),
    "find_runtime": ("runtime.model", "pixelwise.inference.session"),
    "find_measure": ("measure.evaluation", "pixelwise.evaluation.images"),
    "find_engines": ("measure.engines", "pixelwise.families.engines"),
    "find_requests": ("service.routes", "pixelwise.serving.pictures"),
}


def names() -> list[str]:
    """The names of all families, sorted: every package in this folder is a family."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def find(name: str) -> "Family":
    """Import the training hooks of family `name`. Raises ParamsError if there is no such family."""
    return load(name, "find")


def find_params(name: str) -> Any:
    """Import the training parameters of family `name`: TrainParams. Raises ParamsError if there is no such family."""
    return load(name, "find_params")


def find_options(name: str) -> "Options":
    """Import the options of family `name` for exported models. Raises ParamsError if there is no such family."""
    return load(name, "find_options")


def find_runtime(name: str) -> "Runtime":
    """Import the inference hooks of family `name`. Raises ParamsError if there is no such family."""
    return load(name, "find_runtime")


def find_measure(name: str) -> "Measure":
    """Import the evaluation hooks of family `name`. Raises ParamsError if there is no such family."""
    return load(name, "find_measure")


def find_engines(name: str) -> "Engines":
    """Import the benchmark hooks of family `name`. Raises ParamsError if there is no such family."""
    return load(name, "find_engines")


def find_requests(name: str) -> "Requests":
    """Import the hooks of family `name` for serving. Raises ParamsError if there is no such family."""
    return load(name, "find_requests")


def load(name: str, function: str) -> Any:
    """Import the module that `function` finds for family `name`. Raises ParamsError if there is no such family."""
    if name not in names():
        raise ParamsError(f"family {name!r}: unknown, expected one of {', '.join(names())}")
    return importlib.import_module(name_module(name, function))


def name_module(name: str, function: str) -> str:
    """The dotted name of the module that `function` finds for family `name`."""
    inside, shared = MODULES[function]
    own = f"{__name__}.{name}.{inside}"
    return shared if shared and not has_module(own) else own


def has_module(name: str) -> bool:
    """Whether the module with the dotted `name` exists. Its package may be missing too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def list_hook_modules(name: str | None) -> dict[str, str]:
    """The modules that the functions here import for family `name`: function -> module. Empty if `name` is None."""
    return {f"{__name__}.{function}": name_module(name, function) for function in MODULES} if name else {}
