"""Masks that a person drew: one object white on black, or classes by number."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from support.image_sets import noise, save
from support.masks import COLOURS, LABEL, with_palette

from pixelwise.data.drawn_masks import read_masks
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

OBJECT = np.where(LABEL == 1, 255, 0).astype(np.uint8)


def read(folder, *pictures, suffix=".png"):
    files = {}
    for number, mask in enumerate(pictures):
        picture, file = folder / f"{number}.jpg", folder / f"{number}{suffix}"
        save(noise(number), picture)
        mask.save(file)
        files[picture] = file
    notes = Notes()
    return list(read_masks(files, notes).values()), notes.lines()


def grey(values):
    return Image.fromarray(np.asarray(values, np.uint8))


@pytest.mark.parametrize(
    ("mask", "white"),
    [
        (grey(OBJECT), 255),
        (grey(OBJECT // 255), 1),
        (grey(OBJECT).convert("1"), 1),
        (grey(OBJECT).convert("RGB"), 255),
        (grey(OBJECT).convert("LA"), 255),
        (Image.fromarray(OBJECT.astype(np.uint16) * 257), 65535),
    ],
    ids=["grey", "ones", "bits", "rgb", "alpha", "sixteen"],
)
def test_white_on_black_is_the_object_in_every_format(tmp_path, mask, white):
    (found,), lines = read(tmp_path, mask)
    assert (found == (OBJECT > 0)).all()
    assert lines == [f"masks are black and white: {white} is the object"]


@pytest.mark.parametrize("suffix", [".png", ".jpeg"])
def test_soft_edges_and_jpeg_are_cut_and_the_note_says_so(tmp_path, suffix):
    soft = grey(OBJECT).resize((256, 192), Image.Resampling.NEAREST).filter(ImageFilter.BoxBlur(1))
    (found,), lines = read(tmp_path, soft, suffix=suffix)
    assert set(np.unique(found)) == {0, 1}
    assert (found == (np.array(soft) >= 128)).mean() > 0.98
    assert lines == ["masks are black and white, cut at 128 because of soft edges: 255 is the object"]


def test_two_classes_in_a_mask_that_is_mostly_unknown_are_no_soft_edges_of_one_object(tmp_path):
    values = np.full(LABEL.shape, 255, np.uint8)
    values[:3], values[3:5] = 0, LABEL[3:5]
    (found,), lines = read(tmp_path, grey(values))
    assert (found == values).all()
    assert lines == ["value 255 in masks is unknown"]


def test_classes_count_by_number_over_all_masks_and_255_is_unknown(tmp_path):
    found, lines = read(tmp_path, grey(OBJECT // 255), grey(np.where(LABEL == 2, 2, OBJECT)))
    assert [sorted(np.unique(mask)) for mask in found] == [[0, 1], [0, 2, 255]]
    assert lines == ["value 255 in masks is unknown"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (grey(OBJECT // 2), "0.png: found 127 among 2 values, expected 0 for background, 1, 2"),
        (
            grey(np.random.default_rng(0).integers(0, 256, (24, 32))),
            "among 2[0-9][0-9] values, expected 0",
        ),
        (grey(OBJECT).convert("RGBA").rotate(9), "0.png: [0-9]+% of pixels transparent, expected an opaque mask"),
        (Image.fromarray(COLOURS[LABEL]), "0.png: mode RGB in colour, expected one channel"),
    ],
    ids=["half", "photo", "transparent", "colour"],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, mask, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, mask)


def test_palettes_in_different_orders_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"index 1 is the colour .* expected one palette"):
        read(tmp_path, *(with_palette(LABEL, COLOURS[order]) for order in ([0, 1, 2], [0, 2, 1])))


def test_a_mask_of_the_stored_picture_is_turned_with_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(0).save(tmp_path / "phone.jpg", exif=exif)
    grey(OBJECT).save(tmp_path / "phone.png")
    found = read_masks({Path(tmp_path / "phone.jpg"): tmp_path / "phone.png"}, Notes())
    assert (found[tmp_path / "phone.jpg"] == np.rot90(OBJECT > 0, -1)).all()
