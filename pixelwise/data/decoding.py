"""Decode the files of an item. Every fault raises an error that names the file and what was expected."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from pixelwise.data.deep_pictures import (
    REDUCED,
    count_pages,
    decode_channels,
    is_deep,
    is_tiff,
    loses_channels,
    reduce_picture,
)
from pixelwise.data.image_codec import FORMATS, encode_picture, open_image
from pixelwise.data.items import VOID, ImagePart, Item, Map, MapFile, MapRows, MaskRule, PaintedMap, Unlabelled
from pixelwise.data.mask_file import BY_VALUE, find_lossy_format, read_mask, take_values
from pixelwise.data.matlab import read_field
from pixelwise.data.orientation import UPRIGHT, Drawn, Upright, read_orientation, turn_upright
from pixelwise.errors import DataError

Source = Map | ImagePart | MapRows | Unlabelled | None
# Smaller images are usually failed downloads and of no use for training.
MIN_SIDE = 8
# Far above any camera's picture, far below what would fill the memory; ingest has its own limit.
MAX_PIXELS = 100_000_000
IMAGE_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
DEEP_MODES = ("I;16", "I;16B", "I", "F")


@dataclass(frozen=True)
class MapFormat:
    """The format of a kind of map: the Pillow modes that can hold it, and a description for messages."""

    modes: tuple[str, ...]
    words: str


MAP_FORMATS = {
    "instance": MapFormat(("I;16", "I;16B"), "one channel of 16 bits"),
    "depth": MapFormat(("I;16", "I;16B"), "one channel of 16 bits"),
    "geometry": MapFormat(("L", "P"), "one channel of 8 bits"),
    "hha": MapFormat(("RGB",), "three channels of 8 bits"),
}


class BadFileError(DataError):
    """One file of an item is unusable. file: its folder and name, or "" if it has none."""

    def __init__(self, kind: str, source: Source, item: Item, reason: str) -> None:
        path = find_path(source)
        self.file = shorten_path(path) if path else ""
        super().__init__(f"{kind} {path.name if path else item.id}: {reason}")


@dataclass(frozen=True)
class StoredImage:
    """The bytes of an image's file, its decoded picture, upright, and the orientation that it was stored with.

    reduced: what was done to fit it into 8 bits and three channels, "" if nothing.
    """

    content: bytes
    picture: Image.Image
    orientation: int
    reduced: str = ""

    def upright(self, drawn: Drawn) -> Upright:
        """How the maps of this image are turned."""
        return Upright(self.picture.size, self.orientation, drawn)


def read_image(item: Item, max_pixels: int) -> StoredImage:
    """Read and decode the image of `item`. Raises BadFileError."""
    content = read_file("image", item.image, item)
    try:
        picture = decode_usable_image(content, max_pixels)
    except DataError as error:
        raise BadFileError("image", item.image, item, str(error)) from None
    if picture.mode not in IMAGE_MODES:
        raise BadFileError("image", item.image, item, f"mode {picture.mode}, expected RGB or grey")
    orientation, reduced = find_orientation(content), picture.info.get(REDUCED, "")
    # A reduced picture is stored as it is read, so that a training needs no rule of its own.
    return StoredImage(encode_picture(picture) if reduced else content, picture, orientation, reduced)


def find_orientation(content: bytes) -> int:
    """Find the orientation that the picture in `content` was stored with."""
    try:
        # Read from the file again, because turning a picture removes its tag.
        return read_orientation(open_image(content))
    except UnidentifiedImageError:
        # A TIFF of channels that Pillow does not know.
        return UPRIGHT


def decode_usable_image(content: bytes, max_pixels: int) -> Image.Image:
    """Decode the picture in `content`, upright, reduced to 8 bits a channel. Raises DataError with the reason."""
    picture = decode(content, max_pixels, is_image=True)
    if picture.mode in DEEP_MODES:
        raise DataError(f"mode {picture.mode}, expected 8 or 16 bits a channel")
    if min(picture.size) < MIN_SIDE:
        raise DataError(f"size {format_size(picture.size)}, expected at least {MIN_SIDE}×{MIN_SIDE}")
    return picture


def read_map(
    kind: str,
    source: Map | MapRows | None,
    item: Item,
    image: Upright,
    max_pixels: int,
    rule: MaskRule = BY_VALUE,
) -> np.ndarray:
    """Read the values of a label or layer, (H, W) or (H, W, 3), turned upright as its `image`.

    Raises BadFileError if the file is missing or damaged, or has another format or size.
    """
    stored = source if isinstance(source, MapRows | PaintedMap) else read_file(kind, source, item)
    file = source if isinstance(source, MapFile) else None
    try:
        if isinstance(stored, PaintedMap):
            values = stored.paint(image.size)
        else:
            values = read_values(kind, stored, file, max_pixels, rule)
        values = image.turn_map(file.convert(values) if file and file.convert else values)
        require_size(values, image.size, item.id if isinstance(stored, PaintedMap) else "")
    except DataError as error:
        raise BadFileError(kind, source, item, str(error)) from None
    return values


def require_size(values: np.ndarray, size: tuple[int, int], of: str) -> None:
    """Raise DataError if a map does not have its image's `size` (width, height). of: the item if no file names it."""
    if values.shape[1::-1] != size:
        found, whose = format_size(values.shape[1::-1]), f" of {of}" if of else ""
        raise DataError(f"size {found}{whose}, but its image is {format_size(size)}")


def read_values(
    kind: str, stored: bytes | MapRows, file: MapFile | None, max_pixels: int, rule: MaskRule
) -> np.ndarray:
    """Read the values of a map from rows, from a field of a MATLAB file or from a picture. Raises DataError."""
    if isinstance(stored, MapRows):
        return convert_rows(stored)
    if file and file.field:
        return read_field(stored, file.field)
    if kind == "instance" and file and file.convert:
        # `convert` produces the ids, so the stored file may have any format of a label.
        kind = "label"
    return decode_map_values(kind, stored, max_pixels, bool(file and file.is_lossy), rule)


def convert_rows(stored: MapRows) -> np.ndarray:
    """Convert rows of numbers to a map (H, W); -1, unlabelled, becomes 255. Raises DataError if they are not a map."""
    try:
        values = np.array(stored.rows, np.int64)
    except (TypeError, ValueError, OverflowError):
        raise DataError("rows of unequal length, or not of integers, expected height × width integers") from None
    if values.ndim != 2 or not values.size:
        raise DataError(f"size {'×'.join(map(str, values.shape))}, expected height × width integers")
    return np.where(values == -1, VOID, values)


def decode_map_values(
    kind: str, content: bytes, max_pixels: int, may_be_jpeg: bool = False, rule: MaskRule = BY_VALUE
) -> np.ndarray:
    """Decode the values of a map's picture. Raises DataError if the kind does not allow its format or mode."""
    picture, form = decode(content, max_pixels), MAP_FORMATS.get(kind)
    if kind == "label":
        return read_mask(content, picture, rule, may_be_jpeg)
    if form and (lossy := find_lossy_format(content, picture)) and not may_be_jpeg:
        raise DataError(f"{lossy}, expected a lossless format such as PNG")
    modes, words = (form.modes, form.words) if form else ((picture.mode,), "")
    return take_values(content, picture, modes, words)


def read_file(kind: str, source: Map | ImagePart | None, item: Item) -> bytes:
    """Read the bytes of one file of `item`. Raises BadFileError if it is missing or unreadable."""
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


def decode(content: bytes, max_pixels: int, formats: tuple[str, ...] = FORMATS, is_image: bool = False) -> Image.Image:
    """Decode the picture in `content` completely, upright. Raises DataError with the reason if that fails.

    is_image: whether it is a picture of a scene, which is reduced to 8 bits and three channels, and not a map.
    """
    try:
        picture = open_image(content, formats)
        reason = find_fault(picture, max_pixels, is_image)
        if not reason and is_image and loses_channels(picture):
            return decode_channels(content, max_pixels)
        if not reason:
            deep = is_deep(picture)
            turn_upright(picture)
            picture.load()
            return reduce_picture(picture, deep) if is_image else picture
    except UnidentifiedImageError:
        if is_image and is_tiff(content):
            return decode_channels(content, max_pixels)
        reason = f"not a picture, expected one of: {' '.join(formats)}"
    except Exception as error:
        # Pillow raises a dozen unrelated types on damaged files, and one bad file must not end an ingest.
        reason = " ".join(str(error).split()) or type(error).__name__
    raise DataError(reason)


def find_fault(picture: ImageFile, max_pixels: int, is_image: bool = False) -> str:
    """The reason why a picture, of which only the header is read, cannot be used; "" if it can."""
    if picture.width * picture.height > max_pixels:
        return f"size {format_size(picture.size)}, expected at most {max_pixels:,} pixels"
    if (pages := count_pages(picture)) > 1:
        return f"{pages} frames, expected one"
    # Pillow would keep only the upper 8 bits of 16-bit colours, which are no values of a map.
    if not is_image and picture.mode not in DEEP_MODES and is_deep(picture):
        return "16 bits a channel, expected 8 bits a channel"
    return ""


def find_path(source: Source) -> Path | None:
    """The path of a source's file; None for bytes, rows and a missing file."""
    path = source.path if isinstance(source, MapFile | ImagePart | PaintedMap) else source
    return path if isinstance(path, Path) else None


def format_size(size: tuple[int, ...]) -> str:
    """Format a size as `480×360`, width first."""
    return f"{size[0]}×{size[1]}"


def shorten_path(file: Path) -> str:
    """Shorten a path to its folder and name, which are the same on every machine."""
    return "/".join(file.parts[-2:])
