"""The hooks of a family that learn: what `pixelwise/families/NAME/family.py` defines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from pixelwise.data.prepared import PreparedData
from pixelwise.families.graph import Graph
from pixelwise.params import Params
from pixelwise.training.loop import History, RecordMetrics


class Family(Protocol):
    """How nets learn and what they export.

    Two hooks are optional. `started(params, described, start)` gives `params` with the trained net filled in that
    model.json in the folder `start` describes: for a family that starts from a model. `illustrate(net, data, params,
    history)` gives PNGs of what was learned, by file name: train writes them beside the weights and to MLflow.
    """

    NetworkParams: type[Params]
    # Its field `network` holds the NetworkParams.
    TrainParams: type[Params]

    def build(self, network: Any, classes: int, pretrained: bool = True) -> nn.Module:
        """The untrained net. `pretrained` False leaves out the backbone's weights, for a net about to be loaded.

        Raises ParamsError where the parts of `network` do not go together.
        """

    def fit(self, net: nn.Module, data: PreparedData, params: Any, state: Path, record: RecordMetrics) -> History:
        """Train or calibrate `net` in place. `state` is a folder for resumable work; `record` takes the curves.

        Returns a row a validation with `epoch`, `seconds` and `val/mean_iu`. Raises DataError as `task_of`.
        """

    def graphs(self, net: nn.Module, network: Any, classes: int) -> Sequence[Graph]:
        """The graphs of a `net` that `build` made of the same parameters, as they ship."""

    def task_of(self, data: PreparedData, params: Any) -> Any:
        """What is learned from `data`. Raises DataError where it lacks a split or a layer that `params` ask for."""

    def rescore(self, net: nn.Module, data: PreparedData, params: Any) -> dict[str, float]:
        """The validation scores of a trained `net` by name, its inputs prepared as `params` say."""
