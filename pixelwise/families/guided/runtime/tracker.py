"""Track objects through the frames of a clip, guided by its first frame or a few frames (thesis §4.4.1)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.working_size import SIDE, label, label_full

# Cells of the support that a frame is matched with: fewer than for a picture, for speed; masks are as good.
FRAME_CELLS = 400
# Added to the logits of objects: the net learnt from crops around objects and segments too little of a whole frame.
MARGIN = 0.75
# The previous frame's mask is scaled by this before it is fed to the net. At full weight, the net repeats its errors.
TOLD = 0.3
# Pixels far from an object's previous mask seldom belong to it. Its logits lose PENALTY beyond NEAR + FADE cells and
# nothing within NEAR - FADE.
NEAR, FADE, PENALTY = 8, 4, 3.0
# A cell belongs to the previous mask above LEAST_SHARE. A previous mask of fewer than LEAST_CELLS cells does not locate
# the object, which may have been hidden.
LEAST_SHARE, LEAST_CELLS = 0.3, 3


class Tracker:
    """Label the frames of a clip one after the other, by the guidance and the previous frame's mask."""

    def __init__(self, model: GuidedModel, guidance: Guidance) -> None:
        self.model, self.guidance = model, guidance.thinned(FRAME_CELLS)
        # Each class's share of each cell in the previous frame, (K, h, w).
        self.before: np.ndarray | None = None

    def step(self, image: np.ndarray) -> np.ndarray:
        """Return the label (H, W) uint8 of the next frame (H, W, 3). All frames have one size."""
        features = self.model.encode(fit(image))
        hint = None if self.before is None else np.stack([TOLD * self.before, np.zeros_like(self.before)], axis=1)
        logits = self.model.segment(features, self.guidance, hint)
        logits[1:] += MARGIN
        if self.before is not None:
            logits[1:] -= PENALTY * np.stack([compute_remoteness(shares, features.size) for shares in self.before[1:]])
        found = label(logits)
        self.before = np.stack(
            [compute_shares(found == way, features.embedding.shape[1:3]) for way in range(len(logits))]
        )
        size = image.shape[:2]
        return label_full(logits, size) if max(size) > SIDE else fit(found, size)


def compute_shares(mask: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Return the share of each cell that a mask (H, W) bool covers, float32; `cells` is the grid's size (h, w)."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.resize(cells[::-1], Image.Resampling.BOX), np.float32) / 255


def compute_remoteness(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the remoteness (H, W) of each pixel from the cells (h, w) that an object covered: 0 near them, 1 far away.

    The result is 0 everywhere if the object covered fewer than LEAST_CELLS cells.
    """
    if shares.sum() < LEAST_CELLS:
        return np.zeros(size, np.float32)
    near = Image.fromarray(dilate_mask(shares > LEAST_SHARE, NEAR).astype(np.uint8) * 255).filter(
        ImageFilter.BoxBlur(FADE)
    )
    return 1 - np.asarray(near.resize(size[::-1], Image.Resampling.BILINEAR), np.float32) / 255


def dilate_mask(mask: np.ndarray, reach: int) -> np.ndarray:
    """Dilate `mask` (h, w) bool by `reach` rows and columns."""
    for axis in (0, 1):
        mask = sliding_window_view(
            np.pad(mask, [(reach, reach) if axis == side else (0, 0) for side in (0, 1)]), 2 * reach + 1, axis
        ).max(axis=2)
    return mask


def fit(values: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """Resize a picture or label to `size` (H, W), or until its longer side has SIDE pixels.

    A smaller frame is enlarged, so that thin parts survive the strides of the net.
    """
    height, width = values.shape[:2]
    scale = SIDE / max(height, width)
    rows, columns = size or (max(round(height * scale), 1), max(round(width * scale), 1))
    resampling = Image.Resampling.BILINEAR if values.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((columns, rows), resampling))
