"""Carry the georeference of a GeoTIFF over to its label map and confidence, with Pillow's own TIFF tags."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from pixelwise.data.items import VOID
from pixelwise.data.orientation import UPRIGHT, read_orientation

# Tags that place a raster on the Earth (OGC GeoTIFF 1.1): ModelPixelScale, ModelTiepoint, ModelTransformation,
# GeoKeyDirectory, GeoDoubleParams, GeoAsciiParams; each is copied as it is.
PLACE = (33550, 33922, 34264, 34735, 34736, 34737)
# GDAL's tag for the value of pixels without data, as text.
NO_DATA = 42113


@dataclass(frozen=True)
class Georeference:
    """Where a picture lies on the Earth. tags: TIFF tag -> its type and value. no_data: the value without data."""

    tags: dict[int, tuple[int, Any]]
    no_data: float | None


def read_georeference(file: Path) -> Georeference | None:
    """Read the georeference of a picture; None where it has none, or is to be turned, since it then lies otherwise."""
    try:
        with Image.open(file, formats=("TIFF",)) as picture:
            found = picture.tag_v2  # type: ignore[attr-defined]
            tags = {tag: (found.tagtype[tag], found[tag]) for tag in PLACE if tag in found}
            is_placed = bool(tags) and read_orientation(picture) == UPRIGHT
            return Georeference(tags, parse_no_data(found.get(NO_DATA))) if is_placed else None
    except Exception:  # Not a TIFF file; Pillow raises unrelated types on damaged tags.
        return None


def parse_no_data(text: Any) -> float | None:
    """Parse GDAL's text of the value without data; None where there is none or it is no number."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def encode_geotiff(label: np.ndarray, colours: np.ndarray, image: np.ndarray, place: Georeference) -> bytes:
    """Encode the label (H, W) uint8 as a GeoTIFF in `colours` (256, 3), where `image` (H, W, 3) lies.

    Pixels whose channels all have the picture's value without data become 255, the label's own.
    """
    picture = Image.fromarray(leave_out(label, VOID, image, place))
    picture.putpalette(colours.ravel().tolist())
    return encode_placed(picture, str(VOID), place)


def encode_confidence_geotiff(confidence: np.ndarray, image: np.ndarray, place: Georeference) -> bytes:
    """Encode the confidence (H, W) float32 as a GeoTIFF, as `encode_geotiff` does; its value without data is nan."""
    return encode_placed(Image.fromarray(leave_out(confidence, np.nan, image, place)), "nan", place)


def leave_out(values: np.ndarray, no_data: float, image: np.ndarray, place: Georeference) -> np.ndarray:
    """Set `values` (H, W) to `no_data` where all channels of `image` have the picture's value without data."""
    if place.no_data is None:
        return values
    return np.where((image == place.no_data).all(axis=2), values.dtype.type(no_data), values)


def encode_placed(picture: Image.Image, no_data: str, place: Georeference) -> bytes:
    """Encode `picture` as a TIFF that lies at `place`. no_data: its value of pixels without data."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (kind, value) in place.tags.items():
        tags.tagtype[tag] = kind
        tags[tag] = value
    tags.tagtype[NO_DATA], tags[NO_DATA] = 2, no_data
    file = BytesIO()
    picture.save(file, "TIFF", compression="tiff_adobe_deflate", tiffinfo=tags)
    return file.getvalue()
