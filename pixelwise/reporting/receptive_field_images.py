"""Receptive fields as pictures: learned covariances as ellipses, inferred scales as a map (thesis figures 5.4, 5.8)."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.image_codec import encode_picture
from pixelwise.reporting.label_images import INK, PAPER, Picture

SIDE, MARGIN = 220, 20
# From small to large, dark blue to yellow, as in figure 5.8.
RAMP = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64)


def apply_colour_ramp(values: np.ndarray) -> Picture:
    """Map `values` in 0–1 to colours (..., 3) uint8."""
    positions = np.clip(np.nan_to_num(values), 0, 1) * (len(RAMP) - 1)
    colours = [np.interp(positions, np.arange(len(RAMP)), RAMP[:, channel]) for channel in range(3)]
    return np.stack(colours, axis=-1).astype(np.uint8)


def draw_ellipses(layers: Mapping[str, Sequence[np.ndarray]]) -> bytes:
    """Draw each layer's covariances (2, 2) over training as ellipses, from dark (first) to yellow (last), as PNG.

    An ellipse shows one standard deviation. Each panel states the last standard deviations along y and x, in cells.
    """
    sheet = Image.new("RGB", (SIDE * max(1, len(layers)), SIDE + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for panel, (name, covariances) in enumerate(layers.items()):
        reach = max(np.sqrt(np.diagonal(sigma)).max() for sigma in covariances)
        for index, sigma in enumerate(covariances):
            colour = apply_colour_ramp(np.array(index / max(1, len(covariances) - 1)))
            points = trace_ellipse(sigma) * (0.45 * SIDE / reach) + (SIDE * (panel + 0.5), SIDE * 0.5)
            draw.line([tuple(point) for point in points], fill=tuple(colour.tolist()), width=2)
        last = np.sqrt(np.diagonal(covariances[-1]))
        draw.text((SIDE * panel + 4, SIDE), f"{name[-24:]} {last[0]:.2f} {last[1]:.2f}", fill=INK)
    return encode_picture(sheet, optimize=True)


def trace_ellipse(sigma: np.ndarray) -> np.ndarray:
    """Points (65, 2) in x, y on the one-standard-deviation ellipse of the covariance `sigma` (2, 2) in y, x."""
    angles = np.linspace(0, 2 * np.pi, 65)
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return (circle @ np.linalg.cholesky(sigma).T)[:, ::-1]


def draw_scale_map(images: Sequence[Picture], scales: Sequence[np.ndarray]) -> bytes:
    """Draw pictures with the inferred scale (h, w) of their cells below, small dark, large bright, as PNG (figure 5.8).

    The colours span the scales of all pictures, from the 2nd to the 98th percentile.
    """
    columns = []
    for image, colours in zip(images, colour_scales(scales), strict=True):
        height, width = image.shape[:2]
        large = Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)
        columns.append(np.concatenate([image, np.asarray(large)]))
    tallest = max(len(column) for column in columns)
    padded = [np.pad(column, ((0, tallest - len(column)), (0, 0), (0, 0))) for column in columns]
    sheet = Image.fromarray(np.concatenate(padded, axis=1))
    low, high = find_scale_range(scales)
    ImageDraw.Draw(sheet).text((6, tallest - 16), f"{low:.2f} to {high:.2f} cells", fill=PAPER)
    return encode_picture(sheet, optimize=True)


def colour_scales(scales: Sequence[np.ndarray]) -> list[Picture]:
    """Map inferred scales (h, w) to colours, small dark, large bright; all pictures share one colour range."""
    low, high = find_scale_range(scales)
    return [apply_colour_ramp((scale - low) / max(high - low, 1e-6)) for scale in scales]


def find_scale_range(scales: Sequence[np.ndarray]) -> tuple[float, float]:
    """The 2nd and the 98th percentile of the scales of all pictures."""
    low, high = np.percentile(np.concatenate([scale.ravel() for scale in scales]), [2, 98])
    return float(low), float(high)
