"""The picture grid: image, truth, prediction and error side by side, one row per image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixelwise.reporting.label_images import (
    INK,
    PAPER,
    VOID_COLOUR,
    WRONG_COLOUR,
    Palette,
    Picture,
    colourise,
    draw_error_map,
    draw_legend,
)

COLUMNS = ("image", "truth", "prediction", "error")
TILE = (400, 300)  # pixels: width and height of the box that a picture is fitted into
GAP, MARGIN, HEAD, CAPTION = 8, 24, 40, 36
FAINT = (110, 116, 128)


@dataclass(frozen=True)
class GridRow:
    """One image of the grid. label, prediction: (H, W); image: (H, W, 3); caption: text drawn above them."""

    caption: str
    image: Picture
    label: np.ndarray
    prediction: np.ndarray


def draw_grid(rows: Sequence[GridRow], names: Sequence[str], palette: Palette) -> Image.Image:
    """Draw the grid as one picture, with titles above and the class legend below."""
    width = 2 * MARGIN + len(COLUMNS) * (TILE[0] + GAP) - GAP
    entries = [*zip(names, palette, strict=True), ("void", VOID_COLOUR), ("wrong", WRONG_COLOUR)]
    key = Image.fromarray(draw_legend(entries, width - 2 * MARGIN, size=17))
    tiles = [draw_row_tiles(row, palette) for row in rows]
    heights = [CAPTION + max(tile.height for tile in row) for row in tiles]
    sheet = Image.new("RGB", (width, HEAD + sum(heights) + MARGIN + key.height + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(COLUMNS):
        draw.text(
            (find_column_centre(column), HEAD - 14), title, font=ImageFont.load_default(20), fill=INK, anchor="mm"
        )
    top = HEAD
    for row, line, height in zip(rows, tiles, heights, strict=True):
        draw.text((MARGIN, top + CAPTION - 8), row.caption, font=ImageFont.load_default(18), fill=FAINT, anchor="ls")
        for column, tile in enumerate(line):
            sheet.paste(tile, (find_column_centre(column) - tile.width // 2, top + CAPTION))
        top += height
    sheet.paste(key, (MARGIN, top + MARGIN // 2))
    return sheet


def find_column_centre(column: int) -> int:
    """Compute the horizontal centre of a column in pixels."""
    return MARGIN + column * (TILE[0] + GAP) + TILE[0] // 2


def draw_row_tiles(row: GridRow, palette: Palette) -> list[Image.Image]:
    """Draw the row's four pictures, resized to fit the tile; resizing never mixes class colours."""
    photo = Image.fromarray(row.image)
    scale = min(TILE[0] / photo.width, TILE[1] / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    maps = (
        colourise(row.label, palette),
        colourise(row.prediction, palette),
        draw_error_map(row.image, row.label, row.prediction),
    )
    flat = [Image.fromarray(picture).resize(size, Image.Resampling.NEAREST) for picture in maps]
    return [photo.resize(size, Image.Resampling.LANCZOS), *flat]
