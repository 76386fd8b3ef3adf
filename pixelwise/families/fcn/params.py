"""Parameters of an FCN and its training."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from pixelwise.params import Params
from pixelwise.training.params import StillImageParams


class NetworkParams(Params):
    """The net."""

    backbone: str = Field(
        "efficientnet_lite0", description="timm model; NAME@8 is dilated; or alexnet, vgg16, googlenet"
    )
    weights: str = Field(
        "imagenet", description="initial weights: imagenet, none, a file, or for rgb-hha two joined by +"
    )
    reference: bool = Field(False, description="the thesis's own net: pad 100, crops, its own dropout")
    learned_upsampling: bool = Field(False, description="learn the upsampling between skips; for a reference net only")
    strides: tuple[int, ...] = Field((32, 16, 8), description="scored strides: 32 is FCN-32s; 32, 16 and 8 are FCN-8s")
    width: NonNegativeInt = Field(
        0, description="channels of the top-down path; 0: no such path, the backbone's features are scored"
    )
    scale: float = Field(
        1.0, gt=0, le=4, description="factor by which the net resizes the picture before its first layer"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels dropped before scoring")
    frozen_stride: NonNegativeInt = Field(0, description="freeze the backbone up to this stride; 0 freezes nothing")
    keep_statistics: bool = Field(False, description="freeze the statistics of batch norms, for batches of one picture")
    fusion: Literal["sum", "max"] = Field("sum", description="how the scores of the streams are combined")
    stream_scales: tuple[float, ...] = Field(
        (), description="fixed factors of the streams, coarse to fine; none: all 1"
    )
    inputs: Literal["rgb", "rgbd", "hha", "rgb-hha"] = Field(
        "rgb", description="input channels; rgb-hha fuses two nets"
    )
    heads: Literal["semantic", "geometry", "both"] = Field("semantic", description="label maps that the net predicts")
    background: Literal["learned", "null"] = Field("learned", description="null: the score of class 0 is fixed at zero")


class TrainParams(StillImageParams):
    """Training of an FCN."""

    renamed: ClassVar = {"staged_drop": "staged_rate_factor"}

    network: NetworkParams = NetworkParams()
    staged: bool = Field(False, description="train the coarsest stream first, then add one stream per stage")
    staged_rate_factor: NonNegativeFloat = Field(
        0.1, description="factor on the learning rate from one stage to the next"
    )
