"""HHA: depth as three channels that a colour net accepts (thesis §2.4, table 2.5).

The channels are horizontal disparity, height above ground, and the angle between surface normal and gravity. Gravity is
inferred from the depth alone (Gupta et al., Learning Rich Features from RGB-D Images for Object Detection and
Segmentation, 2014).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

Floats = NDArray[np.float64]

NEAREST = 1.0  # metres; a nearer point has the disparity of this distance, because a larger one would not fit in a byte
DISPARITY = 310.0  # disparity channel of a point at one metre, before clipping
ANGLE_OFFSET = 38.0  # an upright wall, 90°, gets the middle of the channel, 128
LOWEST_PERCENTILE = 1.0
WINDOW = 7  # pixels a side of the window that a plane is fitted to
# Gravity needs smooth normals, not many: windows of 7 by 7 on every third pixel span the published 21 by 21.
STRIDE = 3
# Degrees within which a surface counts as horizontal or vertical. The first two are published. The third excludes
# windows that span an edge: an error of one degree is half a metre of height at a distance of 30 m.
THRESHOLDS = (45.0, 15.0, 5.0)
ITERATIONS = 5
# Weight of the current direction, as a share of the normals. It decides where a single wall leaves gravity
# undetermined, and does not change the direction that the iteration converges to.
PRIOR = 0.01


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, in pixels: focal lengths (x, y) and principal point (cx, cy); pixel centres are integers."""

    focal: tuple[float, float]
    cx: float
    cy: float

    def subsample(self, step: int) -> "Camera":
        """The camera of an image that keeps every `step`-th row and column."""
        return Camera((self.focal[0] / step, self.focal[1] / step), self.cx / step, self.cy / step)


def encode_hha(depth_m: np.ndarray, camera: Camera) -> NDArray[np.uint8]:
    """Encode a depth map as HHA, (H, W, 3) uint8, each channel as published, rounded and clipped to 0–255.

    depth_m: (H, W) metres along the optical axis; nan, infinity and values ≤ 0 are unknown.
    Channels: disparity, 310 / max(metres, 1); height in centimetres above the lowest point (the 1st percentile); angle
    in degrees plus 38: 38 for floors, 128 for walls, 218 for ceilings. All channels are 0 where the depth is unknown.
    The angle is also 0 where the known depth around a pixel does not define a plane. Raises DataError as
    `require_known_depth` does.
    """
    depth = require_known_depth(depth_m, camera)
    known = depth > 0
    down = estimate_gravity(depth, camera)
    # Normals point away from the camera, as published, so that a floor's normal points along gravity.
    cosine = np.tensordot(down.astype(np.float32), estimate_normals(depth, camera), 1)
    height = measure_heights(-down, depth, camera)
    height -= np.percentile(height[known], LOWEST_PERCENTILE)
    channels = np.empty((*depth.shape, 3), np.float32)
    np.divide(DISPARITY, np.maximum(depth, NEAREST), out=channels[..., 0])
    np.multiply(height, 100, out=channels[..., 1])
    np.add(np.degrees(np.arccos(np.clip(cosine, -1, 1))), ANGLE_OFFSET, out=channels[..., 2])
    channels[~known] = 0
    channels[np.isnan(cosine), 2] = 0
    return np.clip(np.rint(channels, out=channels), 0, 255, out=channels).astype(np.uint8)


def require_known_depth(depth_m: np.ndarray, camera: Camera) -> Floats:
    """Return `depth_m` (H, W) in metres, with 0 where it is unknown.

    Raises DataError if it is not a map, if no pixel is known, or if a focal length of the camera is not positive.
    """
    if depth_m.ndim != 2:
        raise DataError(f"depth: shape {depth_m.shape}, expected (height, width)")
    if not all(0 < length < np.inf for length in camera.focal):
        raise DataError(f"camera: focal lengths {camera.focal}, expected two positive numbers of pixels")
    depth = np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, 0).astype(np.float64)
    if not depth.any():
        raise DataError("depth: found no known pixel, expected metres where it is known")
    return depth


def estimate_gravity(depth: Floats, camera: Camera) -> Floats:
    """Estimate the direction of gravity in camera coordinates (x right, y down, z forward), a unit vector.

    depth: (H, W) metres, 0 = unknown. The published algorithm: start with the image's down axis; select the surfaces
    that are horizontal and vertical within 45°; choose the direction most parallel to the normals of the horizontal
    and most perpendicular to those of the vertical surfaces; repeat. Then do the same within 15°, and within 5°.
    """
    normals = estimate_normals(depth[::STRIDE, ::STRIDE], camera.subsample(STRIDE)).reshape(3, -1).T
    normals = normals[~np.isnan(normals[:, 0])]
    down = np.array([0.0, 1.0, 0.0])
    if not len(normals):
        return down
    for threshold in np.radians(THRESHOLDS).repeat(ITERATIONS):
        alignment = np.abs(normals @ down)
        lying, standing = normals[alignment > np.cos(threshold)], normals[alignment < np.sin(threshold)]
        cost = standing.T @ standing - lying.T @ lying - PRIOR * len(normals) * np.outer(down, down)
        turned = np.linalg.eigh(cost).eigenvectors[:, 0]
        down = turned if turned @ down > 0 else -turned
    return down


def estimate_normals(depth: Floats, camera: Camera) -> NDArray[np.float32]:
    """Estimate unit normals (3, H, W) that point away from the camera; nan where a window's depth defines no plane.

    depth: (H, W) metres, 0 = unknown. A plane whose inverse depth is a u + b v + c has the normal (a fx, b fy, c).
    """
    a, b, c = fit_inverse_depth_planes(depth, camera)
    normals = np.stack((a * camera.focal[0], b * camera.focal[1], c), dtype=np.float32, casting="same_kind")
    return normals / np.sqrt((normals**2).sum(axis=0))


def fit_inverse_depth_planes(depth: Floats, camera: Camera) -> tuple[Floats, Floats, Floats]:
    """Fit a plane around each pixel: a, b, c, (H, W) each, with inverse depth = a u + b v + c.

    u, v: pixels from the principal point. The least-squares fit over the known pixels of a window needs nine
    box-filtered moments for any window size. nan where fewer than three pixels are known, or all are on one line.
    """
    known = (depth > 0).astype(np.float64)
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0)
    u = np.arange(depth.shape[1]) - camera.cx
    v = np.arange(depth.shape[0])[:, None] - camera.cy
    share = average_windows(known)
    # A window without a known pixel has no mean.
    share[share < 0.5 / WINDOW**2] = np.nan

    def mean(values: Floats) -> Floats:
        return average_windows(values) / share

    u_mean, v_mean, inverse_mean = mean(known * u), mean(known * v), mean(inverse)
    uu, uv, vv = mean(known * u**2) - u_mean**2, mean(known * (u * v)) - u_mean * v_mean, mean(known * v**2) - v_mean**2
    ui, vi = mean(inverse * u) - u_mean * inverse_mean, mean(inverse * v) - v_mean * inverse_mean
    spread = uu * vv - uv**2
    # `spread` is at least 1/27 for three pixels in a triangle, and 0 for pixels on one line.
    spread[spread < 0.01] = np.nan
    a, b = (vv * ui - uv * vi) / spread, (uu * vi - uv * ui) / spread
    return a, b, inverse_mean - a * u_mean - b * v_mean


def average_windows(values: Floats) -> Floats:
    """Average `values` (H, W) over the window around each pixel; values outside the map count as 0."""
    # SciPy's running sums in C are three times as fast as running sums in NumPy.
    from scipy.ndimage import uniform_filter

    return uniform_filter(values, WINDOW, mode="constant")


def measure_heights(up: Floats, depth: Floats, camera: Camera) -> Floats:
    """Compute the height of each point of `depth` above the camera along `up`, (H, W) in the unit of `depth`."""
    x = (np.arange(depth.shape[1]) - camera.cx) / camera.focal[0]
    y = (np.arange(depth.shape[0])[:, None] - camera.cy) / camera.focal[1]
    return depth * (up[0] * x + up[1] * y + up[2])
