"""The moving shadows of cars and people: soft dark patches just above the ground."""

from functools import cache

import numpy as np

from pixelwise.data.town.classes import VOID
from pixelwise.data.town.light import Light
from pixelwise.data.town.people import Person
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture
from pixelwise.data.town.vehicles import Car

LIFT = np.array([0.0, 0.012, 0.0])
LONGEST = 3.5
"""Metres that a shadow reaches at most, however low the sun."""


@cache
def make_patch(strength: int, softness: float) -> Texture:
    """Make a dark rectangle of alpha `strength` (0–255) that fades out over the outer `softness` of its half width."""
    ramp = np.clip((1 - np.abs(np.linspace(-1, 1, 48))) / softness, 0, 1)
    picture = np.zeros((48, 48, 4), np.uint8)
    picture[..., 3] = strength * np.outer(ramp, ramp)
    return Texture.from_picture(picture)


def compute_sun_strength(light: Light) -> int:
    """Compute the alpha (0–255) of a shadow cast by the sun."""
    return round(255 * (1 - float(light.shadow.mean())))


def cast_point(light: Light, height: float) -> np.ndarray:
    """Compute the offset (3,) of the shadow of a point at `height` from the ground below the point."""
    away = -light.sun * np.array([1, 0, 1]) / max(light.sun[1], 0.12) * height
    return away * min(1.0, LONGEST / max(float(np.linalg.norm(away)), 1e-6))


def lay_flat(corner: np.ndarray, right: np.ndarray, down: np.ndarray, texture: Texture) -> Quad:
    """Make a patch that faces up, for either order of its edges."""
    if right[2] * down[0] < right[0] * down[2]:
        corner, right = corner + right, -right
    return Quad(corner + LIFT, right, down, texture, VOID)


def make_car_shadows(car: Car, seconds: float, light: Light) -> list[Quad]:
    """Make the shadow under the car and the one that the sun casts beside it."""
    corner, right, down = car.footprint(seconds, 0.25)
    under = lay_flat(corner, right, down, make_patch(200, 0.35))
    return [under, lay_flat(corner + cast_point(light, 0.6), right, down, make_patch(compute_sun_strength(light), 0.3))]


def make_person_shadows(person: Person, seconds: float, light: Light) -> list[Quad]:
    """Make the shadow around the feet and the one along the ground away from the sun."""
    at = person.at(seconds)
    half = np.array([0.35, 0, 0]), np.array([0, 0, -0.35])
    away = cast_point(light, person.height)
    across = np.array([away[2], 0, -away[0]]) / max(float(np.linalg.norm(away)), 1e-6) * 0.45
    return [
        lay_flat(at - half[0] - half[1], 2 * half[0], 2 * half[1], make_patch(110, 0.9)),
        lay_flat(at - across / 2, across, away, make_patch(compute_sun_strength(light), 0.5)),
    ]
