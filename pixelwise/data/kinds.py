"""Tell pictures, videos and other files apart: by the first bytes, and by the suffix where these say nothing."""

from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from PIL import Image

from pixelwise.data.image_codec import FORMATS, SUFFIXES

Kind = Literal["picture", "video"]
KINDS: tuple[Kind, ...] = ("picture", "video")

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".ogv", ".flv",
    ".3gp",
)  # fmt: skip
# Bytes that are enough for every test below: two packets of a transport stream.
HEAD = 400
# Brands of the ISO container that hold pictures or sound; every other brand is a video.
BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIF", b"heix": "HEIF", b"heim": "HEIF", b"heis": "HEIF",
    b"mif1": "HEIF", b"msf1": "HEIF", b"M4A ": "sound", b"M4B ": "sound",
}  # fmt: skip
STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"\x1aE\xdf\xa3": "video",  # Matroska and WebM
    b"FLV\x01": "video",
    b"\0\0\x01\xba": "video",  # MPEG program stream
    b"\0\0\x01\xb3": "video",  # MPEG elementary stream
    b"0&\xb2u\x8ef\xcf\x11": "video",  # Windows Media
}
RIFFS = {b"WEBP": "WEBP", b"AVI ": "video"}
# Sizes of a BMP's second header. The two letters of the first one begin many texts too.
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def find_kind(file: Path) -> Kind | None:
    """Find the kind of a regular file; None where it is neither a picture nor a video that can be read.

    An unreadable file has the kind of its suffix, so that it is reported.
    """
    try:
        with file.open("rb") as opened:
            return find_kind_of(opened, file)
    except OSError:
        return find_kind_by_suffix(file)


def find_kind_of(content: BinaryIO, name: PurePath) -> Kind | None:
    """Find the kind of the `content` of a file called `name`, as `find_kind` does. A GIF is a video if it moves.

    Where the suffix promises a picture or video and the first bytes are unknown, the kind is that of the suffix, so
    that the file is reported as damaged.
    """
    found, by_suffix = find_format(content.read(HEAD)), find_kind_by_suffix(name)
    # Raw photographs and microscopes' slides are TIFF files too, of which Pillow would read a preview.
    if found is None or (found == "TIFF" and name.suffix):
        return by_suffix
    if found == "video" or (found == "GIF" and is_animated(content)):
        return "video"
    return "picture" if found in FORMATS else by_suffix


def is_animated(content: BinaryIO) -> bool:
    """Whether a GIF has more than one frame. A damaged one does not."""
    try:
        return bool(Image.open(content, formats=("GIF",)).is_animated)  # type: ignore[attr-defined]
    except Exception:
        # Pillow raises unrelated types on damaged files.
        return False


def find_kind_by_suffix(file: PurePath) -> Kind | None:
    """Find the kind that the suffix of `file` promises."""
    suffix = file.suffix.lower()
    return "picture" if suffix in SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None


def find_format(head: bytes) -> str | None:
    """Find Pillow's name of the picture format, "video" or "sound" from the first bytes of a file; None if unknown."""
    for start, name in STARTS.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF":
        return RIFFS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "video")
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "BMP"
    return "video" if is_transport_stream(head) else None


def is_transport_stream(head: bytes) -> bool:
    """Whether `head` starts two packets of an MPEG transport stream: of 188 bytes, or of 192 as camcorders write."""
    return any(head[start : start + length + 1 : length] == b"GG" for start, length in ((0, 188), (4, 192)))
