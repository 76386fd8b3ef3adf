"""Options of an exported clockwork: its schedule, and what it must show for a release."""

from collections.abc import Sequence

from pydantic import Field

from pixelwise.families import options
from pixelwise.families.clockwork.runtime.schedules import DEFAULT
from pixelwise.registry.limits import Limit


class EvaluateParams(options.EvaluateParams):
    """Section `clockwork.evaluate`."""

    schedule: str | None = Field(
        None, description="schedule over clips, NAME[:VALUE]; frontier: compare all schedules; null: single frames"
    )
    judged_schedule: str = Field(
        DEFAULT, description="schedule that the release gate judges, NAME[:VALUE], with `schedule` frontier"
    )


class PredictParams(options.PredictParams):
    """No section; options of a clockwork."""

    schedule: str | None = Field(
        None, description="schedule for videos, NAME[:VALUE]: carry:4, motion, …; null: whole net on every frame"
    )


class ReleaseParams(options.ReleaseParams):
    """Section `clockwork.release`: what a challenger must show on the judged schedule to become champion."""

    loss_limit: float = Field(0.05, ge=0, le=1, description="mean IU that the schedule may lose to the plain net")
    speed_up_floor: float = Field(1.2, ge=0, description="minimum speed as a multiple of the plain net's")

    @property
    def limits(self) -> Sequence[Limit]:
        """The bounds on loss and speed-up."""
        return Limit("mean IU lost", most=self.loss_limit), Limit("speed-up", least=self.speed_up_floor)
