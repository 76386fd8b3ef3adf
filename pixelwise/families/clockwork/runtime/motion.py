"""Move maps and labels of the key frame to the current frame along the optical flow.

OpenCV's DIS flow between neighbouring frames costs a millisecond or two. Composed over frames, it stays accurate longer
than flow from the key frame, whose displacements are larger. Import this module only on use: it alone needs OpenCV.
"""

import math

import cv2
import numpy as np

from pixelwise.families.clockwork.runtime.stream_grids import Grid

# Longer side, at most, of the picture on which the flow is estimated: larger pictures cost more than they gain, most of
# all beside a net that labels a small frame in 5 ms.
SIDE = 240
# A pixel that differs by more grey levels from its source is not explained by motion. Camera noise is lower.
NOISE = 10
EDGE = cv2.BORDER_REPLICATE


class Motion:
    """The optical flow from the current frame back to the key frame.

    unexplained: the share of pixels whose change motion does not explain, summed over the frames since the key frame.
    """

    def __init__(self, image: np.ndarray) -> None:
        """Start at the key frame `image`, (H, W, 3) uint8 RGB."""
        # Measured on CamVid and DAVIS: a coarser finest scale loses small objects, and normalised patches take longer
        # and move labels less exactly. Slower presets take longer than they save.
        self.estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.estimator.setFinestScale(0)
        # In pixels; patches are 8 wide. 4 takes a third longer and gains nothing on CamVid, 6 loses on both.
        self.estimator.setPatchStride(5)
        self.estimator.setUseMeanNormalization(False)
        self.estimator.setGradientDescentIterations(16)
        self.factor = max(1, math.ceil(max(image.shape[:2]) / SIDE))
        self.grey = self.small(image)
        self.places = make_grid(*self.grey.shape)
        self.pixels = make_grid(*image.shape[:2])
        # Pixels of the picture per pixel of the flow, (x, y).
        self.ratio = np.float32(np.divide(self.pixels.shape[1::-1], self.places.shape[1::-1]))
        # The flow between the last two frames. Motion is steady, so the next estimate starts from it and errs less.
        self.step: np.ndarray | None = None
        self.start()

    def small(self, image: np.ndarray) -> np.ndarray:
        """Return the picture in grey at the size at which the flow is estimated."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = (max(math.ceil(side / self.factor), 16) for side in image.shape[:2])
        return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)

    def start(self) -> None:
        """Make the last frame the key frame."""
        self.flow: np.ndarray | None = None
        self.unexplained = 0.0

    def follow(self, image: np.ndarray) -> None:
        """Extend the flow to the next frame, (H, W, 3) uint8 of the key frame's size."""
        grey = self.small(image)
        # The estimator writes into the array that it starts from.
        step = self.estimator.calc(grey, self.grey, None if self.step is None else self.step.copy())
        came_from = self.places + step
        self.unexplained += float(np.mean(cv2.absdiff(look(self.grey, came_from), grey) > NOISE))
        self.flow = step if self.flow is None else step + look(self.flow, came_from)
        self.grey, self.step = grey, step

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Move labels (H, W) of the key frame to the current frame; pixels that come into view repeat the border."""
        if self.flow is None:
            return labels
        came_from = cv2.resize(self.flow * self.ratio, self.pixels.shape[1::-1])
        cv2.add(came_from, self.pixels, dst=came_from)
        return cv2.remap(labels, came_from, None, cv2.INTER_NEAREST, borderMode=EDGE)

    def maps(self, maps: np.ndarray, where: Grid) -> np.ndarray:
        """Move maps (1, C, h, w) of the key frame, with cells on the grid `where`, to the current frame."""
        if self.flow is None:
            return maps
        cells = make_grid(*maps.shape[2:])
        moved = look(self.flow, (where.pixels(cells) + 0.5) / self.ratio - 0.5)
        came_from = cells + moved * self.ratio / np.float32(where.step)
        # One plane at a time: several at once would have to be transposed to channels last, and back.
        return np.stack([look(plane, came_from) for plane in maps[0]])[None]


def make_grid(height: int, width: int) -> np.ndarray:
    """Return the position (x, y) of every cell, (H, W, 2) float32."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([columns, rows])


def look(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sample `values` (h, w) or (h, w, C ≤ 4) at `places` (H, W, 2) bilinearly; the border is repeated."""
    found: np.ndarray = cv2.remap(np.ascontiguousarray(values), places, None, cv2.INTER_LINEAR, borderMode=EDGE)
    return found
