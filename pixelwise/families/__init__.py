"""The families of nets, one module each, found by name. The train and export steps know no family: they call its hooks.

build    the net, from `network` parameters and a number of classes
fit      learn from the prepared data: most call `learning.loop.fit` with a task of their own (still images for the FCN
         and the composition, episodes for the guide); one that is calibrated, not trained, returns what it measured
graphs   the ONNX graphs to export: one for the FCN, one a stage for the clockwork, three for the guide
task_of  what `fit` learns from, its splits `train` and `val` among it: studies ask it whether the data has all of it
illustrate  optional: PNGs of what was learned, by file name; train writes them beside the weights and to MLflow
rescore  the validation scores of a trained net under other parameters: studies compare what a net makes of other inputs
started  only of a family that needs a trained net: the parameters with that net filled in
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from pixelwise.errors import ParamsError

if TYPE_CHECKING:
    from pixelwise.families.hooks import Family


def names() -> list[str]:
    """The families there are, sorted: every folder here is one."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def find(name: str) -> "Family":
    """The hooks of the family called `name`. Raises ParamsError where there is none."""
    if name not in names():
        raise ParamsError(f"family {name!r}: unknown, expected one of {', '.join(names())}")
    family: Family = importlib.import_module(f"{__name__}.{name}.family")
    return family
