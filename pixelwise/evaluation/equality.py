"""The share of pixels that two engines label alike, on a few pictures of a split."""

from collections.abc import Sequence

import numpy as np

PICTURES = 8


def spread_evenly(length: int) -> list[int]:
    """The places of PICTURES items spread evenly over `length` of them; of all if there are fewer."""
    return sorted({int(place) for place in np.linspace(0, length - 1, PICTURES).round()})


def measure_equality(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The share of equal pixels over label maps of the same pictures, each of any size."""
    equal = sum(int(np.sum(ours == theirs)) for ours, theirs in zip(found, expected, strict=True))
    return equal / sum(theirs.size for theirs in expected)
