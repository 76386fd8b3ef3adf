"""A pinhole camera in the town. World: x right, y up, z forward along the street, metres."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Position and direction of the camera. focal: pixels; yaw to the right, pitch upwards and roll: radians."""

    width: int
    height: int
    focal: float
    position: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) rotation from world to camera directions (x right, y down, z along the optical axis)."""
        yaw, pitch, roll = self.yaw, self.pitch, self.roll
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return lean @ np.diag([1.0, -1.0, 1.0]) @ tilt @ turn

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point (x, y) in pixels, the centre of the image."""
        return self.width / 2, self.height / 2

    def scaled(self, factor: int) -> "Camera":
        """The same view on a grid `factor` times as fine."""
        return replace(self, width=self.width * factor, height=self.height * factor, focal=self.focal * factor)

    def see(self, points: np.ndarray) -> np.ndarray:
        """Transform world `points` (..., 3) to camera coordinates."""
        return (points - self.position) @ self.rotation.T

    def rays(self) -> np.ndarray:
        """World direction of each pixel's ray, (H, W, 3) float32; its component along the optical axis is 1."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        cx, cy = self.centre
        seen = np.stack([(x - cx) / self.focal, (y - cy) / self.focal, np.ones_like(x)], axis=-1)
        return (seen @ self.rotation).astype(np.float32)
