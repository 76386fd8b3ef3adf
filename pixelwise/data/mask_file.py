"""Read masks: the one rule by which the pixels of a mask become values, for ingest, evaluate, guide and the studio.

How the masks of a data set are read is decided once for all of its files (`MaskRule`), never file by file.
"""

import numpy as np
from PIL import Image

from pixelwise.data.image_codec import open_image
from pixelwise.data.items import VOID, Colour, MaskRule
from pixelwise.errors import DataError

# Pillow multiplies grey values of 2 and 4 bits until they fill the byte.
STRETCHES = {"L;2": 85, "L;4": 17}
VALUE_MODES = ("1", "L", "P", "I", "I;16", "I;16B")
# Mode -> its channels without alpha.
CHANNELS = {"RGB": 3, "RGBA": 3, "LA": 1, "PA": 1}
COLOUR_MODES = ("RGB", "RGBA", "LA", "PA", "P", "L", "1")


BY_VALUE = MaskRule()


def read_mask(content: bytes, picture: Image.Image, rule: MaskRule = BY_VALUE, may_be_jpeg: bool = False) -> np.ndarray:
    """Read the values (H, W) of a mask: classes and 255 by colour, or the stored values of its one channel.

    picture: the decoded picture of `content`. Equal channels and an opaque alpha channel count as one channel.
    Raises DataError with what was found and expected.
    """
    if (lossy := find_lossy_format(content, picture)) and not may_be_jpeg and rule.threshold is None:
        raise DataError(f"{lossy}, expected a lossless format such as PNG")
    if rule.threshold is not None:
        return np.where(read_tones(content, picture) < rule.threshold, 0, VOID).astype(np.uint8)
    if rule.colours:
        return map_colours(picture, rule)
    return take_channel(content, picture)


def read_tones(content: bytes, picture: Image.Image) -> np.ndarray:
    """Read the grey values (H, W) of a mask that may be lossy, whose noise makes channels differ. Raises DataError."""
    if find_lossy_format(content, picture) and picture.mode == "RGB":
        return np.array(picture.convert("L"))
    return take_channel(content, picture)


def take_channel(content: bytes, picture: Image.Image) -> np.ndarray:
    """Take the values (H, W) of the one channel, or of equal ones. Raises DataError if the channels differ."""
    require_opaque(picture)
    if picture.mode not in CHANNELS:
        return take_values(content, picture, VALUE_MODES, "one channel of class values")
    values = np.asarray(picture)[..., : CHANNELS[picture.mode]]
    if (values != values[..., :1]).any():
        raise DataError(f"mode {picture.mode} in colour, expected one channel of class values, or `colours`")
    return values[..., 0].copy()


def take_values(content: bytes, picture: Image.Image, modes: tuple[str, ...], words: str) -> np.ndarray:
    """Take the stored values of a picture of one of Pillow's `modes`.

    Raises DataError with the `words` for what was expected, if it has another mode.
    """
    values = np.array(picture)
    if picture.mode not in modes:
        missing = int(np.isnan(values).sum()) if picture.mode == "F" else 0
        found = f"mode {picture.mode}" + (f" with {missing} NaN" if missing else "")
        raise DataError(f"{found}, expected {words}")
    if picture.mode == "1":
        return values.astype(np.uint8)
    if picture.mode == "I;16B":
        # Pillow would write big-endian values to PNG with swapped bytes.
        return values.astype(np.uint16)
    return values // find_grey_factor(content) if picture.mode == "L" else values


def map_colours(picture: Image.Image, rule: MaskRule) -> np.ndarray:
    """Map the colours of a mask to classes and 255, (H, W) uint8. Raises DataError at too many other colours."""
    if picture.mode not in COLOUR_MODES:
        raise DataError(f"mode {picture.mode}, expected the colours of the classes, 8 bits a channel")
    require_opaque(picture)
    pixels = np.asarray(picture.convert("RGB")).astype(np.uint32)
    found, place, counts = np.unique(pack(pixels), return_inverse=True, return_counts=True)
    classes = {int(pack(np.array(colour, np.uint32))): value for colour, value in rule.colours.items()}
    is_known = np.array([colour in classes for colour in found.tolist()])
    off = counts[~is_known].sum() / counts.sum()
    if off:
        most = list(unpack(int(found[~is_known][counts[~is_known].argmax()])))
        if off > rule.max_off_share:
            raise DataError(
                f"{describe_share(off)} of pixels in {(~is_known).sum()} other colours, most in {most}, "
                f"expected the {len(classes)} colours of the classes"
            )
        rule.notes.add("masks with pixels in colours of no class, which become void, most in one colour", str(most))
    table = np.array([classes.get(colour, VOID) for colour in found.tolist()], np.uint8)
    return table[place].reshape(pixels.shape[:2])


def pack(pixels: np.ndarray) -> np.ndarray:
    """Pack colours (…, 3) uint32 into one number each."""
    packed: np.ndarray = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    return packed


def unpack(colour: int) -> Colour:
    """Unpack a number of `pack`."""
    return colour >> 16, colour >> 8 & 255, colour & 255


def require_opaque(picture: Image.Image) -> None:
    """Raise DataError if a mask has an alpha channel that is not opaque: its colours are not what is seen."""
    if picture.mode not in ("LA", "PA", "RGBA"):
        return
    alpha = np.asarray(picture.getchannel("A"))
    if (clear := (alpha < 255).mean()) > 0:
        raise DataError(f"{describe_share(clear)} of pixels transparent, expected an opaque mask without alpha channel")


def describe_share(share: float) -> str:
    """Format a share as a percentage that is not zero."""
    return f"{max(share, 0.0001):.2%}" if share < 0.01 else f"{share:.0%}"


def find_lossy_format(content: bytes, picture: Image.Image) -> str:
    """The name of the lossy format of a picture, whose values are not those that were drawn; "" if it is lossless.

    AVIF and HEIF count as lossy, since their headers do not tell, as does a TIFF with JPEG compression.
    """
    if picture.format in ("JPEG", "MPO") or picture.info.get("compression") == "jpeg":
        return "JPEG"
    if picture.format == "WEBP":
        # The first chunk of pixels, which follows those of an extended header.
        return "lossy WebP" if b"VP8 " in content[: content.find(b"VP8L")] else ""
    return picture.format if picture.format in ("AVIF", "HEIF") else ""


def find_grey_factor(content: bytes) -> int:
    """The factor by which Pillow multiplies the values of the grey picture in `content`."""
    # Open it again without decoding, because decoding empties the list of tiles.
    tiles = str(open_image(content).tile)
    return next((factor for mode, factor in STRETCHES.items() if mode in tiles), 1)
