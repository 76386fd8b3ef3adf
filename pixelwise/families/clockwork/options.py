"""What a user sets of an exported clockwork: its schedule."""

from pydantic import Field

from pixelwise.families import options


class EvaluateParams(options.EvaluateParams):
    """Section `clockwork.evaluate`."""

    schedule: str | None = Field(
        None, description="over the clips: NAME[:VALUE], or frontier: all, paired; none: every frame as a picture"
    )


class PredictParams(options.PredictParams):
    """No section; options of a clockwork."""

    schedule: str | None = Field(None, description="of videos, NAME[:VALUE]: carry:4, motion, adaptive, …; none: none")
