"""A sample of places that are spread evenly, such as a few pictures of a split."""

import numpy as np


def sample_evenly(total: int, most: int) -> list[int]:
    """Choose at most `most` of `total` places, evenly spread."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int)).tolist() if total else []
