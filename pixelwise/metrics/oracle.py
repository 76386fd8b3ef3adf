"""Upper bound for a coarse prediction: the score of a label that is downsampled and upsampled (thesis §2.5.3)."""

import numpy as np

from pixelwise.data.items import VOID
from pixelwise.metrics.confusion import Counts, count_pixels


def downsample_label(label: np.ndarray, factor: int) -> np.ndarray:
    """`label` (H, W) uint8 on a `factor` times coarser grid: (⌈H/factor⌉, ⌈W/factor⌉), each cell its centre's class.

    The last cells may reach beyond the picture; their centre is that of the part within. A centre on void takes the
    class of the labelled pixel nearest to it, since a net has no void to predict; only a picture of nothing but void
    has void cells.
    """
    rows, columns = (find_cell_centres(size, factor) for size in label.shape)
    coarse = label[np.ix_(rows, columns)]
    if (coarse == VOID).any() and (label != VOID).any():
        from scipy.ndimage import distance_transform_edt

        nearest = distance_transform_edt(label == VOID, return_distances=False, return_indices=True)
        coarse = label[tuple(nearest)][np.ix_(rows, columns)]
    return coarse


def find_cell_centres(size: int, factor: int) -> np.ndarray:
    """The middle pixel of each cell of `factor` pixels along a side of `size`; of two middle ones, the second."""
    starts = np.arange(0, size, factor)
    return starts + np.minimum(factor, size - starts) // 2


def make_oracle_prediction(label: np.ndarray, factor: int) -> np.ndarray:
    """(H, W) uint8: `label` downsampled and repeated back to its own size, `factor` pixels a cell."""
    height, width = label.shape
    return downsample_label(label, factor).repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]


def count_oracle_pixels(label: np.ndarray, factor: int, classes: int) -> Counts:
    """The (K, K) counts of the `factor` times coarser label as a prediction of itself; void pixels do not count.

    The bound is approximate (as in the thesis): predicting the most frequent class of each cell can score higher.
    Raises DataError as `count_pixels` does.
    """
    return count_pixels(label, make_oracle_prediction(label, factor), classes)
