"""Corrective clicks: where a person who sees a wrong mask clicks next, by the field's protocol.

The first click is at the centre of the object, the pixel farthest from its edge; each next one is at the centre of the
largest error, with the sign of what is there (Xu et al., 2016; Sofiiuk et al., RITM, 2021).
"""

from collections.abc import Sequence

import numpy as np

from pixelwise.families.guided.runtime.click_disks import ObjectClick


def find_next_click(mask: np.ndarray, truth: np.ndarray, clicks: Sequence[ObjectClick] = ()) -> ObjectClick | None:
    """Return the click that corrects the largest error of `mask`, farthest from its edge; None if there is no error.

    mask: (H, W) bool. truth: (H, W) uint8, 1 on the object, 0 elsewhere, 255 void. Pixels clicked before are left out.
    """
    missed, added = (truth == 1) & ~mask, (truth == 0) & mask
    depths = [measure_depth(error) for error in (missed, added)]
    for click in clicks:
        for depth in depths:
            depth[click.y, click.x] = 0
    deepest = [float(depth.max()) for depth in depths]
    if not any(deepest):
        return None
    is_object = deepest[0] >= deepest[1]
    depth = depths[0 if is_object else 1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return ObjectClick(int(x), int(y), is_object)


def measure_depth(region: np.ndarray) -> np.ndarray:
    """Return the distance (H, W) float32 of each pixel of `region`, (H, W) bool, to its edge; the border is an edge."""
    import cv2

    padded = np.pad(region.astype(np.uint8), 1)
    depth: np.ndarray = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return depth.copy()
