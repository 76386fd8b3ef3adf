"""The training hooks of a family: what `pixelwise/families/NAME/family.py` defines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from pixelwise.data.prepared import PreparedData
from pixelwise.families.graph import Graph
from pixelwise.params import Params
from pixelwise.training.loop import History, RecordMetrics


class Family(Protocol):
    """Training and export of a family's nets.

    Three hooks are optional. `start_from(params, described, start)` is for a family that starts from a trained model:
    it returns `params` completed with that model, which lies in the folder `start`; `described` is its model.json.
    `illustrate(net, data, params, history)` returns PNGs of what was learned, by file name: `train` writes them beside
    the weights and to MLflow. `fit_temperature(net, data, params)` is for a family whose net labels pictures: it
    returns the temperature of the class probabilities of the trained `net`, fitted on the validation split. `graphs`
    then takes it as a fourth argument, and gives a confidence beside the labels.
    """

    NetworkParams: type[Params]
    # Its field `network` holds the NetworkParams.
    TrainParams: type[Params]

    def build(self, network: Any, classes: int, pretrained: bool = True) -> nn.Module:
        """Build the net. `pretrained` False skips the backbone's weights, for a net whose weights get loaded.

        Raises ParamsError if the parts of `network` do not fit together.
        """

    def fit(self, net: nn.Module, data: PreparedData, params: Any, state: Path, record: RecordMetrics) -> History:
        """Train or calibrate `net` in place. `state` is a folder for resumable work; `record` takes the curves.

        Returns one row per validation with `epoch`, `seconds` and `val/mean_iu`. Raises DataError as `make_task` does.
        """

    def graphs(self, net: nn.Module, network: Any, classes: int) -> Sequence[Graph]:
        """The graphs to export from a `net` that `build` made from the same parameters."""

    def make_task(self, data: PreparedData, params: Any) -> Any:
        """Make the training task on `data`. Raises DataError if a split or a layer that `params` ask for is missing."""

    def rescore(self, net: nn.Module, data: PreparedData, params: Any) -> dict[str, float]:
        """Score a trained `net` on the validation split, with inputs as `params` define. Returns scores by name."""
