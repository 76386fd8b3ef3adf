"""The clockwork family: a trained FCN cut into stages, each with its own clock (thesis chapter 3)."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ParamsError
from pixelwise.families.clockwork.clock_teaching import observe_pairs, teach
from pixelwise.families.clockwork.graphs import graphs
from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.params import NetworkParams, TrainParams
from pixelwise.families.clockwork.stages import Skips
from pixelwise.families.fcn import family as fcn
from pixelwise.families.fcn.params import NetworkParams as FCNParams
from pixelwise.params import parse
from pixelwise.training.devices import make_fabric
from pixelwise.training.loop import History, RecordMetrics
from pixelwise.training.params import StillImageParams
from pixelwise.training.still_images import StillImageTask
from pixelwise.training.temperature import fit_on_validation

__all__ = [
    "NetworkParams",
    "TrainParams",
    "build",
    "fit",
    "fit_temperature",
    "graphs",
    "make_task",
    "rescore",
    "start_from",
]


def start_from(params: TrainParams, described: Mapping[str, Any], start: Path) -> TrainParams:
    """Return `params` with the net of the trained model in the folder `start`; `described` is its model.json.

    Raises ModelError if the model is not an FCN.
    """
    net = fcn.read_network(described, start)
    network = params.network.model_copy(
        update={"fcn": net.model_dump(mode="json"), "trained": described["fingerprint"]}
    )
    return params.model_copy(update={"network": network})


def build(network: NetworkParams, classes: int, pretrained: bool = True) -> Clockwork:
    """Build the net with an untrained clock. Raises ParamsError if there is no trained net or it cannot be cut."""
    if network.fcn is None:
        raise ParamsError("train clockwork: found no --start, expected the folder of a trained FCN")
    trained = parse(FCNParams, network.fcn, "clockwork.train.network.fcn")
    net = fcn.build(trained, classes, pretrained)
    if not isinstance(net, Skips) or trained.inputs != "rgb" or trained.heads != "semantic":
        raise ParamsError("clockwork: found a net of several parts, inputs or heads, expected a plain FCN of pictures")
    return Clockwork(net, network.borders)


def make_task(data: PreparedData, params: TrainParams) -> StillImageTask:
    """Return the task of both splits as single pictures. Raises DataError if the data lacks a split."""
    still = StillImageParams(train_split=params.train_split, val_split=params.val_split)
    return StillImageTask(data.split(params.train_split), data.split(params.val_split), still)


def fit(net: Clockwork, data: PreparedData, params: TrainParams, state: Path, record: RecordMetrics) -> History:  # noqa: ARG001
    """Train the clock to predict the share of the output that changes between two frames; the net does not change.

    Training is short: it saves no state, and starts again after an interruption. It returns one row: the net's scores,
    the training loss, and the clock's mean absolute error on pairs of the validation split, as a share.
    """
    began, task = time.perf_counter(), make_task(data, params)
    net.eval().to(make_fabric(params).device)
    now, then, share = observe_pairs(net, task.train, params.pairs, params.seed)
    net.change.measure(now, then)
    loss = teach(net.change, now, then, share, params)
    observed = observe_pairs(net, task.val, max(params.pairs // 4, 8), params.seed + 1)
    with torch.inference_mode():
        guessed = torch.stack([net.change(a, b)[0] for a, b in zip(*observed[:2], strict=True)])
    row = {**task.score(net), "train/loss": loss, "val/clock_error": float((guessed - observed[2]).abs().mean())}
    record(row, 1)
    return [{"epoch": 1.0, "seconds": time.perf_counter() - began, **row}]


def fit_temperature(net: Clockwork, data: PreparedData, params: TrainParams) -> float:
    """Fit the temperature of the class probabilities of single frames on the validation split."""
    return fit_on_validation(net, make_task(data, params))


def rescore(net: Clockwork, data: PreparedData, params: TrainParams) -> dict[str, float]:
    """Return the validation scores of the net on single frames."""
    return make_task(data, params).score(net.eval())
