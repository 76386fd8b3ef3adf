"""The result of watching: what drifted, and how far a challenger disagrees."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.watching.disagreement import Disagreement
from pixelwise.watching.drift import SHARES, Judged


@dataclass(frozen=True)
class Watched:
    """The judged statistics of the newest requests to one model. page: the HTML page that shows them.

    model: its reference or folder; sha256: of the model. first, last: times of the oldest and the newest of the
    requests. accepted, scenes: accepted pictures and the scenes in them.
    """

    model: str
    sha256: str
    requests: int
    first: str
    last: str
    accepted: int
    scenes: int
    judged: Sequence[Judged]
    disagreement: Disagreement | None
    page: Path

    @property
    def drifted(self) -> list[Judged]:
        """The statistics that drifted, those that moved furthest beyond their limit first."""
        return sorted((one for one in self.judged if one.has_drifted), key=lambda one: one.limit - one.moved)

    @property
    def failure(self) -> str | None:
        """Why the command ends with status 1; None where nothing drifted."""
        if not self.drifted:
            return None
        first, *others = self.drifted
        more = f"; {len(others)} more drifted" if others else ""
        return f"{self.model}: {describe(first)}{more}; see {self.page}"

    def as_json(self) -> dict[str, Any]:
        """The content of watch.json. A limit is null where the scenes are too few to exclude chance."""
        judged = [
            {**asdict(one), "limit": one.limit if np.isfinite(one.limit) else None, "has_drifted": one.has_drifted}
            for one in self.judged
        ]
        fields = ("model", "sha256", "requests", "first", "last", "accepted", "scenes")
        return {
            "has_drifted": bool(self.drifted),
            **{name: getattr(self, name) for name in fields},
            "judged": judged,
            "disagreement": asdict(self.disagreement) if self.disagreement else None,
        }

    def __str__(self) -> str:
        lines = [f"watched: {self.requests} requests to {self.model}, {self.first} to {self.last}"]
        lines += [f"drift: {describe(one)}" for one in self.drifted] or [f"no drift in {len(self.judged)} statistics"]
        if self.disagreement:
            pictures, share = self.disagreement.pictures, self.disagreement.share
            lines.append(f"challenger: labels {share:.2%} of the pixels of {pictures} pictures differently")
        next_step = "label pictures of the new kind and ingest them" if self.drifted else "pixelwise watch, later"
        return "\n".join([*lines, f"page: {self.page}", f"next: {next_step}"])


def describe(one: Judged) -> str:
    """Describe a statistic that moved: `mean of red: 48.1, accepted 96.5 (shift 4.70, limit 2.41)`."""
    if one.name == SHARES:
        return f"{one.name}: PSI {one.moved:.2f}, limit {one.limit:.2f}"
    if one.name.startswith("share of "):
        return f"{one.name}: {one.live:.2%}, accepted {one.accepted:.2%}"
    return f"{one.name}: {one.live:.4g}, accepted {one.accepted:.4g} (shift {one.moved:.2f}, limit {one.limit:.2f})"
