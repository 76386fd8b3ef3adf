"""The training history: one row of metrics an epoch (history.json), and the row of the weights that were saved."""

import math
from collections.abc import Mapping, Sequence


def find_best_row(history: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The validated row with the highest mean IU, whose weights training saved.

    history: a row an epoch, at least one of them validated. Rows of a staged training hold `stage`; only the last stage
    counts, since training saves its weights even if an earlier stage scored higher.
    """
    stage = history[-1].get("stage")
    validated = [row for row in history if "val/mean_iu" in row and row.get("stage") == stage]
    return max(validated, key=lambda row: -math.inf if math.isnan(row["val/mean_iu"]) else row["val/mean_iu"])
