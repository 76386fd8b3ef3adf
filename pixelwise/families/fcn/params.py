"""What a user sets of an FCN and its training."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from pixelwise.params import Params
from pixelwise.training.params import StillImageParams


class NetworkParams(Params):
    """The net."""

    backbone: str = Field(
        "efficientnet_lite0", description="timm model; NAME@8 is dilated; or alexnet, vgg16, googlenet"
    )
    weights: str = Field("imagenet", description="what it starts from: imagenet, none, a file, or for rgb-hha two by +")
    reference: bool = Field(False, description="the thesis's own net to the letter: pad 100, crops, its own dropout")
    learned_upsampling: bool = Field(False, description="a reference net learns its upsampling between skips")
    strides: tuple[int, ...] = Field((32, 16, 8), description="strides that are scored: 32 is FCN-32s, 32 16 8 FCN-8s")
    width: NonNegativeInt = Field(0, description="channels of the top-down features; 0 scores the backbone's own")
    scale: float = Field(1.0, gt=0, le=4, description="how much the net resizes the picture before its first layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels dropped before scoring")
    frozen_stride: NonNegativeInt = Field(
        0, description="the backbone keeps its weights up to this stride; 0 keeps none"
    )
    keep_statistics: bool = Field(False, description="norms keep the weights' statistics: for one picture a batch")
    fusion: Literal["sum", "max"] = Field("sum", description="how the streams' scores become one")
    stream_scales: tuple[float, ...] = Field((), description="fixed factors of the streams, coarse to fine; none: 1")
    inputs: Literal["rgb", "rgbd", "hha", "rgb-hha"] = Field("rgb", description="what is seen; the last fuses two nets")
    heads: Literal["semantic", "geometry", "both"] = Field("semantic", description="what is labelled")
    background: Literal["learned", "null"] = Field("learned", description="null scores class 0 as a constant zero")


class TrainParams(StillImageParams):
    """Training of an FCN."""

    renamed: ClassVar = {"staged_drop": "staged_rate_factor"}

    network: NetworkParams = NetworkParams()
    staged: bool = Field(False, description="learn the coarsest stream first and add one after the other")
    staged_rate_factor: NonNegativeFloat = Field(
        0.1, description="learning rate of a stage over that of the stage before"
    )
