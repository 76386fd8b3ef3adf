"""Map a model's classes to those of data with fewer classes; the remaining ones become background (thesis §3.4)."""

from collections.abc import Sequence

import numpy as np


def make_class_table(model: Sequence[str], data: Sequence[str]) -> np.ndarray | None:
    """The data's class for each class of the model, (K,) uint8, for example of a PASCAL net on YouTube-Objects.

    None if class 0 of the data is not background, or the data's classes are not a proper subset of the model's.
    """
    if not data or data[0] != "background" or not set(data) < set(model):
        return None
    return np.array([data.index(name) if name in data else 0 for name in model], np.uint8)


def map_classes(prediction: np.ndarray, table: np.ndarray | None) -> np.ndarray:
    """`prediction` (H, W) with the model's classes replaced by the data's, using `table` of `make_class_table`."""
    return prediction if table is None else table[prediction]
