"""Retries, back-off and time limits of a deployment, defined in this one place."""

from typing import Any

from pydantic import Field, NonNegativeInt, PositiveFloat

from pixelwise.params import Params


class Tries(Params):
    """Limits of each stage, action or command in a deployment. Default: one try, no time limit, as at a terminal."""

    retries: NonNegativeInt = Field(0, le=10, description="number of retries after a failure")
    wait_seconds: PositiveFloat = Field(60.0, description="wait before the first retry; doubled for each further retry")
    limit_seconds: PositiveFloat | None = Field(None, description="maximum duration of one try; null: no limit")

    def as_task_options(self) -> dict[str, Any]:
        """Return these limits as options of a Prefect task."""
        return {
            "retries": self.retries,
            "retry_delay_seconds": [self.wait_seconds * 2**number for number in range(self.retries)],
            "timeout_seconds": self.limit_seconds,
        }


ONCE = Tries()
