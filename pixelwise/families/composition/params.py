"""Parameters of a composition and its training."""

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
    """The composed filter, and where it goes."""

    where: tuple[str, ...] = Field(("*score.*",), description="output, decoder, or patterns of layers' names")
    filter: Filter = Field("blur", description="the filter composed with a convolution; conv: a plain one")
    covariance: Kind = Field("spherical", description="spherical: scale; diagonal: also aspect; full: also slant")
    first_size: PositiveFloat = Field(0.3, description="first standard deviation, in cells; near 0 is the identity")
    std_devs: PositiveFloat = Field(2.0, description="extent of a kernel in standard deviations; 2 in the thesis")
    discretisation: Literal["integrated", "sampled"] = Field(
        "integrated", description="how kernels are made; sampled in the thesis"
    )
    border: Literal["even", "dark"] = Field("even", description="dark: zeros past the border, as in the thesis")
    per_channel: bool = Field(False, description="one covariance per channel, for filters that only blur")
    structure_only: bool = Field(False, description="train only covariances; weights names the trained net")


class NetworkParams(fcn.NetworkParams):
    """The net: an FCN and its composed filters."""

    strides: tuple[int, ...] = fcn.NetworkParams.with_default("strides", (16, 8))
    compose: ComposeParams = ComposeParams()
    trained: str = Field("", description="fingerprint of the FCN that the net starts from, set by train --start")


class TrainParams(StillImageParams):
    """Training of a composition."""

    epochs: PositiveInt = StillImageParams.with_default("epochs", 4)
    learning_rate: PositiveFloat = StillImageParams.with_default("learning_rate", 5e-4)
    network: NetworkParams = NetworkParams()
