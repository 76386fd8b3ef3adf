"""Crops around errors: the picture, its truth and its predictions side by side, small enough to keep many."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.metrics.regions import Region
from pixelwise.reporting.label_images import PAPER, Palette, Picture, overlay

# A crop shows this share of the region's box on each side, and at least LEAST pixels.
CONTEXT, LEAST = 0.5, 96
# A crop keeps at most so many pixels a side.
MOST = 320
PANEL = (240, 180)  # pixels: width and height of the box that a panel is fitted into
GAP = 6
BOX_COLOUR = (255, 214, 0)


@dataclass(frozen=True)
class Crop:
    """A part of the picture `id`, thinned to MOST pixels a side.

    image: (h, w, 3) uint8. maps: title -> labels (h, w) uint8, the truth first. box: the region's left, top, right and
    bottom in the crop. A whole picture has neither `region` nor box, but its mean IU.
    """

    id: str
    image: Picture
    maps: Mapping[str, np.ndarray]
    region: Region | None = None
    box: tuple[int, int, int, int] | None = None
    mean_iu: float = math.nan


def cut_region(id_: str, image: Picture, maps: Mapping[str, np.ndarray], region: Region) -> Crop:
    """Cut the surroundings of `region` out of a picture and its maps."""
    height, width = image.shape[:2]
    left, right = choose_span(region.left, region.width, width)
    top, bottom = choose_span(region.top, region.height, height)
    cut, step = np.s_[top:bottom, left:right], choose_step(right - left, bottom - top)
    box = (
        (region.left - left) // step,
        (region.top - top) // step,
        (region.left + region.width - left - 1) // step,
        (region.top + region.height - top - 1) // step,
    )
    return Crop(
        id_, thin(image[cut], step), {name: thin(values[cut], step) for name, values in maps.items()}, region, box
    )


def keep_picture(id_: str, image: Picture, maps: Mapping[str, np.ndarray], mean_iu: float) -> Crop:
    """Keep a whole picture and its maps."""
    step = choose_step(image.shape[1], image.shape[0])
    return Crop(id_, thin(image, step), {name: thin(values, step) for name, values in maps.items()}, mean_iu=mean_iu)


def choose_span(start: int, length: int, whole: int) -> tuple[int, int]:
    """Choose the first and last pixel of a crop along one axis of `whole` pixels, around `length` pixels at `start`."""
    wanted = min(max(round(length * (1 + 2 * CONTEXT)), LEAST), whole)
    first = min(max(start - (wanted - length) // 2, 0), whole - wanted)
    return first, first + wanted


def choose_step(width: int, height: int) -> int:
    """Choose the step at which pixels are kept."""
    return -(-max(width, height) // MOST)


def thin(values: np.ndarray, step: int) -> np.ndarray:
    """Copy every pixel at `step`, so that the whole picture is not kept in memory."""
    return values[::step, ::step].copy()


def draw_crop(crop: Crop, palette: Palette) -> Image.Image:
    """Draw the picture with the region's box, then each map over the picture, in one row."""
    height, width = crop.image.shape[:2]
    scale = min(PANEL[0] / width, PANEL[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    photo = Image.fromarray(crop.image).resize(size, Image.Resampling.BICUBIC)
    overlays = [overlay(crop.image, values, palette, alpha=0.65) for values in crop.maps.values()]
    panels = [photo, *(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST) for picture in overlays)]
    strip = Image.new("RGB", (len(panels) * (size[0] + GAP) - GAP, size[1]), PAPER)
    for index, panel in enumerate(panels):
        if crop.box:
            left, top, right, bottom = crop.box
            corners = [left * scale, top * scale, (right + 1) * scale - 1, (bottom + 1) * scale - 1]
            ImageDraw.Draw(panel).rectangle(corners, outline=BOX_COLOUR, width=2)
        strip.paste(panel, (index * (size[0] + GAP), 0))
    return strip
