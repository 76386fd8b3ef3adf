"""Convert the canvas to a camera picture, with haze, sky, lens, exposure and noise, and to the label maps."""

from dataclasses import dataclass

import numpy as np

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import PAVEMENT, ROAD, SKY, VOID
from pixelwise.data.town.raster import Canvas
from pixelwise.data.town.texture import make_smooth_noise

FINE = 2
"""The canvas has this many pixels a side for one of the picture."""


@dataclass(frozen=True)
class Lens:
    """The camera's effects on every picture. border: (H, W) float32, negative in the void band at the edges.

    vignette: (H, W) float32 brightness factor; noise: standard deviation in 0–1 display values.
    """

    border: np.ndarray
    vignette: np.ndarray
    noise: float

    @property
    def is_void(self) -> np.ndarray:
        """(H, W) bool: the void band."""
        return self.border < 0


def draw_lens(rng: np.random.Generator, width: int, height: int) -> Lens:
    """Draw a lens whose rectified picture has an irregular void band of 1 to 4 pixels."""

    def edge(length: int) -> np.ndarray:
        return np.clip(rng.uniform(1, 2.2) + 1.2 * make_smooth_noise(rng, length, 2, 6)[:, 0], 1, 4)

    x, y = np.meshgrid(np.arange(width), np.arange(height))
    sides = (
        y - edge(width),
        height - 1 - y - edge(width),
        x - edge(height)[:, None],
        width - 1 - x - edge(height)[:, None],
    )
    radius = np.hypot(x / width - 0.5, y / height - 0.5)
    vignette = 1 - rng.uniform(0.2, 0.5) * radius**2
    border = np.minimum.reduce([np.broadcast_to(side, (height, width)) for side in sides])
    return Lens(border.astype(np.float32), vignette.astype(np.float32), rng.uniform(0.006, 0.014))


def develop(rng: np.random.Generator, canvas: Canvas, camera: Camera, lens: Lens) -> np.ndarray:
    """Develop `canvas` into a picture (H, W, 3) uint8. rng: source of the noise."""
    seen = light_surfaces(canvas)
    bare = halve((canvas.surface == 0).astype(np.float32))
    rows = bare.any(axis=1)
    sky = np.zeros((*bare.shape, 3), np.float32)
    sky[rows] = canvas.light.sky(camera.rays()[rows])
    exposed = canvas.light.exposure * lens.vignette * np.clip(1 + lens.border / 2, 0, 1)
    colour = np.stack([(halve(seen[k]) + bare * sky[..., k]) * exposed for k in range(3)], axis=2)
    # Compress highlights smoothly instead of clipping them.
    colour = np.where(colour > 0.8, 0.8 + 0.2 * np.tanh((colour - 0.8) / 0.2), colour)
    colour += lens.noise * rng.standard_normal(colour.shape, np.float32)
    return np.clip(colour * 255 + 0.5, 0, 255).astype(np.uint8)


def light_surfaces(canvas: Canvas) -> list[np.ndarray]:
    """Compute red, green and blue of the surfaces behind the haze, (H, W) canvas pixels, float32; 0 for the sky."""
    light = canvas.light
    air = 0.75 * light.horizon + 0.25 * light.ambient
    with np.errstate(divide="ignore"):
        clear = np.exp(np.float32(-1 / light.haze) / canvas.inverse_depth)
    hazy = (canvas.inverse_depth > 0) - clear
    lit = clear * canvas.brightness
    shades = np.array(canvas.shades, np.float32) / 255
    channels = canvas.texel.view(np.uint8).reshape(*canvas.texel.shape, 4)
    return [channels[..., k] * shades[:, k][canvas.surface] * lit + np.float32(air[k]) * hazy for k in range(3)]


def halve(fine: np.ndarray) -> np.ndarray:
    """Average 2 × 2 pixels."""
    rows = fine[0::2] + fine[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)


def make_maps(canvas: Canvas, lens: Lens) -> dict[str, np.ndarray]:
    """Make label, instance, depth and geometry of `canvas`, (H, W) each; every FINE-th canvas pixel is used."""
    surface = canvas.surface[::FINE, ::FINE]
    inverse_depth = canvas.inverse_depth[::FINE, ::FINE]
    label = np.array(canvas.labels, np.uint8)[surface]
    instance = np.array(canvas.instances, np.uint16)[surface]
    with np.errstate(divide="ignore"):
        depth = np.where(label == SKY, 0, np.clip(100 / inverse_depth, 1, 65535)).astype(np.uint16)
    label[lens.is_void] = VOID
    instance[lens.is_void] = 0
    return {"label": label, "instance": instance, "depth": depth, "geometry": classify_geometry(label)}


def classify_geometry(label: np.ndarray) -> np.ndarray:
    """Map `label` to geometry: 0 sky, 1 horizontal, 2 vertical, 255 void."""
    kinds = np.full(256, 2, np.uint8)
    kinds[[SKY, ROAD, PAVEMENT, VOID]] = 0, 1, 1, VOID
    return kinds[label]
