"""What a training remembers of its epochs: the rows of history.json, and which of them tells of the kept weights."""

import math
from collections.abc import Mapping, Sequence


def find_best_row(history: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The validated row with the highest mean IU, whose weights were kept.

    history: a row an epoch, one of them validated; the rows of a staged training hold `stage`, and the last stage's
    weights are kept whatever an earlier one scored.
    """
    stage = history[-1].get("stage")
    validated = [row for row in history if "val/mean_iu" in row and row.get("stage") == stage]
    return max(validated, key=lambda row: -math.inf if math.isnan(row["val/mean_iu"]) else row["val/mean_iu"])
