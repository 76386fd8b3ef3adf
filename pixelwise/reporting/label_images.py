"""Label maps as pictures: colours, overlays, error maps and legends. NumPy and Pillow only: predict uses it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import VOID

Palette = Sequence[Sequence[int]]
Picture = NDArray[np.uint8]  # (H, W, 3) RGB

# VOC's colour of void: no data set gives it to a class, while many give black to one.
VOID_COLOUR = (224, 224, 192)
WRONG_COLOUR = (214, 30, 50)
INK = (32, 36, 44)
PAPER = (255, 255, 255)


def make_colour_table(palette: Palette) -> NDArray[np.uint8]:
    """(256, 3) colours: the classes' own, then black, and void's."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    table[VOID] = VOID_COLOUR
    return table


def colourise(label: np.ndarray, palette: Palette) -> Picture:
    """The (H, W) class map in colours."""
    return make_colour_table(palette)[label]


def encode_label(label: NDArray[np.uint8], palette: Palette) -> bytes:
    """A PNG whose pixel values are the class indices and which every viewer shows in the classes' colours."""
    picture = Image.fromarray(label)
    picture.putpalette(make_colour_table(palette).ravel().tolist())
    return encode_picture(picture)


def overlay(image: Picture, prediction: np.ndarray, palette: Palette, alpha: float = 0.5) -> Picture:
    """`image` tinted by the colour of each pixel's class, with a light line where the class changes.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> model, image = pixelwise.open_model(Path("models/fcn")), pixelwise.read_picture(Path("disc.png"))
    >>> pixelwise.overlay(image, model.predict(image[None])[0], model.palette).shape
    (80, 120, 3)
    """
    tint = colourise(prediction, palette).astype(np.float32)
    mixed = image + np.float32(alpha) * (tint - image)
    edge = find_boundaries(prediction)
    mixed[edge] += 0.6 * (255 - mixed[edge])
    return np.rint(mixed).astype(np.uint8)


def find_boundaries(label: np.ndarray) -> NDArray[np.bool_]:
    """The pixels of the (H, W) map whose right or lower neighbour is of another class."""
    edge = np.zeros(label.shape, bool)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def draw_error_map(image: Picture, label: np.ndarray, prediction: np.ndarray) -> Picture:
    """`image` in pale grey, wrong pixels in red, void in its own colour."""
    grey = 96 + 0.55 * image.mean(axis=2, keepdims=True)
    picture = np.broadcast_to(grey, image.shape).astype(np.uint8)
    picture[(label != prediction) & (label != VOID)] = WRONG_COLOUR
    picture[label == VOID] = VOID_COLOUR
    return picture


def draw_legend(entries: Sequence[tuple[str, Sequence[int]]], width: int, size: int = 14) -> Picture:
    """A strip `width` pixels wide of colour patches with names, in as many lines as needed; `size` of the letters."""
    font = ImageFont.load_default(size)
    patch, gap, line = size, size // 2, round(size * 1.75)
    places, x, y = [], gap, gap // 2
    for name, _ in entries:
        step = patch + gap + round(font.getlength(name)) + 2 * gap
        if x > gap and x + step - gap > width:
            x, y = gap, y + line
        places.append((x, y))
        x += step
    strip = Image.new("RGB", (width, y + line + gap // 2), PAPER)
    draw = ImageDraw.Draw(strip)
    for (name, colour), (left, top) in zip(entries, places, strict=True):
        box = (left, top + (line - patch) // 2, left + patch, top + (line + patch) // 2)
        draw.rounded_rectangle(box, radius=3, fill=tuple(colour), outline=(120, 126, 138))
        draw.text((left + patch + gap, top + line / 2), name, font=font, fill=INK, anchor="lm")
    return np.asarray(strip)
