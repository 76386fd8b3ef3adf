"""Decode the masks that labelling tools write into their files: pictures as text, and run lengths of their own."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pixelwise.data.decoding import MAX_PIXELS, decode
from pixelwise.errors import DataError

# A packed mask of more bytes is none that a tool writes.
MOST_BYTES = 64 * 2**20
# Of Label Studio's format: bits of the header's fields, and the length fields' number.
COUNT_BITS, WORD_BITS, FIELD_BITS, FIELDS = 32, 5, 4, 4
CHANNELS = 4


def decode_base64(text: Any) -> bytes:
    """Decode base64. Raises DataError if `text` is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise DataError("a mask or picture that is not base64") from None


def decode_png(content: bytes) -> np.ndarray:
    """Decode a mask's PNG to (h, w) bool: its alpha channel where it has one, else its values above 0.

    Raises DataError if it is damaged.
    """
    picture = decode(content, MAX_PIXELS, ("PNG",))
    if "A" in picture.getbands() or "transparency" in picture.info:
        return np.asarray(picture.convert("RGBA"))[..., 3] > 0
    values = np.asarray(picture) > 0
    return np.asarray(values.any(axis=2) if values.ndim == 3 else values)


def decode_deflated_png(text: Any) -> np.ndarray:
    """Decode Supervisely's mask to (h, w) bool: base64 of zlib of PNG. Raises DataError if it is damaged."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(decode_base64(text), MOST_BYTES)
    except zlib.error as error:
        raise DataError(f"a mask that zlib cannot unpack: {error}") from None
    if unpacking.unconsumed_tail:
        raise DataError(f"a mask of over {MOST_BYTES:,} bytes, expected a PNG")
    return decode_png(content)


def decode_row_runs(counts: Sequence[int], width: int, height: int) -> np.ndarray:
    """Decode run lengths row by row, of zeros first, to (height, width) bool. Raises DataError at a wrong total."""
    total = sum(counts)
    if min(width, height) < 1 or width * height > MAX_PIXELS or total != width * height or min(counts) < 0:
        raise DataError(f"run lengths of {total} pixels, expected {width}×{height}")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)


def decode_brush(numbers: Any, width: int, height: int) -> np.ndarray:
    """Decode Label Studio's brush to (height, width) bool: the alpha channel of packed RGBA values (thi.ng/rle-pack).

    Raises DataError if `numbers` are no bytes, or do not unpack to the size.
    """
    try:
        packed = bytes(numbers)
    except (TypeError, ValueError):
        raise DataError("a brush that is not a list of bytes") from None
    values = unpack_runs(packed, width * height * CHANNELS)
    return values.reshape(height, width, CHANNELS)[..., CHANNELS - 1] > 0


def unpack_runs(packed: bytes, expected: int) -> np.ndarray:
    """Unpack `expected` values of at most 8 bits, uint8, from alternating runs of one value and of single values."""
    bits = BitReader(packed)
    count, word = bits.read(COUNT_BITS), bits.read(WORD_BITS) + 1
    if count != expected or expected > MAX_PIXELS * CHANNELS or word > 8:
        raise DataError(f"a brush of {count} values of {word} bits, expected {expected} of at most 8 bits")
    fields = [bits.read(FIELD_BITS) + 1 for _ in range(FIELDS)]
    values, place = np.zeros(count, np.uint8), 0
    while place < count:
        is_run = bits.read(1)
        end = place + 1 + bits.read(fields[bits.read(2)])
        if end > count:
            raise DataError(f"a brush of more than {count} values")
        if is_run:
            values[place:end] = bits.read(word)
        else:
            values[place:end] = [bits.read(word) for _ in range(end - place)]
        place = end
    return values


class BitReader:
    """Read numbers of a few bits from bytes, the highest bit first."""

    def __init__(self, content: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in content)
        self.place = 0

    def read(self, count: int) -> int:
        """Read the next `count` bits. Raises DataError at the end."""
        end = self.place + count
        if end > len(self.bits):
            raise DataError("a brush that ends too early")
        self.place, start = end, self.place
        return int(self.bits[start:end], 2)
