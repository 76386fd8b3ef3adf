"""The files of a labelled picture: its label map, its overlay, and the confidence of its labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.data.georeference import encode_confidence_geotiff, encode_geotiff, read_georeference
from pixelwise.data.image_codec import encode_picture
from pixelwise.files import write_together
from pixelwise.reporting.label_images import (
    Palette,
    Picture,
    draw_legend,
    encode_confidence,
    encode_label,
    make_colour_table,
    overlay,
)


@dataclass(frozen=True)
class Style:
    """How labels are drawn. names, palette: of the classes. alpha: strength of the colours in overlays, 0 to 1."""

    names: tuple[str, ...]
    palette: Palette
    alpha: float

    def explain(self, image: Picture, prediction: np.ndarray, shown: np.ndarray) -> Picture:
        """Draw the overlay with a legend of the classes `shown` below it."""
        width = image.shape[1]
        entries = [(self.names[index], self.palette[index]) for index in shown]
        key = draw_legend(entries, width, size=min(max(width // 40, 11), 32))
        return np.concatenate([overlay(image, prediction, self.palette, self.alpha), key])


def write_picture(
    style: Style, source: Path, image: Picture, prediction: np.ndarray, confidence: np.ndarray | None, target: Path
) -> bool:
    """Write the files of the picture `source` beside `target`; returns whether the picture has a georeference.

    prediction: (H, W) uint8. confidence: (H, W) float32, or None to write none.
    """
    place = read_georeference(source)
    with write_together(target) as folder:
        (folder / ".label.png").write_bytes(encode_label(prediction, style.palette))
        (folder / ".overlay.png").write_bytes(encode_picture(style.explain(image, prediction, np.unique(prediction))))
        if place:
            content = encode_geotiff(prediction, make_colour_table(style.palette), image, place)
            (folder / ".label.tif").write_bytes(content)
        if confidence is not None:
            (folder / ".confidence.png").write_bytes(encode_confidence(confidence))
        if confidence is not None and place:
            (folder / ".confidence.tif").write_bytes(encode_confidence_geotiff(confidence, image, place))
    return place is not None
