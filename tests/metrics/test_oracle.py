"""The bound on mean IU at each resolution."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError
from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.oracle import (
    count_oracle_pixels,
    downsample_label,
    find_cell_centres,
    make_oracle_prediction,
)

# The downsampling factors of the thesis's table.
FACTORS = (128, 64, 32, 16, 8, 4)


def blobs(seed: int, size: tuple[int, int] = (187, 250)) -> np.ndarray:
    """A label of ten discs of three classes on a background, radius 10 to 50, each with a void ring as in VOC."""
    rng = np.random.default_rng(seed)
    label = np.zeros(size, np.uint8)
    rows, columns = np.ogrid[: size[0], : size[1]]
    for value in rng.integers(1, 4, 10):
        radius = rng.uniform(10, 50)
        distance = np.hypot(rows - rng.uniform(0, size[0]), columns - rng.uniform(0, size[1]))
        label[distance < radius + 3] = 255
        label[distance < radius] = value
    return label


def mean_iu(labels: list[np.ndarray], factor: int, classes: int = 4) -> float:
    return compute_scores(np.sum([count_oracle_pixels(label, factor, classes) for label in labels], axis=0)).mean_iu


def test_at_factor_one_the_oracle_is_perfect():
    labels = [blobs(seed) for seed in range(3)]
    assert mean_iu(labels, 1) == 1.0
    for label in labels:
        assert (make_oracle_prediction(label, 1) == label)[label != 255].all()


def test_a_finer_grid_never_scores_lower():
    labels = [blobs(seed) for seed in range(8)]
    found = [mean_iu(labels, factor) for factor in (*FACTORS, 2, 1)]
    assert all(coarse < fine for coarse, fine in pairwise(found[:-1]))
    assert found[0] < 0.5
    assert found[-2] > 0.98


def test_a_hand_made_picture_scores_as_counted_by_hand():
    # Cells of 4 by 4: the left one's centre, (2, 2), is class 1; the right one's, (2, 6), class 0.
    label = np.array([[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 0, 0, 0], [1] * 4 + [0] * 4])
    assert downsample_label(label.astype(np.uint8), 4).tolist() == [[1, 0]]
    assert count_oracle_pixels(label.astype(np.uint8), 4, 2).tolist() == [[13, 9], [3, 7]]


@pytest.mark.parametrize(("factor", "expected"), [(128, 0.25), (64, 1.0), (32, 1.0)])
def test_squares_of_64_pixels_survive_cells_of_64_and_three_of_four_are_lost_in_one_of_128(factor, expected):
    label = np.array([[0, 1], [2, 3]], np.uint8).repeat(64, axis=0).repeat(64, axis=1)
    scores = compute_scores(count_oracle_pixels(label, factor, 4))
    # One class is right with a quarter of what it claims, the others are never predicted.
    assert scores.pixel_accuracy == expected
    assert scores.mean_iu == (expected if expected == 1 else 0.25 / 4)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (37, 129), (128, 131)])
@pytest.mark.parametrize("factor", [1, 3, 4, 32, 128])
def test_odd_sizes_come_back_whole_and_each_cell_shows_one_of_its_own_pixels(size, factor):
    label = np.random.default_rng(0).integers(0, 9, size, dtype=np.uint8)
    coarse = downsample_label(label, factor)
    assert coarse.shape == (-(-size[0] // factor), -(-size[1] // factor))
    assert make_oracle_prediction(label, factor).shape == size
    assert count_oracle_pixels(label, factor, 9).sum() == label.size
    for row, column in np.ndindex(coarse.shape):
        cell = label[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert coarse[row, column] == cell[cell.shape[0] // 2, cell.shape[1] // 2]


def test_the_last_cell_is_sampled_in_the_middle_of_what_of_it_is_in_the_picture():
    assert find_cell_centres(10, 4).tolist() == [2, 6, 9]
    assert find_cell_centres(8, 4).tolist() == [2, 6]
    assert find_cell_centres(9, 3).tolist() == [1, 4, 7]


def test_a_cell_whose_centre_is_void_takes_the_nearest_labelled_pixel_and_void_is_not_counted():
    label = np.full((5, 5), 255, np.uint8)
    label[2, 4], label[0, 0] = 1, 2
    assert downsample_label(label, 5).tolist() == [[1]]
    assert count_oracle_pixels(label, 5, 3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_a_picture_of_nothing_but_void_counts_nothing():
    label = np.full((9, 9), 255, np.uint8)
    assert count_oracle_pixels(label, 4, 2).sum() == 0
    with pytest.raises(DataError, match="only void"):
        compute_scores(count_oracle_pixels(label, 4, 2))


def test_voc_loses_more_than_half_at_128_and_next_to_nothing_at_4(real_data):
    folder = real_data / "voc"
    ids = (folder / "ImageSets" / "Segmentation" / "val.txt").read_text().split()[:40]
    labels = [np.array(Image.open(folder / "SegmentationClass" / f"{id_}.png")) for id_ in ids]
    found = [mean_iu(labels, factor, classes=21) for factor in FACTORS]
    assert all(coarse < fine for coarse, fine in pairwise(found))
    assert found[0] < 0.5
    assert found[-1] > 0.98
