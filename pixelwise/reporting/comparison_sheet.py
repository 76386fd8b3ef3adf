"""Comparison sheet: the predictions of several nets for the same image, titled, side by side and wrapped into lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixelwise.reporting.label_images import INK, PAPER, Picture, draw_legend
from pixelwise.reporting.prediction_grid import FAINT

TILE = (300, 225)  # pixels: width and height of the box that a picture is fitted into
COLUMNS = 5
GAP, MARGIN, TITLE, CAPTION = 8, 20, 26, 34


@dataclass(frozen=True)
class SheetRow:
    """One image: a caption, and (title, picture (H, W, 3)) of each tile; the first tile is a photograph."""

    caption: str
    tiles: Sequence[tuple[str, Picture]]


def draw_sheet(rows: Sequence[SheetRow], entries: Sequence[tuple[str, Sequence[int]]]) -> Image.Image:
    """Draw all rows as one picture, with the legend of (name, colour) `entries` below."""
    columns = min(COLUMNS, max(len(row.tiles) for row in rows))
    width = 2 * MARGIN + columns * (TILE[0] + GAP) - GAP
    strips = [draw_row(row, columns, width) for row in rows]
    strips.append(
        np.pad(draw_legend(entries, width - 2 * MARGIN), ((8, 8), (MARGIN, MARGIN), (0, 0)), constant_values=255)
    )
    return Image.fromarray(np.concatenate(strips))


def draw_row(row: SheetRow, columns: int, width: int) -> Picture:
    """Draw the caption and the tiles of one image, with `columns` tiles per line."""
    tiles = [fit_to_tile(picture, is_photo=index == 0) for index, (_, picture) in enumerate(row.tiles)]
    line = TITLE + max(tile.height for tile in tiles) + GAP
    strip = Image.new("RGB", (width, CAPTION + line * -(-len(tiles) // columns)), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((MARGIN, CAPTION - 8), row.caption, font=ImageFont.load_default(16), fill=FAINT, anchor="ls")
    for index, (tile, (title, _)) in enumerate(zip(tiles, row.tiles, strict=True)):
        left, top = MARGIN + index % columns * (TILE[0] + GAP), CAPTION + index // columns * line
        draw.text((left + TILE[0] // 2, top + TITLE - 7), title, font=ImageFont.load_default(15), fill=INK, anchor="ms")
        strip.paste(tile, (left + (TILE[0] - tile.width) // 2, top + TITLE))
    return np.asarray(strip)


def fit_to_tile(picture: Picture, is_photo: bool) -> Image.Image:
    """Resize the picture to a tile; a label map is resized without mixing class colours."""
    scale = min(TILE[0] / picture.shape[1], TILE[1] / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS if is_photo else Image.Resampling.NEAREST)
