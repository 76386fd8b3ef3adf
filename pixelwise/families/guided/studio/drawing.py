"""Masks as the page shows them over a picture: palette PNGs with opacities, a few kB each."""

import numpy as np
from PIL import Image, ImageFilter

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import VOID
from pixelwise.families.guided.runtime.model import COLOURS
from pixelwise.reporting.label_images import Palette, find_boundaries, make_colour_table

# Opacity, 0 to 255, over classes and over the background.
TINT, DIM = 105, 95
# Pixel value of a mask's outline, added to its class.
EDGE = 64
# Pixel value of the outlines of a label of any number of classes.
OUTLINE = 254
# Pixels of the longer side to which smaller masks are enlarged, so that their outlines are smooth.
SMOOTH = 900


def draw_mask(label: np.ndarray) -> bytes:
    """Draw an overlay as a PNG of a few kB: classes are tinted and outlined, the background is dimmed."""
    values = smooth_label(label)
    edge = find_boundaries(values)
    # Two pixels wide, one on each side of the change.
    edge[:, 1:] |= edge[:, :-1]
    edge[1:] |= edge[:-1]
    values[edge] += EDGE
    picture = Image.fromarray(values)
    picture.putpalette(PALETTE.ravel().tolist())
    return encode_picture(picture, transparency=bytes(ALPHA), compress_level=1)


def smooth_label(label: np.ndarray) -> np.ndarray:
    """Enlarge a label to the size of display, so that its outlines are smooth."""
    scale = SMOOTH / max(label.shape)
    if scale <= 1:
        return label.copy()
    size = round(label.shape[1] * scale), round(label.shape[0] * scale)
    smooth = np.zeros(size[::-1], np.uint8)
    for way in np.unique(label[label > 0]):
        plane = Image.fromarray(np.where(label == way, 255, 0).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
        smooth[np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) > 127] = way
    return smooth


def make_palette() -> tuple[np.ndarray, np.ndarray]:
    """Return colours (256, 3) and opacities (256,) of a mask's pixel values: classes, plus EDGE on their outlines."""
    colours, alpha = np.full((256, 3), 255, np.uint8), np.full(256, TINT, np.uint8)
    colours[: len(COLOURS)] = COLOURS
    colours[EDGE + 1 : EDGE + len(COLOURS)] = 255 - (255 - np.array(COLOURS[1:])) * 2 // 5
    alpha[0], alpha[EDGE:] = DIM, 255
    return colours, alpha


PALETTE, ALPHA = make_palette()


def draw_label(label: np.ndarray, palette: Palette, longest: int) -> bytes:
    """Draw a label (H, W) of any number of classes as an overlay: all are tinted, void is clear, outlines are light.

    longest: the most pixels of the longer side. The pixels are shown as they are, since a person corrects them.
    """
    step = -(-max(label.shape) // longest)
    values = label[::step, ::step].copy()
    values[find_boundaries(values)] = OUTLINE
    colours, alpha = make_colour_table(palette), np.full(256, TINT, np.uint8)
    colours[OUTLINE], alpha[OUTLINE], alpha[VOID] = 255, 2 * TINT, 0
    picture = Image.fromarray(values)
    picture.putpalette(colours.ravel().tolist())
    return encode_picture(picture, transparency=bytes(alpha), compress_level=1)
