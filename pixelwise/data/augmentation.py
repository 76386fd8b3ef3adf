"""Random views of a labelled picture: crop at random scale, mirror, colour. Image and label always move together."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from pixelwise.data.items import VOID
from pixelwise.data.masking import Masking
from pixelwise.errors import DataError, ParamsError
from pixelwise.params import Params

GREY = (127, 127, 127)
# How a map is cropped: Pillow mode, resampling filter, and fill value outside the picture.
Kind = tuple[str, Image.Resampling, Any]
LABEL: Kind = ("L", Image.Resampling.NEAREST, VOID)
MAPS: dict[str, Kind] = {
    "image": ("RGB", Image.Resampling.BILINEAR, GREY),
    # 0 is unknown. Nearest neighbour, because the mean of two depths is the depth of no surface.
    "hha": ("RGB", Image.Resampling.NEAREST, (0, 0, 0)),
    "depth": ("I", Image.Resampling.NEAREST, 0),
    "label": LABEL,
    "geometry": LABEL,
}


class AugmentParams(Params):
    """Parameters of random views."""

    whole: bool = Field(False, description="whole pictures instead of crops; a batch then needs equal sizes")
    crop_width: PositiveInt = Field(256, description="width of a training crop in pixels")
    crop_height: PositiveInt = Field(192, description="height of a training crop in pixels")
    scale_min: PositiveFloat = Field(0.8, description="smallest random scale of a crop")
    scale_max: PositiveFloat = Field(1.6, description="largest random scale of a crop")
    stretch: float = Field(0.1, ge=0, lt=1, description="largest change of a crop's aspect ratio")
    rare_share: float = Field(0.0, ge=0, le=1, description="share of crops placed on a pixel of a rare class")
    jitter: NonNegativeInt = Field(0, description="largest shift of a whole picture in pixels, each way")
    mirror: bool = Field(True, description="whether a random half of the views is mirrored")
    colour: float = Field(0.3, ge=0, lt=1, description="largest change of brightness, contrast and saturation")
    masking: Masking = Field(
        "none", description="part of the picture that is hidden; shape leaves only the mask (table 2.8)"
    )
    foreground: tuple[str, ...] = Field(
        (), description="classes that count as foreground in masking; none: all but the first"
    )

    @model_validator(mode="after")
    def require_scales_in_order(self) -> "AugmentParams":
        """Raise ParamsError if the smallest scale is above the largest."""
        if self.scale_min > self.scale_max:
            raise ParamsError(f"augment.scale_min: found {self.scale_min}, expected at most scale_max {self.scale_max}")
        return self


class Box(NamedTuple):
    """A rectangle in pixels of the picture; it may extend beyond the picture."""

    left: float
    top: float
    width: float
    height: float


def draw_view(
    maps: Mapping[str, np.ndarray], rng: np.random.Generator, params: AugmentParams, rare: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Draw one random view of a picture; all `maps` get the same crop and mirroring.

    maps: image, hha (H, W, 3) uint8; label, geometry (H, W) uint8; depth (H, W) centimetres. image and label are
    required. Outside the picture, the view is grey, void or 0. rare: indices of rare classes; the share `rare_share` of
    the crops is placed on a pixel of one. depth is returned as int32. Raises DataError if `jitter` can shift a whole
    picture out of its frame.
    """
    height, width = maps["label"].shape
    if params.whole:
        if params.jitter >= min(height, width):
            raise DataError(f"augment.jitter: found {params.jitter}, but a picture has {width}×{height} pixels")
        left, top = rng.integers(-params.jitter, params.jitter, 2, endpoint=True)
        box, size = Box(float(left), float(top), width, height), (width, height)
    else:
        box, size = draw_box(maps["label"], rng, params, rare), (params.crop_width, params.crop_height)
    pictures = {name: crop_and_resize(values, box, size, MAPS[name]) for name, values in maps.items()}
    if params.mirror and rng.random() < 0.5:
        pictures = {name: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for name, picture in pictures.items()}
    if params.colour:
        pictures["image"] = change_colours(pictures["image"], rng, params.colour)
    return {name: np.asarray(picture) for name, picture in pictures.items()}


def change_colours(picture: Image.Image, rng: np.random.Generator, largest: float) -> Image.Image:
    """Change brightness, contrast and saturation, each by a factor of 1 ± `largest` at most."""
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(rng.uniform(1 - largest, 1 + largest))
    return picture


def draw_box(label: np.ndarray, rng: np.random.Generator, params: AugmentParams, rare: np.ndarray | None) -> Box:
    """Draw the crop: log-uniform scale, slight stretch, and a uniform position or one around a rare pixel."""
    scale = math.exp(rng.uniform(math.log(params.scale_min), math.log(params.scale_max)))
    stretch = math.exp(rng.uniform(-params.stretch, params.stretch))
    width, height = params.crop_width / scale * stretch, params.crop_height / scale / stretch
    target = draw_rare_pixel(label, rng, rare) if rare is not None and rng.random() < params.rare_share else None
    left = draw_offset(rng, width, label.shape[1], None if target is None else target[0])
    top = draw_offset(rng, height, label.shape[0], None if target is None else target[1])
    return Box(left, top, width, height)


def draw_rare_pixel(label: np.ndarray, rng: np.random.Generator, rare: np.ndarray) -> tuple[int, int] | None:
    """Draw (x, y) of a random pixel of a random rare class in the picture; None if it has no rare class."""
    present = [value for value in rare if (label == value).any()]
    if not present:
        return None
    rows, columns = np.nonzero(label == rng.choice(present))
    chosen = rng.integers(len(rows))
    return int(columns[chosen]), int(rows[chosen])


def draw_offset(rng: np.random.Generator, length: float, size: int, target: int | None) -> float:
    """Draw the start of an interval of `length` in 0…`size`; if longer, it covers 0…`size`.

    target: a position that falls in the middle 80 % of the interval, unless the border of 0…`size` prevents it.
    """
    if length >= size:
        return float(rng.uniform(size - length, 0))
    if target is None:
        return float(rng.uniform(0, size - length))
    return float(np.clip(target - rng.uniform(0.1, 0.9) * length, 0, size - length))


def crop_and_resize(values: np.ndarray, box: Box, size: tuple[int, int], kind: Kind) -> Image.Image:
    """Cut `box` out of the map `values` and resize it to `size` (width, height)."""
    mode, resampling, fill = kind
    picture = Image.fromarray(values.astype(np.int32) if mode == "I" else values)
    width, height = size
    x_scale, y_scale = width / box.width, height / box.height
    inside = (
        max(box.left, 0.0),
        max(box.top, 0.0),
        min(box.left + box.width, float(picture.width)),
        min(box.top + box.height, float(picture.height)),
    )
    place = (round((inside[0] - box.left) * x_scale), round((inside[1] - box.top) * y_scale))
    part = (
        min(max(1, round((inside[2] - inside[0]) * x_scale)), width - place[0]),
        min(max(1, round((inside[3] - inside[1]) * y_scale)), height - place[1]),
    )
    view = Image.new(mode, size, fill)
    view.paste(picture.resize(part, resampling, box=inside), place)
    return view
