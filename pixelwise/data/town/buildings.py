"""Houses: textured boxes with gabled or flat roofs, chimneys, cornices and awnings."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town import facades
from pixelwise.data.town.classes import BUILDING
from pixelwise.data.town.facades import Style
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture, add_alpha, make_plain

UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class House:
    """Position and shape of a house. corner: left end of the front, seen from the street, (x, 0, z); along: unit
    direction from there to the right end; width, depth, height to the eaves, and rise of the roof in metres.

    roof: "eaves" has its ridge along the street, "gable" across the street, "flat" has none.
    """

    corner: np.ndarray
    along: np.ndarray
    width: float
    depth: float
    height: float
    rise: float
    roof: str
    style: Style
    scale: float

    @property
    def inwards(self) -> np.ndarray:
        """Unit direction from the front to the back."""
        return np.array([-self.along[2], 0, self.along[0]])

    def footprint(self) -> np.ndarray:
        """The four corners of the house on the ground, (4, 3)."""
        right, back = self.along * self.width, self.inwards * self.depth
        return self.corner + np.array([0 * right, right, right + back, back])


def make_wall_quad(
    left: np.ndarray, right: np.ndarray, bottom: float, top: float, texture: Texture, label: int
) -> Quad:
    """Make a wall from `left` to `right`, as seen from its front, between the heights `bottom` and `top`."""
    return Quad(left + top * UP, right - left, (bottom - top) * UP, texture, label)


def make_house_quads(rng: np.random.Generator, house: House) -> list[Quad]:
    """Make all parts of a house that are visible from the street."""
    front = facades.draw_facade(rng, house.style, house.width, house.height, house.scale)
    side = facades.draw_wall(rng, house.style, house.depth, house.height, house.scale / 2)
    a, b, c, d = house.footprint()
    sides = Texture.from_picture(add_gable(side, house) if house.roof == "eaves" else side)
    fronts = Texture.from_picture(add_gable(front, house) if house.roof == "gable" else front)
    front_top = house.height + (house.rise if house.roof == "gable" else 0)
    side_top = house.height + (house.rise if house.roof == "eaves" else 0)
    quads = [
        make_wall_quad(a, b, 0, front_top, fronts, BUILDING),
        make_wall_quad(b, c, 0, side_top, sides, BUILDING),
        make_wall_quad(d, a, 0, side_top, sides, BUILDING),
    ]
    quads += make_cornice(house) if house.roof == "flat" else make_roof_slopes(rng, house) + make_chimney(rng, house)
    return quads + (make_awnings(rng, house) if house.style.is_shop else [])


def add_gable(picture: Image.Image, house: House) -> np.ndarray:
    """Add the triangle under the roof to the `picture` of a wall, (H, W, 4); transparent beside the triangle."""
    width, height = picture.size
    extra = max(round(height * house.rise / house.height), 1)
    tall = Image.new("RGBA", (width, height + extra), (*np.asarray(picture)[height // 8, width // 2].tolist(), 0))
    cover = Image.new("L", tall.size, 0)
    ImageDraw.Draw(cover).polygon(
        [(0, extra), (width / 2, 0), (width, extra), (width, height + extra), (0, height + extra)], 255
    )
    above = picture.crop((0, height // 8, width, height // 8 + 2)).resize((width, extra))
    tall.paste(above, (0, 0))
    tall.paste(picture, (0, extra))
    ImageDraw.Draw(tall).ellipse((width * 0.46, extra * 0.5, width * 0.54, extra * 0.5 + width * 0.08), (60, 66, 74))
    tall.putalpha(cover)
    return add_alpha(np.asarray(tall))


def make_roof_slopes(rng: np.random.Generator, house: House) -> list[Quad]:
    """Make the two slopes of a gabled roof, which overhang the walls slightly."""
    over = 0.3
    if house.roof == "eaves":
        eaves, run, span = house.along * (house.width + 0.1), house.inwards * house.depth / 2, house.depth / 2
        start = house.corner - house.along * 0.05
    else:
        eaves, run, span = house.inwards * (house.depth + over), -house.along * house.width / 2, house.width / 2
        start = house.corner + house.along * house.width - house.inwards * over
    fall = 1 + over / span
    length = float(np.hypot(span, house.rise) * fall)
    texture = Texture.from_picture(
        facades.draw_roof(rng, house.style, float(np.linalg.norm(eaves)), length, house.scale / 2)
    )
    ridge = start + run + UP * (house.height + house.rise)
    down = UP * -house.rise
    return [
        Quad(ridge, eaves, (down - run) * fall, texture, BUILDING),
        Quad(ridge + eaves, -eaves, (down + run) * fall, texture, BUILDING),
    ]


def make_box_sides(
    corner: np.ndarray, along: np.ndarray, deep: np.ndarray, height: float, texture: Texture, label: int
) -> list[Quad]:
    """Make the four vertical sides of a box of `height` above `corner`, which may be above the ground."""
    points = [corner, corner + along, corner + along + deep, corner + deep]
    return [
        Quad(left + height * UP, right - left, -height * UP, texture, label)
        for left, right in zip(points, [*points[1:], points[0]], strict=True)
    ]


def make_chimney(rng: np.random.Generator, house: House) -> list[Quad]:
    """Make one chimney near the ridge."""
    at = house.corner + house.along * house.width * rng.uniform(0.15, 0.75) + house.inwards * house.depth * 0.42
    base = at + UP * (house.height + house.rise * 0.5)
    return make_box_sides(
        base,
        house.along * 0.9,
        house.inwards * 0.6,
        house.rise * 0.5 + 0.9,
        make_plain(house.style.wall * 0.8),
        BUILDING,
    )


def make_cornice(house: House) -> list[Quad]:
    """Make the cornice of a flat roof, which overhangs the front."""
    base = house.corner - house.inwards * 0.25 + UP * (house.height - 0.15)
    deep = house.inwards * (house.depth + 0.3)
    return make_box_sides(base, house.along * house.width, deep, 0.55, make_plain(house.style.wall * 0.9), BUILDING)


def make_awnings(rng: np.random.Generator, house: House) -> list[Quad]:
    """Make the awning over a shop window and the pavement; some shops have none."""
    if rng.random() < 0.35:
        return []
    out = -house.inwards * rng.uniform(0.8, 1.3)
    top = house.corner + house.along * 0.3 + UP * (facades.STOREY - 0.7)
    texture = Texture.from_picture(facades.draw_awning(house.style, house.width - 0.6))
    return [Quad(top, house.along * (house.width - 0.6), out - UP * 0.55, texture, BUILDING)]
