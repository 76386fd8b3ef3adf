"""Options of an exported clockwork: its schedule."""

from pydantic import Field

from pixelwise.families import options


class EvaluateParams(options.EvaluateParams):
    """Section `clockwork.evaluate`."""

    schedule: str | None = Field(
        None, description="schedule over clips, NAME[:VALUE]; frontier: compare all schedules; null: single frames"
    )


class PredictParams(options.PredictParams):
    """No section; options of a clockwork."""

    schedule: str | None = Field(
        None, description="schedule for videos, NAME[:VALUE]: carry:4, motion, …; null: whole net on every frame"
    )
