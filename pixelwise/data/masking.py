"""Mask the foreground or the background of an image, or all but the shape (thesis §2.5.1, table 2.8)."""

from typing import Literal

import numpy as np

from pixelwise.data.items import VOID

Masking = Literal["none", "foreground", "background", "shape"]
# ImageNet's mean, which the nets subtract: a hidden pixel is near zero to their first layer.
MEAN_COLOUR = (124, 116, 104)
# Of the picture that shows the shape: background, foreground.
SHAPE = (0, 255)


def mask_image(
    image: np.ndarray,
    label: np.ndarray,
    what: Masking,
    foreground: np.ndarray,
    fill: tuple[int, int, int] = MEAN_COLOUR,
) -> np.ndarray:
    """`image` (H, W, 3) uint8 with `what` of it hidden: `fill` in its place; `image` itself is never written to.

    foreground: (K,) bool, the classes of `label` that are foreground; all others are background. shape hides both and
    shows which is which, foreground white on black. A void pixel may be either, so it is hidden with both, lest the
    ring around an object shows what is hidden inside; in a shape it is black.
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
