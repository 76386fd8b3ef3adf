"""The share of pixels that two engines label alike, on a few pictures of a split."""

from collections.abc import Sequence

import numpy as np

# Pictures of a split on which engines are compared.
PICTURES = 8


def measure_equality(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The share of equal pixels over label maps of the same pictures, each of any size."""
    equal = sum(int(np.sum(ours == theirs)) for ours, theirs in zip(found, expected, strict=True))
    return equal / sum(theirs.size for theirs in expected)
