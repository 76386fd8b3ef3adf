"""The limits that the data checks enforce."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from pixelwise.params import Params

Share = Annotated[float, Field(ge=0, le=1)]


class DriftLimits(Params):
    """Limits of the distance from the accepted data, for new data and for live requests."""

    max_shift: NonNegativeFloat = Field(
        0.8, description="maximum shift of an image statistic since the accepted data, in standard deviations"
    )
    max_drift_psi: NonNegativeFloat = Field(
        0.25, description="maximum population stability index of class shares against the accepted data"
    )


class Limits(DriftLimits):
    """Limits that the data must meet; a share is a fraction of 1."""

    min_images: dict[str, NonNegativeInt] = Field(
        {"train": 20, "val": 5}, description="required splits, each with its minimum number of images"
    )
    min_side: PositiveInt = Field(32, description="minimum shorter side of an image in pixels")
    max_size_ratio: float = Field(
        16.0, ge=1, description="maximum ratio of an image's area to the median area, or its inverse"
    )
    min_contrast: NonNegativeFloat = Field(
        1.0, description="minimum standard deviation of an image's most varied channel, in grey levels"
    )
    max_void_share: Share = Field(0.95, description="maximum void share of one label")
    max_mean_void_share: Share = Field(0.5, description="maximum mean void share of a split")
    min_class_images: NonNegativeInt = Field(1, description="minimum training images that show a class")
    min_class_share: Share = Field(0.0001, description="minimum share of a class in the labelled training pixels")
    max_split_psi: NonNegativeFloat = Field(
        0.25, description="maximum population stability index of a split's class shares against train's (a warning)"
    )
    max_quarantined_share: Share = Field(0.01, description="maximum share of files in quarantine")
    sampled_images: PositiveInt = Field(200, description="images of each split that are compared with their masks")
    max_near_duplicate_share: Share | None = Field(
        None, description="maximum share of a split's images that nearly equal one of another split (null: only warn)"
    )
    max_misfit_share: Share | None = Field(
        None,
        description="maximum share of a split's masks that fit better turned or shifted (null: only warn)",
    )
    max_swapped_classes: NonNegativeInt | None = Field(
        None, description="maximum number of a split's classes that look swapped against train (null: only warn)"
    )
