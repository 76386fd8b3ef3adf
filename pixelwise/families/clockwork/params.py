"""Parameters of a clockwork and the calibration of its clocks."""

from typing import Any

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from pixelwise.params import Params
from pixelwise.training.params import DeviceParams


class NetworkParams(Params):
    """A net and where it is cut."""

    borders: tuple[PositiveInt, ...] = Field(
        (8, 16), description="strides at which a stage ends; the last stage ends with the net"
    )
    fcn: dict[str, Any] | None = Field(None, description="parameters of the cut net, set by train --start")
    trained: str = Field("", description="fingerprint of the training of the net, set by train --start")


class TrainParams(DeviceParams):
    """Calibration of the clocks; the net itself is trained already."""

    seed: NonNegativeInt = Field(0, description="seed of every random choice")
    train_split: str = Field("train", description="split that trains the learned clock; its labels are not read")
    val_split: str = Field("val", description="split to score")
    pairs: PositiveInt = Field(64, description="pairs of frames that train the learned clock")
    steps: PositiveInt = Field(300, description="optimiser steps of the learned clock")
    learning_rate: PositiveFloat = Field(3e-3, description="learning rate of the learned clock")
    network: NetworkParams = NetworkParams()
