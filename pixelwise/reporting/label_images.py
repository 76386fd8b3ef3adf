"""Label maps as pictures: colours, overlays, error maps and legends.

It imports NumPy and Pillow only, because predict uses it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import VOID

Palette = Sequence[Sequence[int]]
Picture = NDArray[np.uint8]  # (H, W, 3) RGB

# VOC's void colour. No data set uses it for a class; many use black for one.
VOID_COLOUR = (224, 224, 192)
WRONG_COLOUR = (214, 30, 50)
# Rows of an overlay that are computed at a time: fractions of all pixels would take twelve times the picture's memory.
STRIP = 256
INK = (32, 36, 44)
PAPER = (255, 255, 255)


def make_colour_table(palette: Palette) -> NDArray[np.uint8]:
    """(256, 3) colours by label value: the classes' colours, black for unused values, the void colour for 255."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    table[VOID] = VOID_COLOUR
    return table


def colourise(label: np.ndarray, palette: Palette) -> Picture:
    """Convert the (H, W) class map to colours, (H, W, 3) uint8."""
    return make_colour_table(palette)[label]


def encode_label(label: NDArray[np.uint8], palette: Palette) -> bytes:
    """A palette PNG: its pixel values are the class indices, and viewers show them in the classes' colours."""
    picture = Image.fromarray(label)
    picture.putpalette(make_colour_table(palette).ravel().tolist())
    return encode_picture(picture)


def encode_confidence(confidence: np.ndarray) -> bytes:
    """A greyscale PNG of a confidence (H, W) in 0 to 1: 0 is black, 1 is 255, white."""
    return encode_picture(np.rint(255 * confidence).astype(np.uint8))


def overlay(image: Picture, prediction: np.ndarray, palette: Palette, alpha: float = 0.5) -> Picture:
    """Tint `image` with the colour of each pixel's class, and draw a light line where the class changes.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> model, image = pixelwise.open_model(Path("models/fcn")), pixelwise.read_picture(Path("disc.png"))
    >>> pixelwise.overlay(image, model.predict(image[None])[0], model.palette).shape
    (80, 120, 3)
    """
    table, found = make_colour_table(palette), np.empty_like(image)
    for top in range(0, len(image), STRIP):
        # One row more, since a line lies where the next row has another class.
        label = prediction[top : top + STRIP + 1]
        rows = image[top : top + STRIP]
        edge = find_boundaries(label)[: len(rows)]
        mixed = rows + np.float32(alpha) * (table[label[: len(rows)]].astype(np.float32) - rows)
        mixed[edge] += 0.6 * (255 - mixed[edge])
        found[top : top + STRIP] = np.rint(mixed)
    return found


def find_boundaries(label: np.ndarray) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels of the map whose right or lower neighbour has another class."""
    edge = np.zeros(label.shape, bool)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def draw_error_map(image: Picture, label: np.ndarray, prediction: np.ndarray) -> Picture:
    """Draw `image` in pale grey, with wrong pixels in red and void pixels in the void colour."""
    grey = 96 + 0.55 * image.mean(axis=2, keepdims=True)
    picture = np.broadcast_to(grey, image.shape).astype(np.uint8)
    picture[(label != prediction) & (label != VOID)] = WRONG_COLOUR
    picture[label == VOID] = VOID_COLOUR
    return picture


def draw_legend(entries: Sequence[tuple[str, Sequence[int]]], width: int, size: int = 14) -> Picture:
    """Draw colour patches with names in a strip `width` pixels wide, wrapped into lines; `size`: font size."""
    font = ImageFont.load_default(size)
    patch, gap, line = size, size // 2, round(size * 1.75)
    corners, x, y = [], gap, gap // 2
    for name, _ in entries:
        step = patch + gap + round(font.getlength(name)) + 2 * gap
        if x > gap and x + step - gap > width:
            x, y = gap, y + line
        corners.append((x, y))
        x += step
    strip = Image.new("RGB", (width, y + line + gap // 2), PAPER)
    draw = ImageDraw.Draw(strip)
    for (name, colour), (left, top) in zip(entries, corners, strict=True):
        box = (left, top + (line - patch) // 2, left + patch, top + (line + patch) // 2)
        draw.rounded_rectangle(box, radius=3, fill=tuple(colour), outline=(120, 126, 138))
        draw.text((left + patch + gap, top + line / 2), name, font=font, fill=INK, anchor="lm")
    return np.asarray(strip)
