"""The ground as one map seen from above: road, kerbs, pavement, markings and static shadows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pixelwise.data.town.classes import PAVEMENT, ROAD
from pixelwise.data.town.light import Light
from pixelwise.data.town.raster import Canvas, Quad, project
from pixelwise.data.town.street import BEHIND, Street
from pixelwise.data.town.texture import TILE, Texture, convert_to_uint8, cut_grain, make_noise_tile, make_smooth_noise

TEXEL = 0.1
"""Metres."""
HALF_WIDTH = 30.0
BEYOND = 16.0
"""Metres of ground behind the street's far end."""
WHITE = np.array([228.0, 226.0, 218.0])


@dataclass(frozen=True)
class Ground:
    """The ground of one clip. classes: class map (rows, columns) uint8, far rows first."""

    quad: Quad
    classes: np.ndarray

    def draw(self, canvas: Canvas) -> None:
        """Draw the ground on an empty canvas."""
        views = project(canvas.camera, [self.quad])
        if not len(views.index):
            return
        cover = canvas.cover(views, 0)
        surfaces = np.zeros(256, np.uint16)
        for label in (ROAD, PAVEMENT):
            surfaces[label] = canvas.add_surface(label, 0, canvas.light.shade(views.normal[0]))
        row = np.minimum((cover.t * len(self.classes)).astype(np.int32), len(self.classes) - 1)
        column = np.minimum((cover.s * self.classes.shape[1]).astype(np.int32), self.classes.shape[1] - 1)
        texel = self.quad.texture.sample(cover.s, cover.t, self.levels(canvas, cover.inverse_depth))
        canvas.write(cover, texel, surfaces[self.classes[row, column]])
        canvas.brightness[cover.window][cover.mask] = self.fine_grain(cover.s, cover.t, cover.inverse_depth)

    def levels(self, canvas: Canvas, inverse_depth: np.ndarray) -> np.ndarray:
        """Choose the texture level per pixel. At depth λ, a pixel covers λ / f metres across and λ² / (f h) along."""
        height, focal = canvas.camera.position[1], canvas.camera.focal
        seen = inverse_depth**-1.5 / (focal * np.sqrt(height))
        finest = np.log2(np.maximum(seen / TEXEL, 1)).astype(np.int32)
        return np.minimum(finest, len(self.quad.texture.offsets) - 1)

    def fine_grain(self, s: np.ndarray, t: np.ndarray, inverse_depth: np.ndarray) -> np.ndarray:
        """Compute the brightness of grain that is finer than the map, for near pixels."""
        rows, columns = self.classes.shape
        row, column = ((part * size * TEXEL * 60).astype(np.int32) % TILE for part, size in ((t, rows), (s, columns)))
        strength = np.clip(inverse_depth * 0.35 - 0.01, 0, 0.06)
        return 1 + strength * make_noise_tile()[row, column]


class Plan:
    """Converts metres to rows and columns of the map: x from the street's middle, z along the street."""

    def __init__(self, street: Street) -> None:
        self.far = street.closing_front + BEYOND
        self.rows = round((self.far - BEHIND) / TEXEL)
        self.columns = round(2 * HALF_WIDTH / TEXEL)

    def row(self, z: float) -> int:
        """The map's row at z."""
        return int(np.clip(round((self.far - z) / TEXEL), 0, self.rows))

    def column(self, x: float) -> int:
        """The map's column at x."""
        return int(np.clip(round((x + HALF_WIDTH) / TEXEL), 0, self.columns))

    def area(self, x0: float, x1: float, z0: float, z1: float) -> tuple[slice, slice]:
        """The slices of the map between x0 and x1, and z0 and z1."""
        return slice(self.row(z1), self.row(z0)), slice(self.column(x0), self.column(x1))


def draw_ground(rng: np.random.Generator, street: Street, light: Light, shadows: Iterable[np.ndarray]) -> Ground:
    """Draw the ground of `street`. shadows: polygons (n, 2) in x, z that the sun does not reach."""
    plan = Plan(street)
    classes = draw_class_map(plan, street)
    colour = draw_materials(rng, classes)
    draw_kerbs(colour, classes)
    draw_markings(rng, plan, street, colour)
    shade = draw_soft_shadow(plan, shadows)[..., None]
    colour *= 1 - shade * (1 - light.shadow.astype(np.float32))
    origin = np.array([-HALF_WIDTH, 0, plan.far])
    right, down = np.array([2 * HALF_WIDTH, 0, 0]), np.array([0, 0, BEHIND - plan.far])
    return Ground(Quad(origin, right, down, Texture.from_picture(convert_to_uint8(colour)), ROAD), classes)


def draw_class_map(plan: Plan, street: Street) -> np.ndarray:
    """Draw the class map (rows, columns) uint8: ROAD and PAVEMENT."""
    classes = np.full((plan.rows, plan.columns), PAVEMENT, np.uint8)
    classes[plan.area(-street.kerb, street.kerb, BEHIND, street.end)] = ROAD
    classes[plan.area(-HALF_WIDTH, HALF_WIDTH, street.end, street.end + street.cross_width)] = ROAD
    for side in street.side_streets:
        x0, x1 = sorted((0.0, side.side * HALF_WIDTH))
        classes[plan.area(x0, x1, side.near, side.far)] = ROAD
    return classes


def draw_materials(rng: np.random.Generator, classes: np.ndarray) -> np.ndarray:
    """Draw asphalt and paving slabs, (rows, columns, 3) float32, 0–255."""
    rows, columns = classes.shape
    asphalt = (rng.uniform(70, 118) + rng.normal(0, 3, 3)).astype(np.float32)
    slabs = np.array([[168, 160, 150], [150, 148, 146], [184, 168, 146], [168, 138, 122]])[
        rng.integers(4)
    ] * rng.uniform(0.8, 1.05)
    tone = (1 + 0.05 * cut_grain(rng, rows, columns) + 0.06 * make_smooth_noise(rng, rows, columns, 24)).astype(
        np.float32
    )
    size = rng.choice([6, 8, 12])
    joints = np.ones((rows, columns), np.float32)
    joints[::size], joints[:, ::size] = 0.86, 0.86
    is_road = classes == ROAD
    tone *= np.where(is_road, np.float32(1), joints)
    return np.stack([tone * np.where(is_road, *pair) for pair in zip(asphalt, slabs, strict=True)], axis=2)


def draw_kerbs(colour: np.ndarray, classes: np.ndarray) -> None:
    """Draw light kerb stones on the pavement's side of each road edge, and a dark gutter on the road's side."""
    is_road = classes == ROAD
    colour[dilate(is_road, 2) & ~is_road] = (188, 185, 178)
    colour[dilate(~is_road, 1) & is_road] *= 0.55


def dilate(mask: np.ndarray, texels: int) -> np.ndarray:
    """Grow `mask` (rows, columns) bool by `texels` along rows and columns."""
    grown = mask.copy()
    for shift in range(1, texels + 1):
        grown[shift:] |= mask[:-shift]
        grown[:-shift] |= mask[shift:]
        grown[:, shift:] |= mask[:, :-shift]
        grown[:, :-shift] |= mask[:, shift:]
    return grown


def draw_markings(rng: np.random.Generator, plan: Plan, street: Street, colour: np.ndarray) -> None:
    """Draw worn markings (middle line, parking bays, zebra crossings, stop line), asphalt patches and manholes."""
    rows, columns = colour.shape[:2]
    paint = np.zeros((rows, columns), np.float32)
    for _ in range(rng.integers(3, 9)):
        x, z = rng.uniform(-street.kerb, street.kerb - 1), rng.uniform(0, street.end - 6)
        x1, z1 = min(x + rng.uniform(0.6, 2), street.kerb), z + rng.uniform(1, 6)
        colour[plan.area(x, x1, z, z1)] *= rng.uniform(0.72, 1.18)
    for z in np.arange(BEHIND, street.end - 6, 6.0):
        paint[plan.area(-0.08, 0.08, z, z + 3)] = 0.8
    if street.parking:
        draw_bays(plan, street, paint)
    for z in street.crossings:
        paint[plan.area(-street.kerb, street.kerb, z - 0.2, z + 3.2)] = 0
        for x in np.arange(-street.kerb + 0.4, street.kerb - 0.5, 1.0):
            paint[plan.area(x, x + 0.5, z, z + 3)] = 0.92
    paint[plan.area(0.1, street.kerb - street.parking, street.end - 1.6, street.end - 1.2)] = 0.9
    for z in rng.uniform(3, street.end - 3, 5):
        x = rng.uniform(-street.kerb + 0.5, street.kerb - 0.5)
        colour[plan.area(x - 0.3, x + 0.3, z - 0.3, z + 0.3)] *= 0.7
    paint *= np.clip(1.0 - 0.3 * cut_grain(rng, rows, columns), 0.25, 1)
    painted = paint > 0
    colour[painted] += (WHITE - colour[painted]) * paint[painted][:, None]


def draw_bays(plan: Plan, street: Street, paint: np.ndarray) -> None:
    """Draw the lines of parking bays on both sides, except at side streets."""
    inner = street.kerb - street.parking
    for side in (-1, 1):
        for z in np.arange(BEHIND, street.end - 8, 5.5):
            if street.is_beside(side, z, 6.0):
                continue
            x0, x1 = sorted((side * inner, side * street.kerb))
            paint[plan.area(x0, x1, z, z + 0.1)] = 0.7
            edge = side * inner
            paint[plan.area(edge - 0.05, edge + 0.05, z, z + 5.5)] = 0.7


def draw_soft_shadow(plan: Plan, shadows: Iterable[np.ndarray]) -> np.ndarray:
    """Draw soft shadows from polygons on a coarser map: share of sunlight blocked, 0–1, (rows, columns) float32."""
    coarse = 3
    size = plan.columns // coarse, plan.rows // coarse
    cover = Image.new("L", size, 0)
    pen = ImageDraw.Draw(cover)
    for polygon in shadows:
        x, y = (polygon[:, 0] + HALF_WIDTH) / TEXEL / coarse, (plan.far - polygon[:, 1]) / TEXEL / coarse
        pen.polygon(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255)
    soft = cover.filter(ImageFilter.GaussianBlur(0.8)).resize((plan.columns, plan.rows), Image.Resampling.BILINEAR)
    return np.asarray(soft, np.float32) / 255
