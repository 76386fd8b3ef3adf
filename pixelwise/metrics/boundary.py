"""Score only the pixels near a boundary, where a mean IU over whole pictures says little (thesis chapter 3)."""

from collections.abc import Callable

import numpy as np

from pixelwise.data.items import VOID

# The thesis's disk: a band some ten pixels wide.
RADIUS = 5
Band = Callable[[np.ndarray, int], np.ndarray]


def make_disk(radius: int) -> np.ndarray:
    """(2·radius + 1,) * 2 bool: the cells no farther than `radius` from the middle one."""
    reach = np.arange(-radius, radius + 1)
    return reach[:, np.newaxis] ** 2 + reach**2 <= radius**2


def boundary_band(label: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """(H, W) bool: the pixels within `radius` of the outline of all foreground taken together, as in the thesis.

    label: (H, W) uint8 with the background as class 0. A pixel is in the band where the disk around it meets both
    foreground and the rest; void is part of the rest, an edge between two objects is no outline, and neither is the
    picture's own edge.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    foreground = (label > 0) & (label != VOID)
    dilated = binary_dilation(foreground, make_disk(radius))
    eroded = binary_erosion(foreground, make_disk(radius), border_value=1)
    return dilated ^ eroded


def class_boundary_band(label: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """(H, W) bool: the pixels within `radius` of two classes, for data sets that have no background.

    Beyond the thesis. Void is no class: a class that ends at void has no boundary there, unless the next class is in
    reach.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    # Void as the lowest value never wins a maximum, and is the highest already.
    highest = maximum_filter(np.where(label == VOID, 0, label), footprint=make_disk(radius))
    lowest = minimum_filter(label, footprint=make_disk(radius))
    return (highest != lowest) & (lowest != VOID)


def void_outside(label: np.ndarray, band: Band, radius: int = RADIUS) -> np.ndarray:
    """(H, W) uint8: `label` within its `band`, void elsewhere, so that only pixels near a boundary are counted."""
    return np.where(band(label, radius), label, np.uint8(VOID))
