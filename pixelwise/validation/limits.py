"""The limits that the data checks enforce."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from pixelwise.params import Params

Share = Annotated[float, Field(ge=0, le=1)]


class Limits(Params):
    """What the gate holds the data to; a share is a fraction of 1."""

    min_images: dict[str, NonNegativeInt] = Field(
        {"train": 20, "val": 5}, description="the splits there must be, each with the images it must at least hold"
    )
    min_side: PositiveInt = Field(32, description="shorter side of an image in pixels, at least")
    max_size_ratio: float = Field(16.0, ge=1, description="area of an image over the median area, or under, at most")
    min_contrast: NonNegativeFloat = Field(
        1.0, description="standard deviation of an image's most varied channel in grey levels, at least"
    )
    max_void_share: Share = Field(0.95, description="void share of one label, at most")
    max_mean_void_share: Share = Field(0.5, description="void share of a split on average, at most")
    min_class_images: NonNegativeInt = Field(1, description="training images that show a class, at least")
    min_class_share: Share = Field(0.0001, description="share of a class in the labelled training pixels, at least")
    max_split_psi: NonNegativeFloat = Field(
        0.25, description="population stability index of a split's class shares against train's, at most (a warning)"
    )
    max_quarantined_share: Share = Field(0.01, description="share of files in quarantine, at most")
    max_shift: NonNegativeFloat = Field(
        0.8, description="shift of an image statistic since the accepted data, in standard deviations, at most"
    )
    max_drift_psi: NonNegativeFloat = Field(
        0.25, description="population stability index of class shares against the accepted data, at most"
    )
