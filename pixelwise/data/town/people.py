"""People: cut-out figures whose legs and arms swing as they walk."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import PEDESTRIAN
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture
from pixelwise.data.town.trees import make_billboard

ROWS, COLUMNS = 150, 84
WIDTH_TO_HEIGHT = COLUMNS / ROWS
FIGURE_NORMAL = np.array([0.0, 0.7, 0.0])
STRIDE = 1.45
"""Metres of two steps."""
SKINS = ((236, 200, 172), (214, 166, 130), (164, 112, 80), (112, 74, 54), (84, 56, 44))
HAIRS = ((40, 30, 26), (88, 60, 40), (150, 112, 64), (120, 120, 122), (30, 30, 34), (190, 160, 100))
CLOTHES = (
    (150, 40, 44), (40, 60, 110), (60, 100, 70), (212, 206, 196), (44, 44, 50), (196, 150, 60), (110, 84, 120),
    (120, 140, 160), (90, 70, 56), (200, 110, 110), (230, 225, 220), (70, 120, 140),
)  # fmt: skip
TROUSERS = ((40, 50, 80), (50, 50, 54), (96, 86, 72), (30, 30, 34), (120, 110, 96), (70, 80, 110))
Tone = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Person:
    """A person. position: at time 0; velocity: metres per second, 0 if standing; phase: of the step, 0–1."""

    position: np.ndarray
    velocity: np.ndarray
    height: float
    phase: float
    instance: int
    skin: Tone
    hair: Tone
    top: Tone
    legs: Tone
    has_skirt: bool
    has_bag: bool

    def at(self, seconds: float) -> np.ndarray:
        """The person's position after `seconds` of walking."""
        return self.position + self.velocity * seconds

    def quads(self, camera: Camera, seconds: float) -> list[Quad]:
        """Make the person's picture, turned to the camera."""
        place = self.at(seconds)
        texture = draw_figure(self, round(8 * self.swing(seconds)) / 8, round(4 * self.sideways(camera, place)) / 4)
        width = self.height * WIDTH_TO_HEIGHT
        return [make_billboard(camera, place, width, self.height, texture, PEDESTRIAN, self.instance, FIGURE_NORMAL)]

    def swing(self, seconds: float) -> float:
        """Compute how far apart the legs are, −1 to 1."""
        speed = float(np.linalg.norm(self.velocity))
        if not speed:
            return 0.12
        return float(np.sin(2 * np.pi * (self.phase + speed * seconds / STRIDE)))

    def sideways(self, camera: Camera, place: np.ndarray) -> float:
        """Compute the walking direction across the view: −1 left, 0 towards or away from the camera, 1 right."""
        away = place - camera.position
        across = np.array([away[2], 0, -away[0]]) / max(float(np.hypot(away[0], away[2])), 1e-6)
        speed = float(np.linalg.norm(self.velocity))
        return float(across @ self.velocity) / speed if speed else 0.2


@lru_cache(maxsize=256)
def draw_figure(person: Person, swing: float, sideways: float) -> Texture:
    """Draw a person at one moment of a step."""
    picture = Image.new("RGBA", (COLUMNS, ROWS), (*person.top, 0))
    pen = ImageDraw.Draw(picture)
    middle, reach = COLUMNS / 2, swing * sideways
    lift = (1 - abs(sideways)) * swing * 5
    half = 15 - 4 * abs(sideways)
    draw_arm(pen, person, middle, half, -reach, back=True)
    draw_leg(pen, person, middle - 5 * (1 - abs(sideways)), -reach, max(-lift, 0), shade_colour(person.legs, 0.78))
    draw_leg(pen, person, middle + 5 * (1 - abs(sideways)), reach, max(lift, 0), person.legs)
    draw_body(pen, person, middle, half)
    draw_arm(pen, person, middle, half, reach, back=False)
    draw_head(pen, person, middle, sideways)
    return Texture.from_picture(picture)


def shade_colour(tone: Tone, factor: float) -> Tone:
    """Multiply a tone by `factor`; clip at 255."""
    return tuple(min(int(value * factor), 255) for value in tone)


def draw_leg(pen: ImageDraw.ImageDraw, person: Person, hip: float, reach: float, lift: float, tone: Tone) -> None:
    """Draw thigh, shin and shoe; a leg that is behind is bent."""
    knee = hip + 11 * reach, 108 - lift * 0.5
    foot = hip + 24 * reach, 142 - lift - (3 if reach < -0.3 else 0)
    below = person.skin if person.has_skirt else tone
    pen.line([(hip, 78), knee], (*tone, 255), 12)
    pen.line([knee, foot], (*below, 255), 9)
    pen.ellipse((knee[0] - 5, knee[1] - 5, knee[0] + 5, knee[1] + 5), (*tone, 255))
    pen.ellipse((foot[0] - 6, foot[1] - 1, foot[0] + 7, foot[1] + 7), (34, 30, 30, 255))


def draw_body(pen: ImageDraw.ImageDraw, person: Person, middle: float, half: float) -> None:
    """Draw the torso with one side shaded, an optional skirt and an optional bag."""
    shoulders, waist = half, half * 0.78
    outline = [
        (middle - shoulders, 34),
        (middle - shoulders * 0.6, 28),
        (middle + shoulders * 0.6, 28),
        (middle + shoulders, 34),
    ]
    pen.polygon([*outline, (middle + waist, 82), (middle - waist, 82)], (*person.top, 255))
    pen.polygon(
        [(middle - shoulders, 34), (middle - half * 0.3, 28), (middle - waist * 0.3, 82), (middle - waist, 82)],
        (*shade_colour(person.top, 0.8), 255),
    )
    if person.has_skirt:
        pen.polygon(
            [(middle - waist, 76), (middle + waist, 76), (middle + half + 3, 108), (middle - half - 3, 108)],
            (*person.legs, 255),
        )
    if person.has_bag:
        pen.line((middle - half * 0.7, 30, middle + half, 74), (*shade_colour(person.legs, 0.6), 255), 2)
        pen.rectangle((middle + half - 3, 70, middle + half + 8, 86), (*shade_colour(person.legs, 0.6), 255))


def draw_arm(pen: ImageDraw.ImageDraw, person: Person, middle: float, half: float, reach: float, *, back: bool) -> None:
    """Draw a sleeve and a hand; arms swing opposite to the legs."""
    side = -1 if back else 1
    shoulder = middle + side * half * 0.86
    hand = shoulder - 20 * reach, 82 - 3 * abs(reach)
    pen.line(
        [(shoulder, 35), ((shoulder + hand[0]) / 2 + 1, 58), hand],
        (*shade_colour(person.top, 0.72 if back else 0.92), 255),
        8,
    )
    pen.ellipse((hand[0] - 4, hand[1] - 3, hand[0] + 4, hand[1] + 6), (*person.skin, 255))


def draw_head(pen: ImageDraw.ImageDraw, person: Person, middle: float, sideways: float) -> None:
    """Draw neck, face and hair, turned in the walking direction."""
    at = middle + 2 * sideways
    pen.rectangle((middle - 4, 22, middle + 4, 30), (*shade_colour(person.skin, 0.8), 255))
    pen.ellipse((at - 9, 4, at + 9, 26), (*person.skin, 255))
    pen.chord((at - 10, 2, at + 10, 24), 180, 360, (*person.hair, 255))
    back = (at - 10, 8, at - 3, 22) if sideways > 0 else (at + 3, 8, at + 10, 22)
    pen.ellipse(back, (*person.hair, 255))


def draw_person(rng: np.random.Generator, position: np.ndarray, velocity: np.ndarray, instance: int) -> Person:
    """Draw a person of random appearance."""
    return Person(
        position=position,
        velocity=velocity,
        height=rng.uniform(1.55, 1.9) if rng.random() < 0.85 else rng.uniform(1.0, 1.35),
        phase=rng.random(),
        instance=instance,
        skin=SKINS[rng.integers(len(SKINS))],
        hair=HAIRS[rng.integers(len(HAIRS))],
        top=CLOTHES[rng.integers(len(CLOTHES))],
        legs=TROUSERS[rng.integers(len(TROUSERS))],
        has_skirt=rng.random() < 0.2,
        has_bag=rng.random() < 0.35,
    )
