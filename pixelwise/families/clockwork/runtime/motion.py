"""Carry what was computed at an earlier frame to where it is now, along the optical flow.

OpenCV's DIS flow between neighbouring frames costs a millisecond or two; composed from frame to frame it stays right
for longer than flow from the last key frame itself, whose displacements are larger. Import it only where frames are
carried: it is the one part of the runtime that needs OpenCV.
"""

import math

import cv2
import numpy as np

from pixelwise.families.clockwork.runtime.stream_grids import Grid

# The flow is estimated on a picture whose longer side is at most this: finer costs more than it gains.
SIDE = 320
# Grey levels by which a pixel differs from where it came from that motion fails to explain: above a camera's noise.
NOISE = 10
EDGE = cv2.BORDER_REPLICATE


class Motion:
    """Where every pixel was at the key frame.

    unexplained: the share of the picture that changed otherwise than by moving, summed over the frames since.
    """

    def __init__(self, image: np.ndarray) -> None:
        """image: the key frame, (H, W, 3) uint8 RGB."""
        # Faster presets lose what is small, slower ones take longer than they save: measured on CamVid.
        self.estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.estimator.setFinestScale(1)
        self.estimator.setGradientDescentIterations(16)
        self.factor = max(1, math.ceil(max(image.shape[:2]) / SIDE))
        self.grey = self.small(image)
        self.places = grid(*self.grey.shape)
        self.pixels = grid(*image.shape[:2])
        # Pixels of the picture in one of the flow's, (x, y).
        self.ratio = np.float32(np.divide(self.pixels.shape[1::-1], self.places.shape[1::-1]))
        self.start()

    def small(self, image: np.ndarray) -> np.ndarray:
        """The picture in grey at the size at which flow is estimated."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = (max(math.ceil(side / self.factor), 16) for side in image.shape[:2])
        return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)

    def start(self) -> None:
        """Make the last frame followed the key frame."""
        self.flow: np.ndarray | None = None
        self.unexplained = 0.0

    def follow(self, image: np.ndarray) -> None:
        """Go on to the next frame, (H, W, 3) uint8 of the key frame's size."""
        grey = self.small(image)
        step = self.estimator.calc(grey, self.grey, None)
        came_from = self.places + step
        self.unexplained += float(np.mean(cv2.absdiff(look(self.grey, came_from), grey) > NOISE))
        self.flow = step if self.flow is None else step + look(self.flow, came_from)
        self.grey = grey

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) of the key frame as the current frame has them; what comes into view repeats the border."""
        if self.flow is None:
            return labels
        flow = cv2.resize(self.flow * self.ratio, self.pixels.shape[1::-1])
        return cv2.remap(labels, self.pixels + flow, None, cv2.INTER_NEAREST, borderMode=EDGE)

    def maps(self, maps: np.ndarray, where: Grid) -> np.ndarray:
        """Maps (1, C, h, w) of the key frame, whose cells lie as `where` says, as the current frame has them."""
        if self.flow is None:
            return maps
        cells = grid(*maps.shape[2:])
        moved = look(self.flow, (where.pixels(cells) + 0.5) / self.ratio - 0.5)
        came_from = cells + moved * self.ratio / np.float32(where.step)
        planes = maps[0].transpose(1, 2, 0)
        # OpenCV takes at most four channels at once.
        parts = [look(planes[..., start : start + 4], came_from) for start in range(0, planes.shape[2], 4)]
        return np.dstack(parts).transpose(2, 0, 1)[None]


def grid(height: int, width: int) -> np.ndarray:
    """(H, W, 2) float32: the place (x, y) of every cell."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([columns, rows])


def look(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`values` (h, w) or (h, w, C ≤ 4) at `places` (H, W, 2), bilinearly, the border repeated."""
    found: np.ndarray = cv2.remap(np.ascontiguousarray(values), places, None, cv2.INTER_LINEAR, borderMode=EDGE)
    return found
