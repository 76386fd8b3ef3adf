"""The one reader of masks."""

import numpy as np
import pytest
from PIL import Image
from support.image_sets import png
from support.masks import COLOURS, LABEL, jpeg, with_palette

from pixelwise.data.decoding import decode
from pixelwise.data.image_codec import FORMATS, encode_picture
from pixelwise.data.items import MaskRule
from pixelwise.data.mask_file import BY_VALUE, read_mask
from pixelwise.errors import DataError

BY_COLOUR = MaskRule({tuple(map(int, colour)): index for index, colour in enumerate(COLOURS)})


def read(content, rule=BY_VALUE):
    return read_mask(content, decode(content, 10**6), rule)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_equal_channels_and_opaque_alpha_count_as_one_channel(mode):
    assert (read(png(Image.fromarray(LABEL).convert(mode))) == LABEL).all()


def test_channels_that_differ_are_refused_without_colours():
    with pytest.raises(DataError, match="mode RGB in colour, expected one channel of class values, or `colours`"):
        read(png(Image.fromarray(COLOURS[LABEL])))


def test_a_transparent_mask_is_refused():
    picture = Image.fromarray(LABEL).convert("LA")
    picture.putpixel((0, 0), (0, 0))
    with pytest.raises(DataError, match=r"0\.13% of pixels transparent, expected an opaque mask"):
        read(png(picture))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_decide_for_colour_masks(mode):
    assert (read(png(Image.fromarray(COLOURS[LABEL]).convert(mode)), BY_COLOUR) == LABEL).all()


def test_colours_decide_for_palettes_of_any_order():
    for order in ([0, 1, 2], [2, 0, 1]):
        places = np.argsort(order).astype(np.uint8)[LABEL]
        assert (read(png(with_palette(places, COLOURS[order])), BY_COLOUR) == LABEL).all()


def test_few_pixels_of_another_colour_are_void_and_many_are_refused():
    shown = COLOURS[LABEL]
    shown[0, :7] = [129, 64, 128]
    found = read(png(Image.fromarray(shown)), BY_COLOUR)
    assert (found[0, :7] == 255).all()
    assert (found[1:] == LABEL[1:]).all()
    assert BY_COLOUR.notes.lines() == [
        "1 masks with pixels in colours of no class, which become void, most in one colour: [129, 64, 128]"
    ]
    shown[1, :7] = [1, 1, 1]
    with pytest.raises(DataError, match=r"2% of pixels in 2 other colours, most in \[1, 1, 1\], expected"):
        read(png(Image.fromarray(shown)), BY_COLOUR)


def test_a_mask_in_jpeg_is_refused_or_thresholded_where_the_rule_says_so():
    binary = Image.fromarray(np.where(LABEL == 1, 255, 0).astype(np.uint8))
    with pytest.raises(DataError, match="JPEG, expected a lossless format"):
        read(jpeg(binary))
    found = read(jpeg(binary), MaskRule(threshold=128))
    assert set(np.unique(found)) == {0, 255}
    assert ((found == 255) == (LABEL == 1)).mean() > 0.99


@pytest.mark.parametrize(
    ("kind", "settings", "fault"),
    [
        ("WEBP", {"quality": 60}, "lossy WebP"),
        ("WEBP", {"quality": 60, "exif": b"Exif\0\0"}, "lossy WebP"),
        ("WEBP", {"lossless": True}, None),
        pytest.param("AVIF", {}, "AVIF", marks=pytest.mark.skipif("AVIF" not in FORMATS, reason="Pillow without AVIF")),
    ],
)
def test_a_mask_in_another_lossy_format_is_refused_and_a_lossless_one_read(kind, settings, fault):
    content = encode_picture(np.stack([LABEL] * 3, axis=2), kind, **settings)
    if fault is None:
        assert (read(content) == LABEL).all()
        return
    with pytest.raises(DataError, match=f"{fault}, expected a lossless format such as PNG"):
        read(content)
