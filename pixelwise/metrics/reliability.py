"""Whether confidence is what it says: of the pixels that are sure by 0.9, nine in ten should be right.

Guo et al. 2017, On Calibration of Modern Neural Networks.
"""

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.items import VOID

# Bins of equal width, as is usual in the field.
BINS = 15
# (BINS, 3): the pixels in each bin of confidence, the sum of their confidence, and how many are right.
Reliability = NDArray[np.float64]


def count_reliability(label: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> Reliability:
    """Count the labelled pixels of one image or batch by their confidence; all arrays have the same shape.

    label, prediction: uint8 classes, void labels are left out. confidence: probability of the prediction, 0 to 1.
    """
    labelled = label != VOID
    sure = confidence[labelled]
    bins = np.minimum((sure * BINS).astype(np.uint8), BINS - 1)
    right = bins[(label == prediction)[labelled]]
    counts = [np.bincount(bins, minlength=BINS), np.bincount(bins, sure, BINS), np.bincount(right, minlength=BINS)]
    return np.stack(counts, axis=1).astype(np.float64)


def compute_calibration_error(reliability: Reliability) -> float:
    """The expected calibration error (ECE): the mean over pixels of |share right - mean confidence| of their bin.

    0 without a pixel.
    """
    pixels, confidence, right = reliability.T
    return float(np.abs(right - confidence).sum() / max(pixels.sum(), 1))
