"""The kinds of studies. A family adds its own in `KINDS` of its package `studies`."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pixelwise import families

if TYPE_CHECKING:
    from pixelwise.studies.bench import Bench
    from pixelwise.studies.measurements import Measurements
    from pixelwise.studies.outcome import Outcome
    from pixelwise.studies.study import Study


class Measurement(Protocol):
    """The module that measures a kind of study."""

    def require(self, study: "Study", bench: "Bench") -> None:
        """Raise ParamsError at the first variant with bad parameters, DataError if the data lacks what it needs."""

    def measure(self, study: "Study", seeds: Sequence[int], bench: "Bench") -> "Measurements":
        """Measure every variant. A kind that trains no variant gets a single seed."""


class Charts(Protocol):
    """The module that draws the studies of a kind that set `along` or `over_time`."""

    def draw_chart(self, outcome: "Outcome") -> bytes:
        """Draw a PNG."""


@dataclass(frozen=True)
class Kind:
    """A kind of study. It names its modules, so that listing the studies and drawing their pages needs no torch.

    measurement: the module with the functions of `Measurement`. trains: a net for each variant, one net for all
    variants, or none. draws_tasks: whether the seed draws what is scored. explanation: on the page, how the figures
    were measured where no seed varies them. charts: the module with the function of `Charts`, if there is one.
    """

    name: str
    measurement: str
    trains: Literal["variants", "net", "nothing"]
    draws_tasks: bool = False
    explanation: str = ""
    charts: str = ""

    def load_measurement(self) -> Measurement:
        """Import the module that measures."""
        module: Any = importlib.import_module(self.measurement)
        return module

    def load_charts(self) -> Charts:
        """Import the module that draws."""
        module: Any = importlib.import_module(self.charts)
        return module


SHARED = (
    Kind("train", "pixelwise.studies.train", trains="variants"),
    Kind(
        "oracle",
        "pixelwise.studies.oracle",
        trains="nothing",
        explanation="Computed from the labels alone, without randomness.",
    ),
)


@cache
def find_kinds() -> dict[str, Kind]:
    """Find all kinds by name: the shared ones and those of every family."""
    modules = [f"pixelwise.families.{name}.studies" for name in families.names()]
    own = [importlib.import_module(name).KINDS for name in modules if families.has_module(name)]
    return {kind.name: kind for kinds in (SHARED, *own) for kind in kinds}


def find_kind(name: str) -> Kind:
    """Find the kind called `name`. Raises KeyError if there is none."""
    return find_kinds()[name]
