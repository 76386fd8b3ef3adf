"""Mask the foreground or the background of an image, or all but the shape (thesis §2.5.1, table 2.8)."""

from typing import Literal

import numpy as np

from pixelwise.data.items import VOID

Masking = Literal["none", "foreground", "background", "shape"]
# ImageNet's mean colour, which the nets subtract: a hidden pixel is near zero at the first layer.
MEAN_COLOUR = (124, 116, 104)
# Grey values of the shape picture: background, foreground.
SHAPE = (0, 255)


def mask_image(
    image: np.ndarray,
    label: np.ndarray,
    what: Masking,
    foreground: np.ndarray,
    fill: tuple[int, int, int] = MEAN_COLOUR,
) -> np.ndarray:
    """Return `image` (H, W, 3) uint8 with the pixels of `what` replaced by `fill`; `image` itself is unchanged.

    foreground: (K,) bool, the classes of `label` that are foreground; all others are background. "shape" hides both and
    draws the foreground white on black. Void pixels are always hidden, so that the void ring around an object does not
    show a hidden object's outline; in a shape they are black.
    """
    if what == "none":
        return image
    is_foreground = np.zeros(256, bool)
    is_foreground[: len(foreground)] = foreground
    if what == "shape":
        return np.where(is_foreground, SHAPE[1], SHAPE[0]).astype(np.uint8)[label][..., np.newaxis].repeat(3, axis=-1)
    is_hidden = is_foreground if what == "foreground" else ~is_foreground
    is_hidden[VOID] = True
    masked = image.copy()
    masked[is_hidden[label]] = fill
    return masked
