"""Cars: two side views cut out along a profile, and strips of paint, glass and lights between them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town.classes import CAR
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture, make_plain

PAINTS = np.array(
    [
        (190, 192, 196), (226, 226, 224), (40, 42, 48), (92, 96, 104), (150, 30, 34), (34, 62, 120), (60, 110, 150),
        (40, 84, 60), (196, 160, 60), (120, 70, 44), (196, 188, 168), (206, 96, 40),
    ],
    dtype=np.float32,
)  # fmt: skip
GLASS = (44, 54, 64)
SCALE = 44
"""Texels a metre."""


@dataclass(frozen=True)
class Shape:
    """A kind of car. size: length, width and height in metres; profile: (n, 2) points along its top, as fractions from
    tail to nose and from ground to top; parts: material of each profile segment; windows: side windows as polygons in
    the same fractions.
    """

    size: tuple[float, float, float]
    profile: np.ndarray
    parts: tuple[str, ...]
    windows: tuple[tuple[tuple[float, float], ...], ...]


HATCH = Shape(
    (3.9, 1.7, 1.48),
    np.array([(0, 0.16), (0, 0.6), (0.1, 0.95), (0.2, 1), (0.52, 1), (0.73, 0.64), (0.97, 0.54), (1, 0.44), (1, 0.16)]),
    ("tail", "glass", "paint", "paint", "glass", "paint", "paint", "nose"),
    (((0.06, 0.63), (0.14, 0.93), (0.34, 0.94), (0.34, 0.63)), ((0.37, 0.63), (0.37, 0.94), (0.5, 0.94), (0.67, 0.63))),
)
SALOON = Shape(
    (4.6, 1.78, 1.44),
    np.array(
        [(0, 0.16), (0, 0.62), (0.15, 0.67), (0.29, 0.97), (0.36, 1), (0.54, 1), (0.72, 0.65), (0.97, 0.55), (1, 0.16)]
    ),
    ("tail", "paint", "glass", "paint", "paint", "glass", "paint", "nose"),
    (
        ((0.22, 0.66), (0.31, 0.93), (0.42, 0.94), (0.42, 0.65)),
        ((0.45, 0.65), (0.45, 0.94), (0.53, 0.94), (0.67, 0.65)),
    ),
)
VAN = Shape(
    (5.1, 1.95, 2.2),
    np.array([(0, 0.12), (0, 0.97), (0.02, 1), (0.68, 1), (0.74, 0.97), (0.86, 0.58), (0.98, 0.48), (1, 0.12)]),
    ("tail", "paint", "paint", "paint", "glass", "paint", "nose"),
    (((0.62, 0.58), (0.62, 0.92), (0.73, 0.92), (0.82, 0.58)),),
)
SHAPES = (HATCH, SALOON, VAN)


@dataclass(frozen=True)
class Car:
    """A car. position: of its middle on the ground at time 0; heading: unit direction; speed: metres per second;
    sides: pictures of the left and the right side; strips: a picture for each profile segment.
    """

    shape: Shape
    position: np.ndarray
    heading: np.ndarray
    speed: float
    instance: int
    sides: tuple[Texture, Texture]
    strips: tuple[Texture, ...]

    def at(self, seconds: float) -> np.ndarray:
        """Compute the position of the car's middle after `seconds` of traffic."""
        return self.position + self.heading * (self.speed * seconds)

    def quads(self, seconds: float) -> list[Quad]:
        """Make the car's surfaces after `seconds` of traffic."""
        length, width, height = self.shape.size
        left = np.array([-self.heading[2], 0, self.heading[0]])
        tail = self.at(seconds) - self.heading * length / 2 + left * width / 2
        up, forward = np.array([0, height, 0]), self.heading * length
        across, nose = -left * width, tail + forward
        quads = [
            Quad(nose + up, -forward, -up, self.sides[0], CAR, self.instance),
            Quad(tail + across + up, forward, -up, self.sides[1], CAR, self.instance),
        ]
        points = tail + self.shape.profile[:, :1] * forward + self.shape.profile[:, 1:] * up
        for start, end, texture in zip(points[:-1], points[1:], self.strips, strict=True):
            # A strip's picture starts at its upper edge, so the edges depend on whether the segment rises or falls.
            if end[1] > start[1]:
                quads.append(Quad(end, across, start - end, texture, CAR, self.instance))
            else:
                quads.append(Quad(start + across, -across, end - start, texture, CAR, self.instance))
        return quads

    def footprint(self, seconds: float, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute corner, right and down edge of the ground below the car, grown by `margin` metres on each side."""
        length, width = self.shape.size[0] + 2 * margin, self.shape.size[1] + 2 * margin
        left = np.array([-self.heading[2], 0, self.heading[0]])
        corner = self.at(seconds) + self.heading * length / 2 + left * width / 2
        return corner, -left * width, -self.heading * length


def draw_car(rng: np.random.Generator, position: np.ndarray, heading: np.ndarray, speed: float, instance: int) -> Car:
    """Draw a car of random shape and colour."""
    shape = SHAPES[rng.choice(len(SHAPES), p=[0.45, 0.4, 0.15])]
    paint = PAINTS[rng.integers(len(PAINTS))] * rng.uniform(0.85, 1.1) + rng.normal(0, 5, 3)
    pictures = {
        "paint": make_plain(paint),
        "glass": draw_glass(shape),
        "tail": draw_tail(shape, paint),
        "nose": draw_nose(shape, paint),
    }
    strips = tuple(pictures[part] for part in shape.parts)
    side = draw_side_view(shape, paint)
    sides = Texture.from_picture(side.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), Texture.from_picture(side)
    return Car(shape, position, heading, speed, instance, sides, strips)


def darken_paint(paint: np.ndarray, factor: float) -> tuple[int, int, int]:
    """Multiply `paint` by `factor` and clip it to integers 0–255."""
    red, green, blue = (int(value) for value in np.clip(paint * factor, 0, 255))
    return red, green, blue


def draw_side_view(shape: Shape, paint: np.ndarray) -> Image.Image:
    """Draw the car from its right side, nose to the right, transparent around it."""
    width, height = round(shape.size[0] * SCALE), round(shape.size[2] * SCALE)
    picture = Image.new("RGBA", (width, height), (*darken_paint(paint, 0.7), 0))
    pen = ImageDraw.Draw(picture)

    def scaled(points: np.ndarray | tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(x * (width - 1), (1 - y) * (height - 1)) for x, y in points]

    pen.polygon(scaled(shape.profile), (*darken_paint(paint, 1), 255))
    # Widen the outline, so that no gap shows between the side and the strips.
    pen.line(scaled(shape.profile), (*darken_paint(paint, 1), 255), 3)
    pen.rectangle((0.01 * width, 0.62 * height, 0.99 * width, 0.84 * height), (*darken_paint(paint, 0.86), 255))
    pen.rectangle((0.02 * width, 0.77 * height, 0.98 * width, 0.85 * height), (*darken_paint(paint, 0.5), 255))
    for window in shape.windows:
        pen.polygon(scaled(window), (*GLASS, 255))
        pen.line(scaled(window[1:3]), (*(2 * value for value in GLASS), 255), 3)
    for x in (0.36, 0.7 if shape is not VAN else 0.6):
        pen.line(scaled(((x, 0.62), (x, 0.22))), (*darken_paint(paint, 0.62), 255), 1)
    pen.rectangle((0, 0.42 * height, 0.02 * width, 0.54 * height), (170, 30, 30, 255))
    pen.rectangle((0.965 * width, 0.48 * height, width, 0.56 * height), (240, 236, 210, 255))
    radius = 0.31 * SCALE
    for x in (0.19, 0.81):
        draw_wheel(pen, x * width, height - radius, radius)
    return picture


def draw_wheel(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    """Draw a wheel: arch, tyre and rim."""
    for size, tone in (
        (1.2, (24, 24, 26, 255)),
        (1.0, (38, 38, 40, 255)),
        (0.6, (150, 152, 156, 255)),
        (0.2, (70, 70, 74, 255)),
    ):
        bottom = min(y + radius * size, y + radius)
        pen.ellipse((x - radius * size, y - radius * size, x + radius * size, bottom), tone)


def draw_glass(shape: Shape) -> Texture:
    """Draw a windscreen in a narrow frame that reflects the sky at its top."""
    width = round(shape.size[1] * SCALE)
    picture = Image.new("RGB", (width, 32), (30, 32, 36))
    pen = ImageDraw.Draw(picture)
    for row in range(2, 31):
        pen.line((4, row, width - 5, row), darken_paint(np.array(GLASS, np.float32), 2.1 - row / 26))
    return Texture.from_picture(picture)


def draw_tail(shape: Shape, paint: np.ndarray) -> Texture:
    """Draw the tail below the rear window: red lights, number plate, bumper."""
    width, height = round(shape.size[1] * SCALE), 40
    picture = Image.new("RGB", (width, height), darken_paint(paint, 0.95))
    pen = ImageDraw.Draw(picture)
    if shape is VAN:
        pen.rectangle((6, 3, width - 7, 14), GLASS)
        pen.line((width // 2, 0, width // 2, height), darken_paint(paint, 0.6))
    top = 20 if shape is VAN else 5
    for left in (2, width - 15):
        pen.rectangle((left, top, left + 12, top + 9), (186, 26, 28))
    pen.rectangle((width // 2 - 11, top + 8, width // 2 + 11, top + 14), (232, 228, 200))
    pen.rectangle((0, height - 10, width, height), darken_paint(paint, 0.55))
    return Texture.from_picture(picture)


def draw_nose(shape: Shape, paint: np.ndarray) -> Texture:
    """Draw the front below the bonnet: lamps, grille, number plate, bumper."""
    width, height = round(shape.size[1] * SCALE), 32
    picture = Image.new("RGB", (width, height), darken_paint(paint, 0.98))
    pen = ImageDraw.Draw(picture)
    for left in (2, width - 19):
        pen.ellipse((left, 3, left + 16, 14), (246, 244, 226))
    pen.rectangle((22, 6, width - 23, 13), (34, 36, 40))
    pen.rectangle((width // 2 - 11, 17, width // 2 + 11, 22), (236, 234, 224))
    pen.rectangle((0, height - 8, width, height), darken_paint(paint, 0.5))
    return Texture.from_picture(picture)
