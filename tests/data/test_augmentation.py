"""Random views: image and label move together, and what lies outside is void."""

import numpy as np
import pytest

from pixelwise.data.augmentation import GREY, AugmentParams, draw_view
from pixelwise.data.items import VOID
from pixelwise.errors import DataError, ParamsError
from pixelwise.params import parse

SIZE = (90, 120)
PLAIN = AugmentParams(crop_width=64, crop_height=48, colour=0.0)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of black and white blocks, and the label that says which is which."""
    blocks = np.random.default_rng(seed).integers(0, 2, (SIZE[0] // 15, SIZE[1] // 15), dtype=np.uint8)
    label = blocks.repeat(15, axis=0).repeat(15, axis=1)
    return np.repeat(255 * label[..., None], 3, axis=2), label


def view(seed: int, params: AugmentParams = PLAIN, rare=None, world=None):
    image, label = world or scene(seed)
    moved = draw_view({"image": image, "label": label}, np.random.default_rng(seed), params, rare)
    return moved["image"], moved["label"]


def away_from_edges(label: np.ndarray, reach: int) -> np.ndarray:
    """Where the label is the same `reach` pixels around."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(label, reach, mode="edge"), [2 * reach + 1] * 2)
    return windows.max(axis=(2, 3)) == windows.min(axis=(2, 3))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, 0.9), (1.0, 2.5)])
def test_image_and_label_move_together(scales):
    params = PLAIN.model_copy(update={"scale_min": scales[0], "scale_max": scales[1]})
    shown = set()
    for seed in range(20):
        image, label = view(seed, params)
        assert image.shape == (48, 64, 3)
        assert label.shape == (48, 64)
        assert image.dtype == label.dtype == np.uint8
        sure = (label != VOID) & away_from_edges(label, 2)
        assert np.array_equal(image[..., 0][sure] > 127, label[sure] == 1)
        inside = label != VOID
        # An edge of the image lies where the label's does, to within a pixel's rounding.
        assert ((image[..., 0] > 127) == (label == 1))[inside].mean() > 0.93
        shown |= set(np.unique(label))
    assert {0, 1} <= shown


def test_half_of_the_views_are_mirrored_and_the_label_with_them():
    label = np.tile(np.arange(120, dtype=np.uint8), (90, 1))
    world = (np.repeat(label[..., None], 3, axis=2), label)
    params = PLAIN.model_copy(update={"scale_min": 1.0, "scale_max": 1.0, "stretch": 0.0})
    mirrored = 0
    for seed in range(200):
        image, moved = view(seed, params, world=world)
        assert np.abs(image[..., 0].astype(int) - moved).max() <= 1
        mirrored += moved[0, 0] > moved[0, -1]
    assert 70 < mirrored < 130


def test_what_lies_outside_the_picture_is_grey_and_void():
    params = PLAIN.model_copy(update={"scale_min": 0.25, "scale_max": 0.25, "stretch": 0.0})
    for seed in range(10):
        image, label = view(seed, params)
        outside = label == VOID
        # At a quarter of the size, a picture of 120 by 90 fills 30 by 22 of a crop of 64 by 48.
        assert (~outside).sum() == pytest.approx(30 * 22.5, rel=0.1)
        assert (image[outside] == GREY).all()
        rows, columns = np.nonzero(~outside)
        assert not outside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].any()


def test_a_crop_that_fits_shows_no_outside_and_takes_every_place():
    params = PLAIN.model_copy(update={"scale_min": 1.0, "scale_max": 1.0, "stretch": 0.0})
    rows, columns = np.indices(SIZE, dtype=np.uint8)
    world = (np.stack([rows, columns, rows], axis=2), np.zeros(SIZE, np.uint8))
    seen = np.zeros(SIZE, bool)
    for seed in range(300):
        image, label = view(seed, params, world=world)
        assert (label == 0).all()
        seen[image[..., 0], image[..., 1]] = True
    assert seen.mean() > 0.97


def test_void_stays_void_and_no_new_class_appears_between_two():
    image, _ = scene(0)
    label = np.where(np.random.default_rng(0).random(SIZE) < 0.5, 3, VOID).astype(np.uint8)
    for seed in range(10):
        assert set(np.unique(view(seed, world=(image, label))[1])) <= {3, VOID}


def test_the_same_generator_gives_the_same_view_and_another_one_another():
    params = AugmentParams(crop_width=64, crop_height=48)
    first, again, other = view(1, params), view(1, params), view(2, params, world=scene(1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_the_picture_itself_is_left_as_it_was():
    image, label = scene(0)
    kept = image.copy(), label.copy()
    view(3, AugmentParams(crop_width=64, crop_height=48), world=(image, label))
    assert np.array_equal(image, kept[0])
    assert np.array_equal(label, kept[1])


def test_colours_change_the_image_but_never_the_label():
    coloured = PLAIN.model_copy(update={"colour": 0.5})
    image, label = np.full((*SIZE, 3), (200, 100, 50), np.uint8), scene(0)[1]
    plain, bright = (view(4, params, world=(image, label)) for params in (PLAIN, coloured))
    assert np.array_equal(plain[1], bright[1])
    assert not np.array_equal(plain[0], bright[0])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.1), (0.5, 0.55), (1.0, 1.0)])
def test_rare_share_is_the_share_of_crops_placed_on_a_rare_pixel(share, expected):
    image, label = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), np.uint8)
    label[200:203, 310:313] = 5
    params = PLAIN.model_copy(update={"rare_share": share, "scale_min": 1.0, "scale_max": 1.0})
    hits = [(view(seed, params, np.array([4, 5]), (image, label))[1] == 5).any() for seed in range(100)]
    assert np.mean(hits) == pytest.approx(expected, abs=0.12)


def test_without_a_rare_pixel_a_crop_falls_anywhere():
    params = PLAIN.model_copy(update={"rare_share": 1.0})
    assert view(0, params, rare=np.array([7]))[1].shape == (48, 64)
    assert view(0, params, rare=np.array([], dtype=int))[1].shape == (48, 64)


def test_every_map_moves_with_the_picture():
    image, label = scene(3)
    maps = {
        "image": image,
        "label": label,
        "geometry": label,
        "hha": label[..., None].repeat(3, axis=2),
        "depth": (label + 1).astype(np.uint16) * 300,
    }
    for seed in range(10):
        moved = draw_view(maps, np.random.default_rng(seed), PLAIN)
        inside = moved["label"] != VOID
        assert np.array_equal(moved["geometry"], moved["label"])
        assert np.array_equal(moved["hha"][..., 0][inside], moved["label"][inside])
        assert np.array_equal(moved["depth"][inside], 300 * (moved["label"][inside].astype(int) + 1))
        assert not moved["depth"][~inside].any()


def test_whole_pictures_keep_their_size_and_shift_by_the_jitter_at_most():
    image, label = scene(0)
    columns = np.tile(np.arange(120, dtype=np.uint8), (90, 1))
    shifts = set()
    for seed in range(60):
        params = AugmentParams(whole=True, jitter=4, mirror=False, colour=0.0)
        moved = draw_view({"image": image, "label": columns}, np.random.default_rng(seed), params)["label"]
        assert moved.shape == label.shape
        shifts.add(int(moved[45, 60]) - 60)
    assert shifts == set(range(-4, 5))


def test_a_whole_picture_is_not_shifted_out_of_its_frame():
    image, label = scene(0)
    maps = {"image": image, "label": label}
    with pytest.raises(DataError, match=r"augment\.jitter: found 90, but a picture has 120×90 pixels"):
        draw_view(maps, np.random.default_rng(0), AugmentParams(whole=True, jitter=90))
    for seed in range(20):
        draw_view(maps, np.random.default_rng(seed), AugmentParams(whole=True, jitter=89))


@pytest.mark.parametrize(
    ("scales", "largest"), [({"scale_min": 2.0}, 1.6), ({"scale_min": 2.0, "scale_max": 1.0}, 1.0)]
)
def test_a_smallest_scale_above_the_largest_is_one_line(scales, largest):
    with pytest.raises(ParamsError, match=rf"^augment\.scale_min: found 2\.0, expected at most scale_max {largest}$"):
        parse(AugmentParams, scales, "params.yaml: fcn.train.augment")


def test_a_whole_picture_without_change_is_the_picture():
    image, label = scene(1)
    params = AugmentParams(whole=True, mirror=False, colour=0.0)
    moved = draw_view({"image": image, "label": label}, np.random.default_rng(0), params)
    assert np.array_equal(moved["image"], image)
    assert np.array_equal(moved["label"], label)
