"""Depth as three channels that a colour net can take: HHA (thesis §2.4, table 2.5).

Horizontal disparity, height above ground, and the angle of the surface with gravity, which is inferred from the depth
alone (Gupta et al., Learning Rich Features from RGB-D Images for Object Detection and Segmentation, 2014).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

Floats = NDArray[np.float64]

NEAREST = 1.0  # metres; what is nearer has the disparity of this, or it would not fit a byte
DISPARITY = 310.0  # disparity channel of a point at one metre
ANGLE_OFFSET = 38.0  # makes an upright wall, at 90°, the middle of the channel
LOWEST_PERCENTILE = 1.0
WINDOW = 7  # pixels a side of the window that a plane is fitted to
# Gravity needs smooth normals, not many: 7 by 7 of every third pixel span the published 21 by 21.
STRIDE = 3
# Degrees within which a surface lies or stands. Published are the first two; at the third, windows over an edge no
# longer count, and a degree less is half a metre of height at the end of a street.
THRESHOLDS = (45.0, 15.0, 5.0)
ITERATIONS = 5
# Share of the normals that the current direction counts as: it decides where one wall alone leaves gravity open, and
# does not move the direction that the iteration ends at.
PRIOR = 0.01


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, in pixels: focal lengths (x, y) and principal point; pixel centres are at whole numbers."""

    focal: tuple[float, float]
    cx: float
    cy: float

    def subsample(self, step: int) -> "Camera":
        """The camera of every `step`-th row and column."""
        return Camera((self.focal[0] / step, self.focal[1] / step), self.cx / step, self.cy / step)


def encode_hha(depth_m: np.ndarray, camera: Camera) -> NDArray[np.uint8]:
    """HHA of a depth map, (H, W, 3) uint8, each channel as published, rounded and clipped to 0–255.

    depth_m: (H, W) metres along the optical axis; nan, infinity and what is not positive are unknown.
    Channels: disparity, 310 over metres, those at least 1; height in centimetres above the lowest point, which is the
    1st percentile; angle in degrees plus 38: 38 for floors, 128 for walls, 218 for ceilings. All are 0 where depth is
    unknown, and the angle where the known depth around a pixel makes no plane. Raises DataError as
    `require_known_depth` does.
    """
    depth = require_known_depth(depth_m, camera)
    known = depth > 0
    down = estimate_gravity(depth, camera)
    # Normals point away from the camera, as published, so that a floor's agrees with gravity.
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
    """`depth_m` (H, W) in metres with 0 where it is unknown.

    Raises DataError where it is no map or nothing is known, or the camera has no positive focal lengths.
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
    """The direction of gravity in camera coordinates (x right, y down, z forward), a unit vector.

    depth: (H, W) metres, 0 = unknown. The published algorithm: from the image's down axis, take the surfaces that lie
    and those that stand within 45°, turn to what is most parallel to the normals of the first and most perpendicular to
    those of the second, and again; then within 15°, and 5°.
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
    """Unit normals (3, H, W), pointing away from the camera; nan where the known depth of a window makes no plane.

    depth: (H, W) metres, 0 = unknown. A plane whose inverse depth is a u + b v + c has the normal (a fx, b fy, c).
    """
    a, b, c = fit_inverse_depth_planes(depth, camera)
    normals = np.stack((a * camera.focal[0], b * camera.focal[1], c), dtype=np.float32, casting="same_kind")
    return normals / np.sqrt((normals**2).sum(axis=0))


def fit_inverse_depth_planes(depth: Floats, camera: Camera) -> tuple[Floats, Floats, Floats]:
    """(a, b, c), (H, W) each: inverse depth is a u + b v + c around a pixel, u and v pixels from the principal point.

    Least squares over what is known in a window: nine box-filtered moments, whatever its size. nan where that is less
    than three pixels, or a line of them.
    """
    known = (depth > 0).astype(np.float64)
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0)
    u = np.arange(depth.shape[1]) - camera.cx
    v = np.arange(depth.shape[0])[:, None] - camera.cy
    share = average_windows(known)
    # Of no pixel at all, where a mean is 0.
    share[share < 0.5 / WINDOW**2] = np.nan

    def mean(values: Floats) -> Floats:
        return average_windows(values) / share

    u_mean, v_mean, inverse_mean = mean(known * u), mean(known * v), mean(inverse)
    uu, uv, vv = mean(known * u**2) - u_mean**2, mean(known * (u * v)) - u_mean * v_mean, mean(known * v**2) - v_mean**2
    ui, vi = mean(inverse * u) - u_mean * inverse_mean, mean(inverse * v) - v_mean * inverse_mean
    spread = uu * vv - uv**2
    # 1/27 for the smallest triangle of pixels, 0 for a line.
    spread[spread < 0.01] = np.nan
    a, b = (vv * ui - uv * vi) / spread, (uu * vi - uv * ui) / spread
    return a, b, inverse_mean - a * u_mean - b * v_mean


def average_windows(values: Floats) -> Floats:
    """Means of `values` (H, W) over the window around each pixel; 0 outside."""
    # Running sums in C: three times as fast as any that NumPy can say.
    from scipy.ndimage import uniform_filter

    return uniform_filter(values, WINDOW, mode="constant")


def measure_heights(up: Floats, depth: Floats, camera: Camera) -> Floats:
    """How far each point of `depth` (H, W) lies from the camera in the direction `up`, (H, W) in its unit."""
    x = (np.arange(depth.shape[1]) - camera.cx) / camera.focal[0]
    y = (np.arange(depth.shape[0])[:, None] - camera.cy) / camera.focal[1]
    return depth * (up[0] * x + up[1] * y + up[2])
