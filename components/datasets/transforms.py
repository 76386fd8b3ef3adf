"""Random views of a labelled picture: crop at a random scale, mirror, colours. Image and label always move together."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance
from pydantic import Field, PositiveFloat, PositiveInt

from components.datasets.items import VOID
from components.params import Params

GREY = (127, 127, 127)


class AugmentParams(Params):
    """Random views."""

    crop_width: PositiveInt = Field(256, description="width of a training crop in pixels")
    crop_height: PositiveInt = Field(192, description="height of a training crop in pixels")
    scale_min: PositiveFloat = Field(0.7, description="smallest random scale")
    scale_max: PositiveFloat = Field(1.7, description="largest random scale")
    stretch: float = Field(0.1, ge=0, lt=1, description="largest change of the aspect ratio")
    colour: float = Field(0.3, ge=0, lt=1, description="largest change of brightness, contrast and saturation")
    rare_share: float = Field(0.0, ge=0, le=1, description="share of crops placed on a pixel of a rare class")


class Box(NamedTuple):
    """A rectangle in pixels of the picture; it may reach beyond it."""

    left: float
    top: float
    width: float
    height: float


def random_view(
    image: np.ndarray,
    label: np.ndarray,
    rng: np.random.Generator,
    params: AugmentParams,
    rare: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop of `image` (H, W, 3) and `label` (H, W), both uint8, brought to the crop size.

    What lies outside the picture is grey and void. `rare`: class indices on one of whose pixels a share of the crops
    are placed.
    """
    box = random_box(label, rng, params, rare)
    picture, truth = cut(Image.fromarray(image), Image.fromarray(label), box, (params.crop_width, params.crop_height))
    if rng.random() < 0.5:
        mirror = Image.Transpose.FLIP_LEFT_RIGHT
        picture, truth = picture.transpose(mirror), truth.transpose(mirror)
    if params.colour:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhance(picture).enhance(rng.uniform(1 - params.colour, 1 + params.colour))
    return np.asarray(picture), np.asarray(truth)


def random_box(label: np.ndarray, rng: np.random.Generator, params: AugmentParams, rare: np.ndarray | None) -> Box:
    """Where to crop: log-uniform scale, slight stretch, and a uniform place or one around a rare pixel."""
    scale = math.exp(rng.uniform(math.log(params.scale_min), math.log(params.scale_max)))
    stretch = math.exp(rng.uniform(-params.stretch, params.stretch))
    width, height = params.crop_width / scale * stretch, params.crop_height / scale / stretch
    target = rare_pixel(label, rng, rare) if rare is not None and rng.random() < params.rare_share else None
    left = offset(rng, width, label.shape[1], None if target is None else target[0])
    top = offset(rng, height, label.shape[0], None if target is None else target[1])
    return Box(left, top, width, height)


def rare_pixel(label: np.ndarray, rng: np.random.Generator, rare: np.ndarray) -> tuple[int, int] | None:
    """(x, y) of a random pixel of a random rare class that the picture has, or None."""
    present = [value for value in rare if (label == value).any()]
    if not present:
        return None
    rows, columns = np.nonzero(label == rng.choice(present))
    chosen = rng.integers(len(rows))
    return int(columns[chosen]), int(rows[chosen])


def offset(rng: np.random.Generator, length: float, size: int, target: int | None) -> float:
    """Start of an interval of `length` in 0…`size`; a longer one covers it all; a `target` falls in its middle part."""
    if length >= size:
        return float(rng.uniform(size - length, 0))
    if target is None:
        return float(rng.uniform(0, size - length))
    return float(np.clip(target - rng.uniform(0.1, 0.9) * length, 0, size - length))


def cut(image: Image.Image, label: Image.Image, box: Box, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Both pictures inside `box`, resized to `size` (width, height): bilinear for the image, nearest for the label."""
    width, height = size
    x_scale, y_scale = width / box.width, height / box.height
    inside = (
        max(box.left, 0.0),
        max(box.top, 0.0),
        min(box.left + box.width, float(image.width)),
        min(box.top + box.height, float(image.height)),
    )
    place = (round((inside[0] - box.left) * x_scale), round((inside[1] - box.top) * y_scale))
    part = (
        min(max(1, round((inside[2] - inside[0]) * x_scale)), width - place[0]),
        min(max(1, round((inside[3] - inside[1]) * y_scale)), height - place[1]),
    )
    picture, truth = Image.new("RGB", size, GREY), Image.new("L", size, VOID)
    picture.paste(image.resize(part, Image.Resampling.BILINEAR, box=inside), place)
    truth.paste(label.resize(part, Image.Resampling.NEAREST, box=inside), place)
    return picture, truth
