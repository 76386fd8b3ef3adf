"""The study of section 2.2.2 runs shift-and-stitch, and sees where it does not give what dilation gives."""

import pytest
import torch

from pixelwise.families.fcn.studies.dense import make_methods, run_in_turns, share_equal_cells


@pytest.fixture(scope="module")
def measured():
    x = torch.rand(1, 3, 56, 60, generator=torch.Generator().manual_seed(0))
    return run_in_turns(make_methods(seed=0), x)


def test_every_way_gives_the_cells_of_dilation_and_takes_time(measured):
    seconds, found = measured
    dense = found["dilation"]
    assert {way: share_equal_cells(values, dense) for way, values in found.items()} == dict.fromkeys(found, 1.0)
    assert found["shift and stitch"].shape == dense.shape
    assert (dense.shape[-1], found["as it is"].shape[-1]) == (17, 3)
    assert all(len(taken) == 3 and min(taken) > 0 for taken in seconds.values())


def test_a_cell_that_differs_is_counted_as_another(measured):
    dense = measured[1]["dilation"]
    other = dense.clone()
    other[0, 0, :, 0] += dense.abs().max()
    assert share_equal_cells(other, dense) == pytest.approx(1 - 1 / dense.shape[-1])
