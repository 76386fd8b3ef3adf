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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from components.datasets.prepared import PreparedData
from components.errors import ParamsError
from components.learning.loop import History, Recorder
from components.params import Params

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Graph:
    """One ONNX graph to export: a module with its pre- and post-processing inside.

    example: makes the inputs for a picture size (N, H, W): name -> tensor, states of a stage included. dynamic: input
    name -> {axis: symbol} for the axes that vary; the symbol is None where the length follows from the picture's.
    traced: the size at which the graph is exported. probes: sizes at which it is compared with torch, all different
    from that one, since a wrong export is right there. facts: what the file's metadata says beyond the model's own.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int, int], Mapping[str, Tensor]]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str | None]]
    traced: Size
    probes: Sequence[Size]
    facts: Mapping[str, str] = field(default_factory=dict)


class Family(Protocol):
    """What a module of this folder defines."""

    NetworkParams: type[Params]
    # Its field `network` holds the NetworkParams.
    TrainParams: type[Params]

    def build(self, network: Any, classes: int, pretrained: bool = True) -> nn.Module:
        """The untrained net. `pretrained` False leaves out the backbone's weights, for a net about to be loaded."""

    def fit(self, net: nn.Module, data: PreparedData, params: Any, state: Path, record: Recorder) -> History:
        """Train or calibrate `net` in place. `state` is a folder for resumable work; `record` takes the curves."""

    def graphs(self, net: nn.Module, network: Any, classes: int) -> Sequence[Graph]:
        """The graphs of a `net` that `build` made of the same parameters, as they ship."""

    def task_of(self, data: PreparedData, params: Any) -> Any:
        """What is learned from `data`. Raises DataError where it lacks a split or a layer that `params` ask for."""

    def rescore(self, net: nn.Module, data: PreparedData, params: Any) -> dict[str, float]:
        """The validation scores of a trained `net` by name, its inputs prepared as `params` say."""


def find(name: str) -> Family:
    """The family called `name`. Raises ParamsError where there is none."""
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise ParamsError(f"family {name!r}: unknown, expected one of {', '.join(known)}")
    family: Family = importlib.import_module(f"{__name__}.{name}")
    return family
