"""Examine one item: decode its image and label, and say what is wrong with it or what the manifest shall know."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from components.datasets.items import VOID, Item, RawData
from components.datasets.pictures import FORMATS, encode_map, open_picture, rgb
from components.errors import DataError

MAP_MODES = ("L", "P", "1", "I;16", "I;16B", "I")
WIDE_MODES = ("I;16", "I;16B", "I", "F")


@dataclass(frozen=True)
class Accepted:
    """An item that may be used: its manifest row, less its place, and its encoded cells (image, label, layers)."""

    row: dict[str, Any]
    cells: dict[str, bytes]


@dataclass(frozen=True)
class Rejected:
    """An item that may not: the file at fault and, in one line, why."""

    id: str
    split: str
    file: str
    reason: str


class BadFileError(DataError):
    """One file of an item is unusable; carries the file, relative to the data set."""

    def __init__(self, kind: str, file: Path | bytes | None, item: Item, reason: str) -> None:
        self.file = short_name(file) if isinstance(file, Path) else ""
        super().__init__(f"{kind} {Path(self.file).name or item.id}: {reason}")


def examine(item: Item, raw: RawData, max_pixels: int) -> Accepted | Rejected:
    """Decode `item` once. Whatever is wrong with its files is returned, not raised."""
    try:
        return accept(item, raw, max_pixels)
    except BadFileError as error:
        return Rejected(item.id, item.split, error.file, str(error))


def read_pair(item: Item, raw: RawData, max_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The image (H, W, 3) uint8 and label (H, W) uint8 of `item`, label values turned into classes and 255.

    Raises DataError, naming the file, where either is missing, undecodable, of unequal size or mislabelled.
    """
    picture, values = open_pair(item, read_files(item), max_pixels)
    return rgb(picture), classes_of(values, item, raw)


def accept(item: Item, raw: RawData, max_pixels: int) -> Accepted:
    """The manifest row and cells of `item`. Raises BadFileError."""
    image_bytes, label_bytes = read_files(item)
    picture, values = open_pair(item, (image_bytes, label_bytes), max_pixels)
    label = classes_of(values, item, raw)
    for name, content in item.layers.items():
        require_size(name, content, item, picture.size)
    row = {"id": item.id, "split": item.split, "clip": item.clip, "frame": item.frame}
    row |= describe_image(picture) | describe_label(label, classes=len(raw.classes))
    return Accepted(row, {"image": image_bytes, "label": encode_map(label), **item.layers})


def read_files(item: Item) -> tuple[bytes, bytes]:
    """The encoded image and label. Raises BadFileError where one is missing or unreadable."""
    return read_file("image", item.image, item), read_file("label", item.label, item)


def read_file(kind: str, file: Path | bytes | None, item: Item) -> bytes:
    """The bytes of one file of `item`."""
    if file is None:
        raise BadFileError(kind, file, item, f"missing, expected one for {item.id}")
    if isinstance(file, bytes):
        return file
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise BadFileError(kind, file, item, f"missing, expected {short_name(file)}") from None
    except OSError as error:
        raise BadFileError(kind, file, item, f"unreadable: {error.strerror}") from None


def open_pair(item: Item, content: tuple[bytes, bytes], max_pixels: int) -> tuple[Image.Image, np.ndarray]:
    """The decoded picture, and the label's raw values (H, W). Raises BadFileError."""
    picture = decode("image", item.image, content[0], item, max_pixels)
    if picture.mode in WIDE_MODES:
        raise BadFileError("image", item.image, item, f"mode {picture.mode}, expected 8 bits a channel")
    label = decode("label", item.label, content[1], item, max_pixels)
    if label.mode not in MAP_MODES:
        raise BadFileError("label", item.label, item, f"mode {label.mode}, expected one channel of class values")
    if label.size != picture.size:
        raise BadFileError(
            "label", item.label, item, f"size {shape(label.size)}, but its image is {shape(picture.size)}"
        )
    return picture, np.array(label)


def decode(kind: str, file: Path | bytes | None, content: bytes, item: Item, max_pixels: int) -> Image.Image:
    """The picture in `content`, wholly decoded. Raises BadFileError."""
    try:
        picture = open_picture(content)
        if picture.width * picture.height <= max_pixels:
            picture.load()
            return picture
        reason = f"size {shape(picture.size)}, expected at most {max_pixels:,} pixels"
    except UnidentifiedImageError:
        reason = f"not a picture, expected one of: {' '.join(FORMATS)}"
    except Exception as error:
        # Pillow's decoders raise a dozen unrelated types on damaged files, and one bad file must not end an ingest.
        reason = " ".join(str(error).split()) or type(error).__name__
    raise BadFileError(kind, file, item, reason)


def classes_of(values: np.ndarray, item: Item, raw: RawData) -> np.ndarray:
    """`values` (H, W) of a label file as class indices and 255, uint8. Raises BadFileError at a value of no meaning."""
    found = np.flatnonzero(np.bincount(values.ravel())) if values.dtype == np.uint8 else np.unique(values)
    for value in map(int, found):
        if value not in raw.label_values:
            reason = f"value {value}, but {raw.name} has {legal_values(raw.label_values)}"
            raise BadFileError("label", item.label, item, reason)
    table = np.full(max(raw.label_values) + 1, VOID, np.uint8)
    table[list(raw.label_values)] = list(raw.label_values.values())
    return table[values.astype(np.uint16)]


def require_size(name: str, content: bytes, item: Item, size: tuple[int, int]) -> None:
    """Raise BadFileError where a layer is not of the image's `size` (width, height)."""
    found = open_picture(content).size
    if found != size:
        raise BadFileError(name, content, item, f"size {shape(found)}, but its image is {shape(size)}")


def describe_image(picture: Image.Image) -> dict[str, Any]:
    """Manifest columns of the image: size, hash of the decoded pixels, mean and deviation a channel (0–255)."""
    colours = picture if picture.mode == "RGB" else picture.convert("RGB")
    counts = np.array(colours.histogram(), np.float64).reshape(3, 256) / (colours.width * colours.height)
    levels = np.arange(256)
    mean = counts @ levels
    std = np.sqrt(np.maximum(counts @ levels**2 - mean**2, 0))
    return {
        "height": colours.height,
        "width": colours.width,
        "image_sha256": hashlib.sha256(colours.tobytes()).hexdigest(),
        **{f"mean_{channel}": float(value) for channel, value in zip("rgb", mean, strict=True)},
        **{f"std_{channel}": float(value) for channel, value in zip("rgb", std, strict=True)},
    }


def describe_label(label: np.ndarray, classes: int) -> dict[str, Any]:
    """Manifest columns of the label: size, hash, lowest and highest class (-1: all void), void share, class pixels."""
    counts = np.bincount(label.ravel(), minlength=VOID + 1)
    present = np.flatnonzero(counts[:classes]).tolist()
    return {
        "label_height": label.shape[0],
        "label_width": label.shape[1],
        "label_sha256": hashlib.sha256(label.tobytes()).hexdigest(),
        "label_min": present[0] if present else -1,
        "label_max": present[-1] if present else -1,
        "void_share": float(counts[VOID] / label.size),
        "classes": present,
        "pixels": counts[:classes].tolist(),
    }


def legal_values(values: Mapping[int, int]) -> str:
    """`classes 0–10 and 11 (void)` for the table of a data set."""
    classes = runs(value for value, meaning in values.items() if meaning != VOID)
    void = runs(value for value, meaning in values.items() if meaning == VOID)
    return f"classes {classes}" + (f" and {void} (void)" if void else "")


def runs(values: Iterable[int]) -> str:
    """`0–2, 5` for 0, 1, 2, 5."""
    bounds: list[list[int]] = []
    for value in sorted(values):
        if bounds and value == bounds[-1][1] + 1:
            bounds[-1][1] = value
        else:
            bounds.append([value, value])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in bounds)


def shape(size: tuple[int, int]) -> str:
    """`480×360`, width first as people say it."""
    return f"{size[0]}×{size[1]}"


def short_name(file: Path) -> str:
    """The folder and name of `file`: enough to find it, and the same on every machine."""
    return "/".join(file.parts[-2:])
