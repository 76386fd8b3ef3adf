"""The band around boundaries, and the counts within it."""

import numpy as np
import pytest

from pixelwise.metrics.boundary import fill_void_outside, find_boundary_band, find_class_boundary_band, make_disk
from pixelwise.metrics.confusion import compute_scores, count_pixels

BANDS = [find_boundary_band, find_class_boundary_band]


def square(side: int = 20, at: int = 15, size: int = 50, value: int = 1) -> np.ndarray:
    label = np.zeros((size, size), np.uint8)
    label[at : at + side, at : at + side] = value
    return label


def by_definition(label: np.ndarray, radius: int, of_foreground: bool) -> np.ndarray:
    """Pixel by pixel: whether the disk around it meets two kinds of pixels."""
    band = np.zeros(label.shape, bool)
    for row, column in np.ndindex(label.shape):
        rows, columns = np.ogrid[: label.shape[0], : label.shape[1]]
        near = label[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2]
        kinds = (near > 0) & (near != 255) if of_foreground else near[near != 255]
        band[row, column] = len(np.unique(kinds)) > 1
    return band


def test_the_disk_of_radius_five_has_81_cells():
    assert make_disk(5).sum() == 81
    assert make_disk(5)[0].sum() == 1
    assert make_disk(1).tolist() == [[False, True, False], [True, True, True], [False, True, False]]


@pytest.mark.parametrize("band", BANDS)
def test_the_band_of_a_square_is_ten_pixels_wide_half_inside_half_outside(band):
    found = band(square())
    across = found[25]
    assert np.flatnonzero(across).tolist() == [*range(10, 20), *range(30, 40)]
    # 40 pixels a side: outside they are rounded at the corners, inside the disk keeps a smaller square.
    outside, inside = found & (square() == 0), found & (square() == 1)
    assert inside.sum() == 20 * 20 - 10 * 10
    assert outside.sum() == 4 * 20 * 5 + 4 * quarter_disk()
    assert (found == found.T).all()
    assert (found == found[::-1, ::-1]).all()


def quarter_disk() -> int:
    """Pixels off a square's corner that the disk of radius 5 around the corner pixel reaches."""
    return sum(x * x + y * y <= 25 for x in range(1, 6) for y in range(1, 6))


@pytest.mark.parametrize("radius", [1, 3, 5])
def test_the_bands_are_those_of_their_definitions(radius):
    rng = np.random.default_rng(0)
    label = rng.choice(np.array([0, 0, 1, 2, 255], np.uint8), (5, 6)).repeat(5, axis=0).repeat(5, axis=1)
    assert (find_boundary_band(label, radius) == by_definition(label, radius, of_foreground=True)).all()
    assert (find_class_boundary_band(label, radius) == by_definition(label, radius, of_foreground=False)).all()


def test_no_pixel_of_the_band_is_farther_than_the_radius_from_the_other_side():
    label = square()
    rows, columns = np.nonzero(find_boundary_band(label))
    for row, column in zip(rows, columns, strict=True):
        others = np.argwhere(label != label[row, column])
        assert ((others - (row, column)) ** 2).sum(axis=1).min() <= 25


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_picture_of_one_kind_has_no_boundary_not_even_at_its_edge(band, value):
    assert not band(np.full((20, 20), value, np.uint8)).any()


def test_a_void_ring_bounds_the_foreground_and_its_own_pixels_are_not_counted():
    label = square(side=28, at=11, value=255)
    label[15:35, 15:35] = 1
    assert (find_boundary_band(label) == find_boundary_band(square())).all()
    counts = count_pixels(fill_void_outside(label, find_boundary_band), np.zeros_like(label), 2)
    # Four of the five outer pixels are void; of the fifth, the straight sides and what of the corners is in reach.
    assert counts[1].tolist() == [20 * 20 - 10 * 10, 0]
    assert 0 < counts[0].sum() <= 4 * 20
    assert counts.sum() == (find_boundary_band(label) & (label != 255)).sum()


def test_void_is_no_boundary_of_classes_and_does_not_hide_one_in_reach():
    label = np.repeat(np.array([[2] * 9 + [255] * 4 + [3] * 9], np.uint8), 20, axis=0)
    assert np.flatnonzero(find_class_boundary_band(label)[10]).tolist() == list(range(8, 14))
    label[label == 3] = 255
    assert not find_class_boundary_band(label).any()


def test_an_edge_between_two_objects_bounds_classes_and_not_the_foreground():
    label = np.ones((30, 30), np.uint8)
    label[:, 15:] = 2
    assert not find_boundary_band(label).any()
    assert np.flatnonzero(find_class_boundary_band(label)[10]).tolist() == list(range(10, 20))


def test_only_what_is_wrong_near_a_boundary_costs():
    label = square()
    far, near = label.copy(), label.copy()
    far[:5], near[18:22, 14:17] = 1, 0
    near[18:22, 12:15] = 1
    assert compute_scores(count_pixels(fill_void_outside(label, find_boundary_band), far, 2)).mean_iu == 1
    assert (
        compute_scores(count_pixels(fill_void_outside(label, find_boundary_band), near, 2)).mean_iu
        < compute_scores(count_pixels(label, near, 2)).mean_iu
    )


def test_a_band_that_covers_the_picture_keeps_every_pixel():
    label = square()
    for band in BANDS:
        assert (fill_void_outside(label, band, 60) == label).all()
