"""Pictures of 16 bits, of more channels, and rasters with overviews: read by one rule, which is said."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.image_sets import mask, noise

from pixelwise.data.decoding import decode_usable_image
from pixelwise.data.item_inspection import Accepted, inspect_item
from pixelwise.data.items import Classes, Item, RawData, make_bit_palette
from pixelwise.errors import DataError

MANY = 10**6
PIXELS = np.asarray(noise(0))
DEEP = PIXELS.astype(np.uint16) * 256 + 77
FIVE = np.concatenate([PIXELS, PIXELS[..., :2] // 2], axis=2)


def tiff(pixels, **settings):
    """A TIFF of `pixels`."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **settings)
    return file.getvalue()


def png(pixels):
    """A grey PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def with_overviews(pixels):
    """A TIFF with two smaller copies, as GDAL writes it."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(pixels, photometric="rgb", tile=(16, 16))
        for factor in (2, 4):
            writer.write(pixels[::factor, ::factor], photometric="rgb", subfiletype=1)
    return file.getvalue()


PICTURES = {
    "colours of 16 bits": (tiff(DEEP, photometric="rgb"), PIXELS, "divided by 256"),
    "grey of 16 bits": (png(DEEP[..., 0]), PIXELS[..., 0], "divided by 256"),
    "grey of 16 bits in a TIFF": (tiff(DEEP[..., 0], byteorder=">"), PIXELS[..., 0], "divided by 256"),
    "five channels": (tiff(FIVE, photometric="minisblack", planarconfig="contig"), PIXELS, "the first three are read"),
    "colours and two more": (tiff(FIVE, photometric="rgb"), PIXELS, "the first three are read"),
    "five packed planes of 16 bits": (
        tiff(
            np.moveaxis(FIVE.astype(np.uint16) << 8, 2, 0),
            photometric="minisblack",
            planarconfig="separate",
            compression="zlib",
        ),
        PIXELS,
        "divided by 256; pictures of more than three channels, of which the first three are read",
    ),
    "overviews": (with_overviews(PIXELS), PIXELS, ""),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_deep_picture_is_reduced_and_stored_as_it_is_read_and_that_is_said(kind, tmp_path):
    content, pixels, said = PICTURES[kind]
    file = tmp_path / "a.tif"
    file.write_bytes(content)
    raw = RawData("toy", Classes(("a", "b"), make_bit_palette(2)), [], {0: 0, 1: 1})
    label = io.BytesIO()
    mask(0, 2).save(label, "PNG")
    found = inspect_item(Item("a", "train", file, label.getvalue()), raw, MANY)
    assert isinstance(found, Accepted)
    np.testing.assert_array_equal(np.asarray(decode_usable_image(content, MANY)), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.cells["image"]))), pixels)
    assert said in "".join(raw.notes.lines())
    assert bool(said) == bool(raw.notes.lines())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            tiff(FIVE.astype(np.float32), photometric="minisblack", planarconfig="contig"),
            "5 channels of float32, expec",
        ),
        (tiff(FIVE, photometric="minisblack", planarconfig="contig")[:600], ""),
        (tiff(np.zeros((2, 24, 32, 3), np.uint8), photometric="rgb"), "2 frames, expected one"),
    ],
)
def test_what_no_rule_covers_is_one_line(content, reason):
    with pytest.raises(DataError) as error:
        decode_usable_image(content, MANY)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
