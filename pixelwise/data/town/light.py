"""The light of a clip: time of day, weather, sun and sky. Colours are display values, 0–1."""

from dataclasses import dataclass

import numpy as np

from pixelwise.data.town.texture import TILE, make_noise_tile

Colour = tuple[float, float, float]


CLOUD = 1.5
"""How smooth the noise of clouds is."""


@dataclass(frozen=True)
class Weather:
    """A kind of light: sky, sun and ambient colours; ranges of sun elevation (degrees), clouds and haze (metres)."""

    zenith: Colour
    horizon: Colour
    sun: Colour
    ambient: Colour
    elevation: tuple[float, float]
    clouds: tuple[float, float]
    haze: tuple[float, float]


WEATHERS = (
    Weather(
        (0.26, 0.46, 0.80), (0.74, 0.84, 0.94), (0.66, 0.62, 0.54), (0.54, 0.58, 0.65), (42, 66), (0.1, 0.6), (350, 900)
    ),
    Weather(
        (0.40, 0.54, 0.78), (0.97, 0.85, 0.68), (0.70, 0.52, 0.32), (0.54, 0.54, 0.60), (12, 26), (0.1, 0.7), (180, 500)
    ),
    Weather(
        (0.62, 0.65, 0.69), (0.80, 0.82, 0.83), (0.06, 0.06, 0.06), (0.78, 0.79, 0.80), (30, 60), (0.8, 1.0), (150, 400)
    ),
    Weather(
        (0.22, 0.28, 0.46), (0.86, 0.62, 0.50), (0.24, 0.15, 0.10), (0.52, 0.52, 0.60), (6, 12), (0.3, 0.8), (150, 350)
    ),
    Weather(
        (0.45, 0.58, 0.74), (0.86, 0.88, 0.89), (0.34, 0.32, 0.28), (0.62, 0.64, 0.67), (30, 50), (0.5, 0.9), (90, 180)
    ),
)


@dataclass(frozen=True)
class Light:
    """Light and air of one clip. sun: unit direction to the sun; haze: metres after which visibility falls to 1 / e."""

    sun: np.ndarray
    sun_colour: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float
    cloud_offset: np.ndarray
    haze: float
    exposure: float

    def shade(self, normal: np.ndarray) -> np.ndarray:
        """Compute the factor of a surface's colour, (3,) float32; the sky's light comes from above."""
        sky = self.ambient * (0.88 + 0.12 * normal[1])
        return (sky + self.sun_colour * max(float(normal @ self.sun), 0.0)).astype(np.float32)

    @property
    def shadow(self) -> np.ndarray:
        """The factor of the ground's light in a shadow, (3,)."""
        up = np.array([0.0, 1.0, 0.0])
        return self.ambient / self.shade(up)

    @property
    def lamps(self) -> float:
        """The share of lit windows, which is higher in dim light."""
        return float(np.clip(1.6 - 2 * self.shade(np.array([0.0, 1.0, 0.0])).mean(), 0.05, 0.6))

    def sky(self, rays: np.ndarray) -> np.ndarray:
        """Compute the sky's colours (..., 3) float32 in the directions `rays` (..., 3)."""
        unit = rays / np.sqrt((rays**2).sum(-1, keepdims=True))
        up = np.clip(unit[..., 1], 0, 1)
        height = (up**0.6)[..., None]
        colour = self.horizon + (self.zenith - self.horizon) * height
        towards_sun = (unit @ self.sun.astype(np.float32))[..., None]
        glow = 0.3 * np.exp(8 * towards_sun - 8) + 0.5 * np.exp(200 * towards_sun - 200)
        colour = colour + self.sun_colour * glow
        cover = self.cloud_cover(unit, up)[..., None]
        cloud = 0.55 * self.horizon + 0.45 * (self.ambient + self.sun_colour)
        return (colour + (cloud * (1.06 - 0.25 * cover) - colour) * cover).astype(np.float32)

    def cloud_cover(self, unit: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Compute the cloud cover, 0–1, in each direction: a flat layer that fades towards the horizon."""
        scale = 60 / np.maximum(up + 0.08, 0.08)
        column = (unit[..., 0] * scale + self.cloud_offset[0]).astype(int) % TILE
        row = (unit[..., 2] * scale + self.cloud_offset[1]).astype(int) % TILE
        density = make_noise_tile(CLOUD)[row, column] * 0.55 + 2.4 * self.clouds - 1.5
        return np.clip(density, 0, 1) * np.clip(up * 8, 0, 0.92)


def draw_light(rng: np.random.Generator) -> Light:
    """Draw the light of one clip."""
    weather = WEATHERS[rng.choice(len(WEATHERS), p=[0.34, 0.22, 0.18, 0.12, 0.14])]
    elevation, azimuth = np.radians(rng.uniform(*weather.elevation)), rng.uniform(0, 2 * np.pi)
    around = np.cos(elevation) * np.array([np.sin(azimuth), 0, np.cos(azimuth)])
    tint = rng.normal(1, 0.03, (4, 3))
    return Light(
        sun=around + np.array([0, np.sin(elevation), 0]),
        sun_colour=np.array(weather.sun) * tint[0],
        ambient=np.array(weather.ambient) * tint[1],
        zenith=np.array(weather.zenith) * tint[2],
        horizon=np.array(weather.horizon) * tint[3],
        clouds=rng.uniform(*weather.clouds),
        cloud_offset=rng.uniform(0, TILE, 2),
        haze=rng.uniform(*weather.haze),
        exposure=rng.uniform(0.92, 1.25),
    )
