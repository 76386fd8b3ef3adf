"""Positive IU, the score of every guided task (thesis §4.4). For one object it equals DAVIS's J."""

import numpy as np

from pixelwise.data.items import VOID


def compute_positive_iu(prediction: np.ndarray, truth: np.ndarray, way: int = 1) -> float:
    """Intersection over union of class `way` without void pixels; 1 if neither map has such a pixel, as in DAVIS's J.

    prediction, truth: (H, W) of ways; 255 in `truth` is void.
    """
    labelled = truth != VOID
    predicted, actual = (prediction == way) & labelled, truth == way
    either = (predicted | actual).sum()
    return float((predicted & actual).sum() / either) if either else 1.0
