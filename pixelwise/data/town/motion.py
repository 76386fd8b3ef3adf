"""The camera motion of a clip: it drives, brakes to a stop, pans, or stands still."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.street import Street

Kind = Literal["drive", "stop", "pan", "still"]
KINDS: tuple[Kind, ...] = ("drive", "stop", "pan", "still")
FRAME_SECONDS = 1 / 8


@dataclass(frozen=True)
class Motion:
    """The camera's path through a clip.

    speed: initial speed in metres per second along z; sweep: amplitude of a pan in radians; brakes_for: seconds until
    the camera of a "stop" stands still.
    """

    kind: Kind
    start: Camera
    speed: float
    sweep: float
    brakes_for: float

    def traffic_seconds(self, frame: int) -> float:
        """Seconds at full speed that give the cars' distance at `frame`; in a "stop", cars brake with the camera."""
        seconds = frame * FRAME_SECONDS
        if self.kind != "stop":
            return seconds
        braked = min(seconds, self.brakes_for)
        return braked - braked**2 / (2 * self.brakes_for)

    def camera(self, frame: int) -> Camera:
        """Compute the camera at `frame`."""
        seconds = self.traffic_seconds(frame)
        along = self.speed * seconds
        start = self.start
        # A driving camera pitches with the road; the angle depends on the distance, so a standing camera is steady.
        nod = 0.004 * np.sin(1.7 * along)
        yaw = start.yaw + self.sweep * np.sin(2 * np.pi * seconds / 4)
        position = start.position + np.array([0.05 * np.sin(0.35 * along), 0.0, along])
        return Camera(start.width, start.height, start.focal, position, yaw, start.pitch + nod, start.roll)


def draw_motion(rng: np.random.Generator, kind: Kind, street: Street, width: int, height: int, frames: int) -> Motion:
    """Draw a path of the camera through `street`."""
    drives = kind in ("drive", "stop")
    if drives:
        position = np.array([street.lane + rng.uniform(-0.4, 0.3), rng.uniform(1.3, 1.75), rng.uniform(-2, 6)])
        yaw, pitch = rng.normal(0, 0.02), rng.normal(-0.02, 0.015)
    else:
        across = rng.uniform(-street.front + 1.2, street.front - 1.2)
        raised = rng.random() < 0.35
        position = np.array([across, rng.uniform(2.6, 4.2) if raised else rng.uniform(1.5, 1.9), rng.uniform(-2, 6)])
        yaw = -0.32 * across / street.front + rng.normal(0, 0.1)
        pitch = rng.normal(-0.12, 0.02) if raised else rng.normal(-0.01, 0.02)
    start = Camera(width, height, rng.uniform(0.82, 1.0) * width, position, yaw, pitch, rng.normal(0, 0.008))
    return Motion(
        kind=kind,
        start=start,
        # The camera drives more slowly in a long clip, so that the clip ends before the street does.
        speed=min(rng.uniform(4, 9), (street.end - 20 - position[2]) / (frames * FRAME_SECONDS)) if drives else 0.0,
        sweep=rng.choice([-1, 1]) * rng.uniform(0.12, 0.3) if kind == "pan" else 0.0,
        brakes_for=max(0.4 * frames, 1) * FRAME_SECONDS,
    )
