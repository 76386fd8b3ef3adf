"""Where the cells of a stream's maps lie in the picture."""

import numpy as np
import pytest

from pixelwise.families.clockwork.runtime.stream_grids import Grid


def test_cells_and_pixels_are_each_others_inverse():
    grid = Grid(8, 3.5)
    assert grid.pixels(np.array([0, 2])).tolist() == [3.5, 19.5]
    assert grid.cells(np.array([3.5, 7.5])).tolist() == [0, 0.5]


@pytest.mark.parametrize(
    ("finer", "coarser", "side", "expected"),
    [(Grid(4, 0), Grid(8, 0), 12, 6), (Grid(4, 0), Grid(8, 0), 13, 7), (Grid(8, 0), Grid(32, 0, trimmed=6), 60, 9)],
)
def test_a_map_has_as_many_cells_as_fill_the_next_finer_one_less_those_trimmed(finer, coarser, side, expected):
    assert coarser.below(finer, side) == expected
