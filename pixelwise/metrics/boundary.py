"""Scores of the pixels near a boundary, which a mean IU over the whole image hardly reflects (thesis chapter 3)."""

from collections.abc import Callable

import numpy as np

from pixelwise.data.items import VOID

# The radius that the thesis uses: the band is about ten pixels wide.
RADIUS = 5
Band = Callable[[np.ndarray, int], np.ndarray]


def make_disk(radius: int) -> np.ndarray:
    """(2·radius + 1,) * 2 bool: true within `radius` of the centre."""
    reach = np.arange(-radius, radius + 1)
    return reach[:, np.newaxis] ** 2 + reach**2 <= radius**2


def find_boundary_band(label: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """(H, W) bool: the pixels within `radius` of the outline of the foreground, all objects together (as the thesis).

    label: (H, W) uint8, class 0 is the background. A pixel is in the band if the disk around it covers both foreground
    and other pixels. Void counts as other. Edges between two objects and the edge of the image are no outline.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    foreground = (label > 0) & (label != VOID)
    dilated = binary_dilation(foreground, make_disk(radius))
    eroded = binary_erosion(foreground, make_disk(radius), border_value=1)
    return dilated ^ eroded


def find_class_boundary_band(label: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """(H, W) bool: the pixels within `radius` of two classes, for data sets without a background class.

    Not in the thesis. Void is no class: an edge between a class and void is no boundary, unless another class is within
    `radius`.
    """
    import cv2

    disk = make_disk(radius).astype(np.uint8)
    # Void as the lowest value never wins a maximum, and is the highest already.
    highest = cv2.dilate(np.where(label == VOID, np.uint8(0), label), disk)
    lowest = cv2.erode(label, disk)
    band: np.ndarray = (highest != lowest) & (lowest != VOID)
    return band


def fill_void_outside(label: np.ndarray, band: Band, radius: int = RADIUS) -> np.ndarray:
    """(H, W) uint8: `label` within its `band`, void elsewhere, so that only pixels near a boundary are counted."""
    return np.where(band(label, radius), label, np.uint8(VOID))
