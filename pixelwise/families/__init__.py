"""The families of nets, a room each: `NAME/`. Code outside a room uses its hooks alone; `hooks.py` documents them."""

import importlib
import pkgutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pixelwise.errors import ParamsError

if TYPE_CHECKING:
    from pixelwise.families.hooks import Measure, Options, Runtime
    from pixelwise.families.learning import Family

# The family whose options --help shows where no other is named.
DEFAULT = "fcn"
# Function that finds hooks -> their module in a room, and the module that a room without one shares.
MODULES = {
    "find": ("family", ""),
    "find_params": ("params", ""),
    "find_options": ("options", "pixelwise.families.options"),
    "find_runtime": ("runtime.model", "pixelwise.inference.session"),
    "find_measure": ("measure.evaluation", "pixelwise.evaluation.images"),
}


def names() -> list[str]:
    """The families there are, sorted: every folder here is one."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def find(name: str) -> "Family":
    """How the family called `name` learns. Raises ParamsError where there is none."""
    return load(name, "find")


def find_params(name: str) -> Any:
    """What a user sets of training the family called `name`: TrainParams. Raises ParamsError where there is none."""
    return load(name, "find_params")


def find_options(name: str) -> "Options":
    """What a user sets of exported models of the family called `name`. Raises ParamsError where there is none."""
    return load(name, "find_options")


def find_runtime(name: str) -> "Runtime":
    """How exported models of the family called `name` label. Raises ParamsError where there is none."""
    return load(name, "find_runtime")


def find_measure(name: str) -> "Measure":
    """How exported models of the family called `name` are scored. Raises ParamsError where there is none."""
    return load(name, "find_measure")


def load(name: str, function: str) -> Any:
    """The module with the hooks that `function` finds. Raises ParamsError where there is no family called `name`."""
    if name not in names():
        raise ParamsError(f"family {name!r}: unknown, expected one of {', '.join(names())}")
    return importlib.import_module(module_of(name, function))


def module_of(name: str, function: str) -> str:
    """The dotted name of the module with the hooks of the family called `name` that `function` finds."""
    inside, shared = MODULES[function]
    own = f"{__name__}.{name}.{inside}"
    return shared if shared and not has_module(own) else own


def has_module(name: str) -> bool:
    """Whether there is a module of the dotted `name`, in a package that may be missing too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def hooks_by_name(name: str | None) -> dict[str, str]:
    """What the functions here import by name for the family called `name`: function -> module. Nothing for None."""
    return {f"{__name__}.{function}": module_of(name, function) for function in MODULES} if name else {}
