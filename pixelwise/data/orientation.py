"""Turn pictures upright: the one rule for readers, verbs, servers, and masks against their pictures.

Cameras store the sensor's pixels and an EXIF tag that says how to turn them. Most labelling tools show the turned
picture, so that a mask fits the turned one. Some ignore the tag, so that their masks fit the stored pixels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

TAG = 0x0112
UPRIGHT = 1
# How masks were drawn where their shape cannot tell.
Drawn = Literal["upright", "stored"]


def read_orientation(picture: Image.Image) -> int:
    """Read the EXIF orientation of an opened picture, 1 to 8; 1, upright, where there is none or an unknown one.

    Call it before the pixels are loaded, since Pillow turns a TIFF and removes its tag as it loads.
    Raises Pillow's errors at damaged EXIF data.
    """
    found = picture.getexif().get(TAG, UPRIGHT)
    return found if found in range(1, 9) else UPRIGHT


def turn_upright(picture: Image.Image) -> None:
    """Turn a picture upright by its own tag, in place, and remove the tag.

    Raises Pillow's errors at damaged EXIF data.
    """
    ImageOps.exif_transpose(picture, in_place=True)


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored `pixels` (H, W, …) upright: a view, of exchanged sides for orientations 5 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


@dataclass(frozen=True)
class Upright:
    """A picture that was turned upright: its width and height, and the orientation that it was stored with.

    drawn: whether its maps were drawn on the upright or on the stored picture, where their shape cannot tell.
    """

    size: tuple[int, int]
    orientation: int = UPRIGHT
    drawn: Drawn = "upright"

    @property
    def is_ambiguous(self) -> bool:
        """Whether the picture was turned, and maps have one shape drawn on the upright and on the stored picture."""
        return self.orientation != UPRIGHT and (self.orientation < 5 or self.size[0] == self.size[1])

    def turn_map(self, values: np.ndarray) -> np.ndarray:
        """Turn a map (H, W, …) with its picture if it was drawn on the stored one.

        Where the map's shape fits only the upright or only the stored picture, the shape decides; where it fits both,
        `drawn` does. A map that fits neither is returned unchanged.
        """
        width, height = self.size
        stored = (height, width) if self.orientation >= 5 else self.size
        fits = {"upright": values.shape[1::-1] == self.size, "stored": values.shape[1::-1] == stored}
        is_stored = fits["stored"] and not (fits["upright"] and self.drawn == "upright")
        return np.ascontiguousarray(turn(values, self.orientation)) if is_stored else values
