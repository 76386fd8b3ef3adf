"""Parameters of watching: the drift limits of section `validate`, and what a false report may cost."""

from pydantic import ConfigDict, Field, PositiveInt

from pixelwise.validation.limits import DriftLimits


class WatchParams(DriftLimits):
    """Section `validate` of params.yaml, of which only the drift limits are read."""

    model_config = ConfigDict(extra="ignore")

    requests: PositiveInt = Field(200, description="newest requests that are judged")
    scene: PositiveInt | None = Field(
        None,
        description="successive requests that show one scene; 1: independent pictures; null: as the accepted clips",
    )
    false_alarms: float = Field(
        0.01, gt=0, lt=1, description="probability of any report in 5,000 requests like the accepted pictures"
    )
