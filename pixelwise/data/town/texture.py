"""Textures with halved copies (mipmaps), and noise to draw them."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

TILE = 512
SMALLEST = 3
"""Texels; a texture is not halved below this."""


@dataclass(frozen=True)
class Texture:
    """An RGBA picture and its halvings, concatenated. texels: (n,) uint32, alpha in the high byte.

    offsets, heights, widths: (levels,), offset and size of each level; level 0 is the full picture.
    """

    texels: np.ndarray
    offsets: np.ndarray
    heights: np.ndarray
    widths: np.ndarray

    @classmethod
    def from_picture(cls, picture: np.ndarray | Image.Image) -> "Texture":
        """Create a texture from (H, W, 4) uint8, opaque (H, W, 3) uint8, or a PIL picture of either kind."""
        levels = [add_alpha(np.asarray(picture))]
        while min(levels[-1].shape[:2]) >= 2 * SMALLEST:
            levels.append(halve(levels[-1]))
        sizes = np.array([level.shape[:2] for level in levels])
        texels = np.concatenate([np.ascontiguousarray(level).view("<u4").ravel() for level in levels])
        offsets = np.concatenate([[0], np.cumsum(sizes.prod(1))[:-1]])
        return cls(texels, offsets, sizes[:, 0], sizes[:, 1])

    def level(self, area: float) -> int:
        """Choose the level with about one texel per pixel if the texture covers `area` pixels; level 0 if area is 0."""
        if not area:
            return 0
        finest = self.heights[0] * self.widths[0]
        return min(max(round(0.5 * math.log2(finest / area)), 0), len(self.offsets) - 1)

    def sample(self, s: np.ndarray, t: np.ndarray, level: int | np.ndarray) -> np.ndarray:
        """Look up the texels (n,) uint32 at s, t (n,), 0–1 from the left and from the top."""
        height, width = self.heights[level], self.widths[level]
        row = np.minimum((t * height).astype(np.int32), height - 1)
        column = np.minimum((s * width).astype(np.int32), width - 1)
        return self.texels[self.offsets[level] + row * width + column]


def add_alpha(picture: np.ndarray) -> np.ndarray:
    """Return `picture` as (H, W, 4) uint8, opaque if it had no alpha channel."""
    if picture.shape[2] == 4:
        return picture
    return np.concatenate([picture, np.full((*picture.shape[:2], 1), 255, np.uint8)], axis=2)


def halve(picture: np.ndarray) -> np.ndarray:
    """Halve height and width (rounded down) by averaging 2 × 2 texels."""
    height, width = (size // 2 for size in picture.shape[:2])
    whole = picture[: 2 * height, : 2 * width]
    rows = whole[0::2].astype(np.uint16) + whole[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2]) >> 2).astype(np.uint8)


def make_plain(colour: tuple[float, float, float] | np.ndarray) -> Texture:
    """Make a texture of one colour, 0–255."""
    return Texture.from_picture(np.array(colour, np.float32).clip(0, 255).astype(np.uint8).reshape(1, 1, 3))


def make_smooth_noise(rng: np.random.Generator, height: int, width: int, cells: float) -> np.ndarray:
    """Make noise (height, width) float32, mean 0, deviation about 0.5, with `cells` bumps across the height."""
    coarse = max(int(np.ceil(cells)), 2), max(int(np.ceil(cells * width / height)), 2)
    bumps = Image.fromarray(rng.normal(0, 0.7, coarse).astype(np.float32))
    return np.asarray(bumps.resize((width, height), Image.Resampling.BICUBIC))


@cache
def make_noise_tile(smoothness: float = 0.9) -> np.ndarray:
    """Make seamless noise (TILE, TILE) float32, mean 0 and deviation 1.

    The amplitude is proportional to frequency to the power −`smoothness`: 0.9 gives grain, 1.5 gives clouds.
    """
    rng = np.random.default_rng(0)
    fx, fy = np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE))
    spectrum = np.fft.fft2(rng.normal(size=(TILE, TILE))) * np.maximum(np.hypot(fx, fy), 2 / TILE) ** -smoothness
    tile = np.fft.ifft2(spectrum).real
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


def cut_grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cut a (height, width) piece of the noise tile at a random position."""
    rows = (rng.integers(TILE) + np.arange(height)) % TILE
    columns = (rng.integers(TILE) + np.arange(width)) % TILE
    return make_noise_tile()[rows[:, None], columns]


def convert_to_uint8(colour: np.ndarray) -> np.ndarray:
    """Convert colours (H, W, 3) float, 0–255, to uint8."""
    return np.clip(colour, 0, 255).astype(np.uint8)
