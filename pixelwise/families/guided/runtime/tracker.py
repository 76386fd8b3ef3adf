"""Follow objects through the frames of a clip, guided by its first frame or a few (thesis §4.4.1)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.session import GuidedModel, label

# Pixels of the longer side of a frame below which it is enlarged: thin parts then outlive the strides of the net.
LEAST_SIDE = 900
# Cells of the support that a frame is matched with: fewer than a picture has, for speed, and as good.
FRAME_CELLS = 400
# By how much less than the background an object may score in a frame: a net that learnt from crops around objects takes
# too little of what it sees whole.
MARGIN = 0.75
# How much of the mask before is told to the net. Told all of it, the net carries its errors on.
TOLD = 0.3
# What lies NEAR cells and FADE more from an object's mask before scores so much less: it seldom is the same object.
NEAR, FADE, PENALTY = 8, 4, 3.0
# Share of a cell from which on it belongs to the mask before. Below so many cells that says nothing of where the object
# is: it may have been hidden.
LEAST_SHARE, LEAST_CELLS = 0.3, 3


class Tracker:
    """Label the frames of a clip one after the other, by what the support says and by the mask of the frame before."""

    def __init__(self, model: GuidedModel, guidance: Guidance) -> None:
        self.model, self.guidance = model, guidance.thinned(FRAME_CELLS)
        # Of every class, which share of each cell it had in the frame before, (K, h, w).
        self.before: np.ndarray | None = None

    def step(self, image: np.ndarray) -> np.ndarray:
        """The label (H, W) uint8 of the next frame (H, W, 3), of the same size as those before."""
        features = self.model.encode(enlarge(image))
        hint = None if self.before is None else np.stack([TOLD * self.before, np.zeros_like(self.before)], axis=1)
        logits = self.model.segment(features, self.guidance, hint)
        logits[1:] += MARGIN
        if self.before is not None:
            logits[1:] -= PENALTY * np.stack([remoteness(shares, features.size) for shares in self.before[1:]])
        found = label(logits)
        self.before = np.stack([shares_of(found == way, features.embedding.shape[1:3]) for way in range(len(logits))])
        return enlarge(found, image.shape[:2]) if found.shape != image.shape[:2] else found


def shares_of(mask: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """The share of each of `cells` (h, w) that a mask (H, W) bool covers, float32."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.resize(cells[::-1], Image.Resampling.BOX), np.float32) / 255


def remoteness(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How far each pixel of `size` (H, W) lies from the cells (h, w) that an object had: 0 near them, 1 remote.

    0 everywhere where it had too few.
    """
    if shares.sum() < LEAST_CELLS:
        return np.zeros(size, np.float32)
    near = Image.fromarray(widened(shares > LEAST_SHARE, NEAR).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(FADE))
    return 1 - np.asarray(near.resize(size[::-1], Image.Resampling.BILINEAR), np.float32) / 255


def widened(mask: np.ndarray, reach: int) -> np.ndarray:
    """`mask` (h, w) bool and all cells up to `reach` rows and columns from it."""
    for axis in (0, 1):
        mask = sliding_window_view(
            np.pad(mask, [(reach, reach) if axis == side else (0, 0) for side in (0, 1)]), 2 * reach + 1, axis
        ).max(axis=2)
    return mask


def enlarge(values: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture or label whose longer side is at least LEAST_SIDE, or of `size` (H, W)."""
    height, width = values.shape[:2]
    scale = max(1.0, LEAST_SIDE / max(height, width))
    rows, columns = size or (round(height * scale), round(width * scale))
    resampling = Image.Resampling.BILINEAR if values.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((columns, rows), resampling))
