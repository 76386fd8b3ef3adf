"""Positive IU, the one measure of every guided task (thesis §4.4), and J, which is the same of one object."""

import numpy as np

from pixelwise.data.items import VOID


def positive_iu(prediction: np.ndarray, truth: np.ndarray, way: int = 1) -> float:
    """Intersection over union of the pixels of `way`, void left out; 1 where neither map has any (as DAVIS counts J).

    prediction, truth: (H, W) of ways, truth with 255 = void.
    """
    known = truth != VOID
    ours, theirs = (prediction == way) & known, truth == way
    either = (ours | theirs).sum()
    return float((ours & theirs).sum() / either) if either else 1.0
