"""Reduce pictures of 16 bits a channel, or of more than three channels, to 8-bit grey or RGB: one rule for all.

A value of 16 bits is divided by 256, and of more than three channels the first three are red, green and blue. Nothing
is scaled by what a file holds, so that equal values stay equal in all pictures.
"""

from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from pixelwise.errors import DataError

# Key of Pillow's `info` under which a reduced picture says what was done.
REDUCED = "pixelwise_reduced"
DIVIDED = "pictures of 16 bits a channel, divided by 256"
CUT = "pictures of more than three channels, of which the first three are read"
DEEP_GREY = ("I;16", "I;16B", "I;16L")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# TIFF tags, and the bits of NewSubfileType that mark a smaller copy and a mask of another image of the file.
SUBFILE_TYPE, SAMPLES, COPY_BITS = 254, 277, 0b101
# More images than the overviews of any raster are pages.
MOST_COPIES = 32


def is_deep(picture: ImageFile) -> bool:
    """Whether an opened, not yet decoded picture has 16 bits a channel, of which Pillow would keep the upper 8."""
    return picture.mode in DEEP_GREY or any(";16" in str(tile.args) for tile in picture.tile)


def count_pages(picture: ImageFile) -> int:
    """Count the images of a file, without the overviews and masks of a TIFF, and without a phone's gain map."""
    # The second frame of a phone's JPEG is a preview or a gain map.
    frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    if picture.format != "TIFF" or not 1 < frames <= MOST_COPIES:
        return frames
    pages = 1
    for number in range(1, frames):
        picture.seek(number)
        pages += not picture.tag_v2.get(SUBFILE_TYPE, 0) & COPY_BITS  # type: ignore[attr-defined]
    picture.seek(0)
    return pages


def reduce_picture(picture: Image.Image, is_deep: bool) -> Image.Image:
    """Reduce a decoded picture to 8 bits and three channels; what was done is in its `info`. is_deep: of 16 bits."""
    samples = getattr(picture, "tag_v2", {}).get(SAMPLES, 0)
    if picture.mode in DEEP_GREY:
        picture = Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    # A fourth channel of a picture that Pillow reads is its alpha channel.
    if done := describe_reduction(is_deep, 0 if samples == 4 else samples):
        picture = picture if picture.mode == "L" else picture.convert("RGB")
        picture.info[REDUCED] = done
    return picture


def loses_channels(picture: ImageFile) -> bool:
    """Whether Pillow would read only the first of a TIFF's channels, which are stored one after the other."""
    samples = getattr(picture, "tag_v2", {}).get(SAMPLES, 0)
    return bool(samples > 2 and len(picture.getbands()) == 1)


def is_tiff(content: bytes) -> bool:
    """Whether `content` starts as a TIFF."""
    return content.startswith(TIFF_STARTS)


def decode_channels(content: bytes, max_pixels: int) -> Image.Image:
    """Decode a TIFF of channels that Pillow does not know, such as a satellite's, to 8-bit RGB.

    Raises DataError if it cannot be read, or has other than 8 or 16 bits a channel.
    """
    try:
        pixels = read_channels(content, max_pixels)
    except DataError:
        raise
    except Exception as error:
        # tifffile and its codecs raise a dozen unrelated types on damaged files.
        raise DataError(" ".join(str(error).split()) or type(error).__name__) from None
    deep = pixels.dtype == np.uint16
    picture = Image.fromarray((pixels[..., :3] >> (8 if deep else 0)).astype(np.uint8))
    picture.info[REDUCED] = describe_reduction(deep, pixels.shape[2])
    return picture


def read_channels(content: bytes, max_pixels: int) -> np.ndarray:
    """Read the channels of a TIFF, (H, W, C) uint8 or uint16. Raises DataError, or an error of tifffile."""
    from tifffile import TiffFile

    with TiffFile(BytesIO(content)) as file:
        page = file.pages.first
        if page.imagewidth * page.imagelength > max_pixels:
            raise DataError(f"size {page.imagewidth}×{page.imagelength}, expected at most {max_pixels:,} pixels")
        if page.samplesperpixel < 3 or page.dtype not in (np.uint8, np.uint16) or page.axes not in ("YXS", "SYX"):
            raise DataError(f"{page.samplesperpixel} channels of {page.dtype}, expected at least 3 of 8 or 16 bits")
        pixels = np.moveaxis(page.asarray(), 0, 2) if page.axes == "SYX" else page.asarray()
        # In a damaged file the pixels may have another shape than its tags say.
        if pixels.shape[2:] != (page.samplesperpixel,):
            raise DataError(f"pixels of shape {pixels.shape}, expected {page.samplesperpixel} channels")
        return pixels


def describe_reduction(is_deep: bool, channels: int) -> str:
    """Say what is done to a picture of so many channels."""
    return "; ".join([DIVIDED] * is_deep + [CUT] * (channels > 3))
