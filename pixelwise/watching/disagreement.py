"""How far a challenger's labels differ from the champion's on live requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.watching.rows import Compared


@dataclass(frozen=True)
class Disagreement:
    """Shares of the pixels that the two label differently: of all pixels, and by class of those that either labels so.

    model, rival: SHA-256 of champion and challenger. A class that neither labels is left out.
    """

    model: str
    rival: str
    pictures: int
    share: float
    by_class: Mapping[str, float]


def sum_disagreement(rows: Sequence[Compared], names: Sequence[str]) -> Disagreement | None:
    """Sum up the comparisons with the newest challenger; None where there are none. names: of the classes."""
    if not rows:
        return None
    newest = rows[-1]
    chosen = [row for row in rows if (row.model, row.rival) == (newest.model, newest.rival)]
    champion, challenger, both = (
        np.sum([getattr(row, side) for row in chosen], axis=0) for side in ("champion", "challenger", "both")
    )
    either = champion + challenger - both
    return Disagreement(
        model=newest.model,
        rival=newest.rival,
        pictures=len(chosen),
        share=float(1 - both.sum() / champion.sum()),
        by_class={name: float(1 - both[k] / either[k]) for k, name in enumerate(names) if either[k]},
    )
