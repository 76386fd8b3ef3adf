"""How often and how long a deployment tries: the one place where retries, back-off and time limits are typed."""

from typing import Any

from pydantic import Field, NonNegativeInt, PositiveFloat

from pixelwise.params import Params


class Tries(Params):
    """What a deployment allows each stage, action or step. By default one try and no limit, as at a terminal."""

    retries: NonNegativeInt = Field(0, le=10, description="further tries after a failure")
    wait_seconds: PositiveFloat = Field(60.0, description="wait before the first retry; doubled each time")
    limit_seconds: PositiveFloat | None = Field(None, description="longest that one try may take; none: no limit")

    def options(self) -> dict[str, Any]:
        """The same as options of a Prefect task."""
        return {
            "retries": self.retries,
            "retry_delay_seconds": [self.wait_seconds * 2**number for number in range(self.retries)],
            "timeout_seconds": self.limit_seconds,
        }


ONCE = Tries()
