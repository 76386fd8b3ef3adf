"""Tell whether a video file was cut off: FFmpeg plays one to its last whole frame and reports no error.

Most containers say how long they are. A recording that was never closed says nothing, and is taken as it is.
"""

import os
from pathlib import Path
from typing import BinaryIO

# Boxes at the top level of MP4 and MOV (ISO 14496-12). Other names are no boxes but bytes that follow the last one.
BOXES = {
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"free", b"skip", b"wide", b"meta", b"udta", b"uuid", b"sidx",
    b"pnot", b"emsg", b"prft",
}  # fmt: skip
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# Lengths of a packet of an MPEG transport stream, and where its first byte, G, lies: camcorders put a time before it.
PACKETS = ((188, 0), (192, 4))


def find_cut(file: Path) -> str:
    """Return how much of a video `file` is missing, such as `400 of 2,000 bytes are missing`; "" where nothing is."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        declared = measure_declared(opened, size)
    if declared <= size:
        return ""
    return f"{declared - size:,} of {declared:,} bytes are missing"


def measure_declared(file: BinaryIO, size: int) -> int:
    """Measure the bytes that a container says it has; `size`, those that it has, where it says nothing."""
    head = file.read(400)
    if head[4:8] in BOXES:
        return measure_boxes(file, size)
    if head.startswith(EBML):
        return measure_matroska(head, size)
    if head.startswith(b"RIFF"):
        return measure_riffs(file, size)
    if head.startswith(b"GIF8"):
        file.seek(-1, os.SEEK_END)
        return size if file.read(1) in (b";", b"\0") else size + 1
    for length, place in PACKETS:
        if head[place : place + length + 1 : length] == b"GG":
            return size + -size % length
    return size


def measure_boxes(file: BinaryIO, size: int) -> int:
    """Measure an MP4 or MOV file by its boxes: each says its length and its name."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        # Length 0: the box ends with the file.
        if head[4:8] not in BOXES or length < 8:
            return size
        place += length
    return place


def measure_riffs(file: BinaryIO, size: int) -> int:
    """Measure an AVI file by its parts, of 1 GB or less each."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        # Recorders write 0 or the largest number until they close the file.
        if head[:4] != b"RIFF" or length in (0, 2**32 - 1):
            return size
        place += 8 + length + length % 2
    return place


def measure_matroska(head: bytes, size: int) -> int:
    """Measure a Matroska or WebM file by its segment, the element after the header."""
    header, place = read_length(head, len(EBML))
    start = place + header
    if head[start : start + 4] != SEGMENT:
        return size
    segment, place = read_length(head, start + 4)
    # All bits set: the length was unknown as the file was written.
    return size if segment == 2 ** (7 * (place - start - 4)) - 1 else place + segment


def read_length(content: bytes, place: int) -> tuple[int, int]:
    """Read the length of an element at `place`; return it and the place after it.

    The zeros before the first bit of its first byte say how many more bytes it has.
    """
    first = content[place] if place < len(content) else 0
    count = 9 - first.bit_length()
    marker = 1 << (7 * count)
    return int.from_bytes(content[place : place + count]) & (marker - 1), place + count
