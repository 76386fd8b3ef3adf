"""Pictures of walls and roofs: brick and plaster, windows, doors, shops, tiles."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town.texture import convert_to_uint8, cut_grain, make_smooth_noise

STOREY = 3.0
"""Metres from floor to floor."""

WALLS = np.array(
    [
        (176, 92, 70), (150, 74, 58), (196, 128, 92), (120, 70, 60),  # brick
        (226, 214, 190), (238, 236, 228), (222, 190, 140), (206, 150, 122), (170, 186, 190),  # plaster
        (152, 168, 140), (214, 176, 174), (236, 216, 150), (140, 150, 170), (176, 172, 164),
        (128, 126, 122), (96, 100, 108),
    ],
    dtype=np.float32,
)  # fmt: skip
ROOFS = np.array([(150, 80, 60), (120, 62, 52), (92, 92, 98), (74, 78, 86), (110, 96, 84), (168, 104, 72)], np.float32)
ACCENTS = ((150, 40, 40), (40, 90, 60), (40, 60, 120), (190, 140, 40), (60, 60, 66), (120, 60, 110), (230, 225, 215))


@dataclass(frozen=True)
class Style:
    """Appearance of one building: wall colour, brick or plaster, windows, roof colour, shop on the ground floor.

    window_width, window_pitch: metres. accent: colour of door, shutters and shop. lit: share of lit windows.
    """

    wall: np.ndarray
    is_brick: bool
    frame: tuple[int, int, int]
    window_width: float
    window_pitch: float
    has_shutters: bool
    roof: np.ndarray
    accent: tuple[int, int, int]
    is_shop: bool
    lit: float


def draw_style(rng: np.random.Generator, shops: float, lit: float) -> Style:
    """Draw a style. shops: share of buildings with a shop; lit: share of lit windows."""
    number = rng.integers(len(WALLS))
    return Style(
        wall=WALLS[number] * rng.uniform(0.85, 1.08) + rng.normal(0, 6, 3),
        is_brick=bool(number < 4 or rng.random() < 0.1),
        frame=(235, 235, 230) if rng.random() < 0.65 else (70, 56, 48),
        window_width=rng.uniform(0.95, 1.35),
        window_pitch=rng.uniform(1.7, 2.5),
        has_shutters=rng.random() < 0.2,
        roof=ROOFS[rng.integers(len(ROOFS))] * rng.uniform(0.85, 1.1),
        accent=ACCENTS[rng.integers(len(ACCENTS))],
        is_shop=rng.random() < shops,
        lit=lit,
    )


def draw_wall(rng: np.random.Generator, style: Style, width: float, height: float, scale: float) -> Image.Image:
    """Draw a bare wall of width × height metres, `scale` texels per metre: material, stains, darker foot and eaves."""
    rows, columns = max(round(height * scale), 4), max(round(width * scale), 4)
    tone = 1 + 0.035 * cut_grain(rng, rows, columns) + 0.05 * make_smooth_noise(rng, rows, columns, 4)
    if style.is_brick:
        tone = tone * draw_bricks(rows, columns, scale)
    down = np.arange(rows)[:, None] / scale
    tone = tone * (1 - 0.32 * np.exp(-down / 0.35)) * (1 - 0.28 * np.exp((down - height) / 0.5))
    return Image.fromarray(convert_to_uint8(style.wall * tone[..., None]))


def draw_bricks(rows: int, columns: int, scale: float) -> np.ndarray:
    """Draw bricks of 0.3 × 0.125 m with lighter joints, as brightness (rows, columns)."""
    y, x = np.arange(rows)[:, None] / scale / 0.125, np.arange(columns)[None] / scale / 0.3
    course = np.floor(y).astype(int)
    brick = np.floor(x + 0.5 * (course % 2)).astype(int)
    tone = 0.9 + 0.16 * ((brick * 7919 + course * 104729) % 97 / 97)
    return np.where((y - course) < 0.2, 1.1, tone).astype(np.float32)


def draw_facade(rng: np.random.Generator, style: Style, width: float, height: float, scale: float) -> Image.Image:
    """Draw a street front: storeys of windows above a ground floor with a door or a shop."""
    picture = draw_wall(rng, style, width, height, scale)
    pen = Pen(picture, scale)
    storeys = max(int(height / STOREY), 1)
    for storey in range(1, storeys):
        top = height - (storey + 1) * STOREY + 0.75
        draw_windows(rng, pen, style, width, top, 1.55)
        if style.is_shop and storey == 1:
            pen.box(0, top + 1.95, width, 0.12, darken(style.wall, 0.8))
    (draw_shop_front if style.is_shop else draw_house_front)(rng, pen, style, width, height)
    pen.box(0, 0, width, 0.14, darken(style.wall, 0.62))
    pen.box(width - 0.12, 0, 0.1, height, darken(style.wall, 0.55))
    return picture


class Pen:
    """Draws on a picture in metres from its top left corner."""

    def __init__(self, picture: Image.Image, scale: float) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.scale = scale

    def box(self, x: float, y: float, width: float, height: float, colour: tuple[int, ...]) -> None:
        """Draw a filled box."""
        corners = [round(value * self.scale) for value in (x, y, x + width, y + height)]
        self.draw.rectangle(
            (corners[0], corners[1], max(corners[2] - 1, corners[0]), max(corners[3] - 1, corners[1])), colour
        )


def darken(colour: np.ndarray | tuple[int, ...], factor: float) -> tuple[int, ...]:
    """Multiply `colour` by `factor` and clip it to integers 0–255."""
    return tuple(min(max(int(value * factor), 0), 255) for value in colour)


def draw_windows(rng: np.random.Generator, pen: Pen, style: Style, width: float, top: float, height: float) -> None:
    """Draw a row of windows across `width`."""
    count = max(int((width - 0.8) / style.window_pitch), 1)
    for left in (np.arange(count) + 0.5) * width / count - style.window_width / 2:
        draw_window(rng, pen, style, left, top, height)


def draw_window(rng: np.random.Generator, pen: Pen, style: Style, left: float, top: float, height: float) -> None:
    """Draw one window: reveal, frame, panes (lit or reflecting the sky), optional curtain, sill, optional shutters."""
    width = style.window_width
    pen.box(left - 0.1, top - 0.1, width + 0.2, height + 0.2, darken(style.wall, 0.72))
    pen.box(left, top, width, height, style.frame)
    is_lit = rng.random() < style.lit
    glass = np.array((255, 214, 140) if is_lit else (96, 112, 128)) * rng.uniform(0.55, 1.15)
    pane = width / 2 - 0.11
    for side in (left + 0.07, left + width / 2 + 0.04):
        pen.box(side, top + 0.08, pane, height - 0.16, darken(glass, 0.62))
        pen.box(side, top + 0.08, pane, (height - 0.16) * rng.uniform(0.3, 0.6), darken(glass, 1.0))
    if rng.random() < 0.3:
        pen.box(left + 0.07, top + 0.08, width * 0.3, height - 0.16, (214, 208, 196))
    pen.box(left - 0.14, top + height, width + 0.28, 0.1, darken(style.wall, 1.25))
    if style.has_shutters:
        for side in (left - 0.52, left + width + 0.08):
            pen.box(side, top, 0.44, height, style.accent)


def draw_house_front(rng: np.random.Generator, pen: Pen, style: Style, width: float, height: float) -> None:
    """Draw a ground floor with one door and windows beside it."""
    pen.box(0, height - 0.45, width, 0.45, darken(style.wall, 0.66))
    at = rng.choice([0.2, 0.5, 0.8]) * width - 0.5
    count = max(int((width - 0.8) / style.window_pitch), 1)
    for left in (np.arange(count) + 0.5) * width / count - style.window_width / 2:
        if abs(left + style.window_width / 2 - at - 0.5) > 0.8 + style.window_width / 2:
            draw_window(rng, pen, style, left, height - 2.35, 1.4)
    pen.box(at - 0.14, height - 2.5, 1.28, 2.5, style.frame)
    pen.box(at, height - 2.35, 1.0, 2.35, style.accent)
    pen.box(at + 0.15, height - 2.2, 0.7, 0.6, (90, 104, 116))
    pen.box(at - 0.2, height - 0.15, 1.4, 0.15, (150, 148, 144))


def draw_shop_front(rng: np.random.Generator, pen: Pen, style: Style, width: float, height: float) -> None:
    """Draw a shop's ground floor: shop windows with goods, a door, and a sign with letters."""
    top = height - STOREY
    pen.box(0, top, width, STOREY, darken(style.accent, 0.7))
    pen.box(0.15, top + 0.1, width - 0.3, 0.55, style.accent)
    for left in np.arange(0.8, width - 1.2, 0.34):
        if rng.random() < 0.8:
            pen.box(left, top + 0.2, rng.uniform(0.1, 0.24), 0.34, darken((250, 244, 226), rng.uniform(0.8, 1)))
    panes = max(int(width / 2.2), 2)
    pane = (width - 0.4) / panes
    door = rng.integers(panes)
    for index in range(panes):
        left = 0.2 + index * pane
        bottom = 0.1 if index == door else 0.5
        pen.box(left + 0.06, top + 0.8, pane - 0.12, STOREY - 0.8 - bottom, (52, 60, 68))
        pen.box(left + 0.06, top + 0.8, pane - 0.12, 0.7, (104, 118, 130))
        for _ in range(0 if index == door else 5):
            x, tall = rng.uniform(0.1, pane - 0.5), rng.uniform(0.3, 0.9)
            pen.box(left + x, height - bottom - tall, 0.3, tall, tuple(rng.integers(60, 220, 3).tolist()))


def draw_awning(style: Style, width: float) -> Image.Image:
    """Draw striped cloth of `width` metres with a hanging edge."""
    stripes = (np.arange(max(round(width * 12), 8)) // 5) % 2
    colour = np.where(stripes[:, None] == 0, np.array(style.accent), np.array((232, 228, 218)))
    rows = np.linspace(1.05, 0.8, 16)
    rows[12:] *= 0.8
    return Image.fromarray(convert_to_uint8(colour[None] * rows[:, None, None]))


def draw_roof(rng: np.random.Generator, style: Style, width: float, length: float, scale: float) -> Image.Image:
    """Draw a slope of tiles: `width` metres along the eaves, `length` metres from ridge to eaves."""
    rows, columns = max(round(length * scale), 4), max(round(width * scale), 4)
    y, x = np.arange(rows)[:, None] / scale / 0.32, np.arange(columns)[None] / scale / 0.25
    course = np.floor(y).astype(int)
    tile = np.floor(x + 0.5 * (course % 2)).astype(int)
    tone = 0.86 + 0.2 * ((tile * 7919 + course * 104729) % 89 / 89) - 0.22 * ((y - course) > 0.75)
    tone = tone + 0.06 * make_smooth_noise(rng, rows, columns, 3) + 0.03 * cut_grain(rng, rows, columns)
    return Image.fromarray(convert_to_uint8(style.roof * tone[..., None]))
