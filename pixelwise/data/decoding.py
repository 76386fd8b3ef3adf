"""Decode the files of an item. Every fault raises an error that names the file and what was expected."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from pixelwise.data.image_codec import FORMATS, open_image
from pixelwise.data.items import VOID, ImagePart, Item, Map, MapFile, MapRows, Unlabelled
from pixelwise.data.matlab import read_field
from pixelwise.errors import DataError

Source = Map | ImagePart | MapRows | Unlabelled | None
# Smaller images are usually failed downloads and of no use for training.
MIN_SIDE = 8
# Far above any camera's picture, far below what would fill the memory; ingest has its own.
MAX_PIXELS = 100_000_000
IMAGE_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
DEEP_MODES = ("I;16", "I;16B", "I", "F")
# Pillow multiplies grey values of 2 and 4 bits until they fill the byte.
STRETCHES = {"L;2": 85, "L;4": 17}


@dataclass(frozen=True)
class MapFormat:
    """What a kind of map must be: Pillow's modes that hold it, and the same in words."""

    modes: tuple[str, ...]
    words: str


MAP_FORMATS = {
    "label": MapFormat(("L", "P", "1", "I;16", "I;16B", "I"), "one channel of class values"),
    "instance": MapFormat(("I;16", "I;16B"), "one channel of 16 bits"),
    "depth": MapFormat(("I;16", "I;16B"), "one channel of 16 bits"),
    "geometry": MapFormat(("L", "P"), "one channel of 8 bits"),
    "hha": MapFormat(("RGB",), "three channels of 8 bits"),
}


class BadFileError(DataError):
    """One file of an item is unusable; carries the file, relative to the data set."""

    def __init__(self, kind: str, source: Source, item: Item, reason: str) -> None:
        path = find_path(source)
        self.file = shorten_path(path) if path else ""
        super().__init__(f"{kind} {path.name if path else item.id}: {reason}")


def read_image(item: Item, max_pixels: int) -> tuple[bytes, Image.Image]:
    """The file of the image, and its picture. Raises BadFileError."""
    content = read_file("image", item.image, item)
    try:
        picture = decode_usable_image(content, max_pixels)
    except DataError as error:
        raise BadFileError("image", item.image, item, str(error)) from None
    if picture.mode not in IMAGE_MODES:
        raise BadFileError("image", item.image, item, f"mode {picture.mode}, expected RGB or grey")
    return content, picture


def decode_usable_image(content: bytes, max_pixels: int) -> Image.Image:
    """The picture in `content`, of any mode with 8 bits a channel. Raises DataError saying why it cannot be used."""
    picture = decode(content, max_pixels)
    if picture.mode in DEEP_MODES:
        raise DataError(f"mode {picture.mode}, expected 8 bits a channel")
    if min(picture.size) < MIN_SIDE:
        raise DataError(f"size {format_size(picture.size)}, expected at least {MIN_SIDE}×{MIN_SIDE}")
    return picture


def read_map(kind: str, source: Map | MapRows | None, item: Item, size: tuple[int, int], max_pixels: int) -> np.ndarray:
    """The values of a label or layer, (H, W) or (H, W, 3). `size` is its image's width and height.

    Raises BadFileError where the file is missing or damaged, or holds something else.
    """
    stored = source if isinstance(source, MapRows) else read_file(kind, source, item)
    file = source if isinstance(source, MapFile) else None
    try:
        values = read_values(kind, stored, file, max_pixels)
        values = file.convert(values) if file and file.convert else values
        require_size(values, size)
    except DataError as error:
        raise BadFileError(kind, source, item, str(error)) from None
    return values


def require_size(values: np.ndarray, size: tuple[int, int]) -> None:
    """Raise DataError where a map is not of its image's `size` (width, height)."""
    if values.shape[1::-1] != size:
        raise DataError(f"size {format_size(values.shape[1::-1])}, but its image is {format_size(size)}")


def read_values(kind: str, stored: bytes | MapRows, file: MapFile | None, max_pixels: int) -> np.ndarray:
    """The values of a map in rows, in a MATLAB file (its field) or in a picture. Raises DataError."""
    if isinstance(stored, MapRows):
        return convert_rows(stored)
    if file and file.field:
        return read_field(stored, file.field)
    if kind == "instance" and file and file.convert:
        # Ids that are yet to be converted come as labels do.
        kind = "label"
    return decode_map_values(kind, stored, max_pixels, may_be_jpeg=bool(file and file.is_lossy))


def convert_rows(stored: MapRows) -> np.ndarray:
    """The values in rows of numbers, where -1 is unlabelled. Raises DataError where they are no map."""
    try:
        values = np.array(stored.rows, np.int64)
    except (TypeError, ValueError, OverflowError):
        raise DataError("rows of unequal length, or not of integers, expected height × width integers") from None
    if values.ndim != 2 or not values.size:
        raise DataError(f"size {'×'.join(map(str, values.shape))}, expected height × width integers")
    return np.where(values == -1, VOID, values)


def decode_map_values(kind: str, content: bytes, max_pixels: int, may_be_jpeg: bool = False) -> np.ndarray:
    """The values of a map's picture. Raises DataError where its format or its mode is not of the kind."""
    picture, form = decode(content, max_pixels), MAP_FORMATS.get(kind)
    if form and is_jpeg(picture) and not may_be_jpeg:
        raise DataError("JPEG, expected a lossless format such as PNG")
    values = np.array(picture)
    if form and picture.mode not in form.modes:
        missing = int(np.isnan(values).sum()) if picture.mode == "F" else 0
        found = f"mode {picture.mode}" + (f" with {missing} NaN" if missing else "")
        raise DataError(f"{found}, expected {form.words}")
    if picture.mode == "I;16B":
        # Pillow would write them as PNG with their bytes swapped.
        return values.astype(np.uint16)
    return values // find_grey_factor(content) if picture.mode == "L" else values


def is_jpeg(picture: Image.Image) -> bool:
    """Whether a picture lost values to JPEG: a file of it, a phone's of several, or a TIFF compressed by it."""
    return picture.format in ("JPEG", "MPO") or picture.info.get("compression") == "jpeg"


def find_grey_factor(content: bytes) -> int:
    """By what Pillow multiplies the values of the grey picture in `content`."""
    # Of the header alone: decoding empties the list of tiles.
    tiles = str(open_image(content).tile)
    return next((factor for mode, factor in STRETCHES.items() if mode in tiles), 1)


def read_file(kind: str, source: Map | ImagePart | None, item: Item) -> bytes:
    """The bytes of one file of `item`. Raises BadFileError where it is missing or unreadable."""
    if isinstance(source, bytes):
        return source
    path = find_path(source)
    if path is None:
        raise BadFileError(kind, source, item, f"missing, expected one for {item.id}")
    try:
        return source.read() if isinstance(source, ImagePart) else path.read_bytes()
    except DataError as error:
        raise BadFileError(kind, source, item, str(error)) from None
    except FileNotFoundError:
        raise BadFileError(kind, source, item, f"missing, expected {shorten_path(path)}") from None
    except OSError as error:
        raise BadFileError(kind, source, item, f"unreadable: {error.strerror}") from None


def decode(content: bytes, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The picture in `content`, wholly decoded. Raises DataError saying why it cannot be used."""
    try:
        picture = open_image(content, formats)
        reason = find_fault(picture, max_pixels)
        if not reason:
            picture.load()
            return picture
    except UnidentifiedImageError:
        reason = f"not a picture, expected one of: {' '.join(formats)}"
    except Exception as error:
        # Pillow's decoders raise a dozen unrelated types on damaged files, and one bad file must not end an ingest.
        reason = " ".join(str(error).split()) or type(error).__name__
    raise DataError(reason)


def find_fault(picture: ImageFile, max_pixels: int) -> str:
    """Why a picture, its header read and its pixels not, cannot be used; "" where it can."""
    if picture.width * picture.height > max_pixels:
        return f"size {format_size(picture.size)}, expected at most {max_pixels:,} pixels"
    # A phone's JPEG may carry a preview or a gain map as its second frame; the first is the picture.
    frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    if frames > 1:
        return f"{frames} frames, expected one"
    # Pillow would silently keep the upper 8 bits of colours.
    if picture.mode not in DEEP_MODES and any(";16" in str(tile.args) for tile in picture.tile):
        return "16 bits a channel, expected 8 bits a channel"
    return ""


def find_path(source: Source) -> Path | None:
    """Where a file lies; None of bytes and rows, and where there is no file."""
    path = source.path if isinstance(source, MapFile | ImagePart) else source
    return path if isinstance(path, Path) else None


def format_size(size: tuple[int, ...]) -> str:
    """`480×360`, width first as people say it."""
    return f"{size[0]}×{size[1]}"


def shorten_path(file: Path) -> str:
    """The folder and name of `file`: enough to find it, and the same on every machine."""
    return "/".join(file.parts[-2:])
