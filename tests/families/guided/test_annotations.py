"""Annotations on the grid of features without torch, against the net's own."""

import numpy as np
import pytest
import torch

from pixelwise.families.guided import annotations
from pixelwise.families.guided.runtime.annotations import Grid, spread, spread_points

SIZE, CELLS = (45, 67), (6, 9)
# Of nets whose strided layers pad, and of nets that reduce by tiles of eight pixels.
OFFSETS = (0.0, 3.5)
CLICKS = [(0, 0, 0), (66, 44, 1), (66, 0, 1), (3, 44, 0), (40, 43, 1), (8, 16, 0), (9, 16, 0)]


@pytest.fixture
def said() -> np.ndarray:
    found = np.zeros((3, *SIZE), np.float32)
    for x, y, way in CLICKS:
        found[way, y, x] = 1
    return found


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_mask_is_spread_as_the_net_spreads_it_in_training(offset):
    grid = Grid(*CELLS, offset)
    mask = (np.random.default_rng(0).random((2, *SIZE)) < 0.4).astype(np.float32)
    expected = annotations.spread(torch.from_numpy(mask)[None], grid[:2], offset)[0].numpy()
    np.testing.assert_allclose(spread(mask, grid), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("offset", OFFSETS)
def test_clicks_are_spread_as_a_mask_of_them_at_corners_too(said, offset):
    grid = Grid(*CELLS, offset)
    np.testing.assert_allclose(spread_points(CLICKS, 3, grid), spread(said, grid), rtol=1e-5, atol=1e-6)


def test_a_picture_smaller_than_a_cell_takes_clicks():
    np.testing.assert_array_equal(spread_points([(4, 2, 1)], 2, Grid(1, 1)), [[[0]], [[1]]])
