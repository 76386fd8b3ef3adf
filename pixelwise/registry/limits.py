"""What a challenger must show to become champion: the limits of the release gate, which families extend."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field, NonNegativeInt

from pixelwise.params import Params


class Limit(NamedTuple):
    """A bound on the confidence interval of a measure: its lower end is at least `least`, its upper at most `most`."""

    measure: str
    least: float | None = None
    most: float | None = None


class ReleaseParams(Params):
    """What every family asks of a champion. A family adds the floor of its own measure, and perhaps further limits."""

    margin: float = Field(0.005, ge=0, le=1, description="score that a challenger may lose to the champion")
    confidence: float = Field(
        0.95, gt=0, lt=1, description="confidence level of the two-sided bootstrap interval of the difference"
    )
    resamples: int = Field(1000, ge=100, description="number of bootstrap resamples of the images, clips or tasks")
    seed: NonNegativeInt = Field(0, description="seed of the resamples, so that a decision is reproducible")
    parity_floor: float = Field(
        0.999, ge=0, le=1, description="minimum share of pixels on which ONNX Runtime and torch agree"
    )
    milliseconds_limit: float | None = Field(
        None, gt=0, description="maximum median latency of one image on the engine that is served; null: no limit"
    )
    shadow_disagreement_limit: float | None = Field(
        None, ge=0, le=1, description="maximum share of pixels of live pictures that the champion labels differently"
    )
    other_data: bool = Field(
        False, description="whether a model of other classes or another data set may replace the champion"
    )

    @property
    def floor(self) -> float:
        """The minimum of the measure that models are compared by."""
        raise NotImplementedError

    @property
    def limits(self) -> Sequence[Limit]:
        """The bounds on further measures."""
        return ()


class LabelReleaseParams(ReleaseParams):
    """Section `<family>.release`: what a challenger that labels images must show to become champion."""

    mean_iu_floor: float = Field(0.3, ge=0, le=1, description="minimum mean IU of a champion")
    pixel_accuracy_floor: float = Field(0.7, ge=0, le=1, description="minimum pixel accuracy of a champion")
    class_iu_floor: float = Field(0.0, ge=0, le=1, description="minimum IU of every class in the images")
    class_margin: float = Field(0.1, ge=0, le=1, description="IU that a single class may lose to the champion")

    @property
    def floor(self) -> float:
        """The minimum mean IU."""
        return self.mean_iu_floor
