"""Change from one frame to the next, in labels, scores and pixels (thesis §3.2, table 3.1)."""

import numpy as np


def measure_label_change(now: np.ndarray, then: np.ndarray) -> float:
    """The share of pixels whose label differs. now, then: (H, W) classes.

    The thesis uses the Hamming distance of one-hot encodings, which counts each differing pixel twice.
    """
    return float(np.mean(now != then))


def score_change(now: np.ndarray, then: np.ndarray) -> float:
    """The share of cells whose most probable class differs. now, then: (K, h, w) scores."""
    return measure_label_change(now.argmax(axis=0), then.argmax(axis=0))


def measure_pixel_change(now: np.ndarray, then: np.ndarray) -> float:
    """The mean difference of pixel values relative to their mean: |a − b| / mean(a, b), over (H, W, 3) uint8."""
    difference = np.abs(now.astype(np.int16) - then).sum(dtype=np.int64)
    return float(2 * difference / max(now.sum(dtype=np.int64) + then.sum(dtype=np.int64), 1))
