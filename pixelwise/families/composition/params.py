"""What a user sets of a composition and its training."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from pixelwise.families.fcn import params as fcn
from pixelwise.params import Params
from pixelwise.training.params import StillImageParams

Kind = Literal["spherical", "diagonal", "full"]
Filter = Literal[
    "none",
    "conv",
    "blur",
    "resample",
    "dog",
    "dog-resample",
    "dynamic",
    "scales",
    "free-form",
    "static-free-form",
    "static-affine",
    "ccl",
    "aspp",
    "ccl-blur",
    "aspp-blur",
]


class ComposeParams(Params):
    """What is composed, and where."""

    where: tuple[str, ...] = Field(("output", "decoder"), description="output, decoder, or patterns of layers' names")
    filter: Filter = Field("resample", description="what a convolution is composed with; conv adds it alone")
    covariance: Kind = Field("spherical", description="scale; and aspect; and slant")
    first_size: PositiveFloat = Field(0.5, description="first standard deviation, in cells; near 0 is the identity")
    std_devs: PositiveFloat = Field(2.0, description="standard deviations that a kernel covers; 2 in the thesis")
    discretisation: Literal["integrated", "sampled"] = Field("integrated", description="sampled is the thesis's own")
    border: Literal["even", "dark"] = Field("even", description="dark is the thesis's own: zeros past the border")
    per_channel: bool = Field(False, description="a covariance a channel, for what only blurs")
    structure_only: bool = Field(False, description="nothing learns but covariances, in the trained net of weights")


class NetworkParams(fcn.NetworkParams):
    """The net: an FCN and what it is composed with."""

    strides: tuple[int, ...] = fcn.NetworkParams.with_default("strides", (16, 8))
    compose: ComposeParams = ComposeParams()


class TrainParams(StillImageParams):
    """Training of a composition."""

    epochs: PositiveInt = StillImageParams.with_default("epochs", 4)
    network: NetworkParams = NetworkParams()
