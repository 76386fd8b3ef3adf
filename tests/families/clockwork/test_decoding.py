"""Labels decoded cell by cell are those of the net's own upsampling."""

import numpy as np
import pytest
import torch

from pixelwise.families.clockwork.runtime import decoding
from pixelwise.families.clockwork.runtime.decoding import Upsampling, decode_by_cells, mark_disagreement
from pixelwise.nets.upsampling import make_interpolation, make_resizing, upsample


def make_logits(scores, size, upsampling):
    """The logits as the net makes them (pixelwise/families/fcn/net.py)."""
    factor, offset, scale = upsampling
    if scale == 1:
        return upsample(scores, factor, size, offset)
    rows, columns = (
        make_resizing(int(side * scale), side) @ make_interpolation(cells, factor, int(side * scale), offset)
        for cells, side in zip(scores.shape[2:], size, strict=True)
    )
    return rows @ (scores @ columns.T)


@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
@pytest.mark.parametrize(
    "upsampling",
    [
        Upsampling(4, 0, 1.5),
        Upsampling(8, 0, 1.0),
        Upsampling(8, 3.5, 1.0),
        Upsampling(4, 1.5, 1.5),
        Upsampling(8, 0, 0.5),
    ],
)
def test_labels_are_those_of_the_nets_own_upsampling(upsampling, size):
    upsampling = Upsampling(*upsampling)
    cells = [-(-int(side * upsampling.scale) // upsampling.factor) for side in size]
    scores = torch.randn(1, 5, *cells, generator=torch.Generator().manual_seed(0))
    logits = make_logits(scores, size, upsampling)[0]
    found = decode_by_cells(scores.numpy(), *size, upsampling)
    assert found.dtype == np.uint8
    chosen = logits.gather(0, torch.from_numpy(found.astype(np.int64))[None])[0]
    # Where two classes are equal to the last digit, either may win.
    assert (logits.max(dim=0).values - chosen).max() < 1e-5
    assert (found == logits.argmax(dim=0).numpy()).mean() > 0.999


def test_pixels_among_cells_of_one_class_are_not_interpolated(monkeypatch):
    scores = np.zeros((1, 3, 8, 8), np.float32)
    scores[0, 1, :, :4], scores[0, 2, :, 4:] = 2, 1
    found = decode_by_cells(scores, 32, 32, Upsampling(4, 0, 1.0))
    # Class 1 wins up to two thirds of the way from cell 3 (pixel 12) to cell 4 (pixel 16).
    assert (found[:, :15] == 1).all()
    assert (found[:, 15:] == 2).all()
    open_pixels = []
    monkeypatch.setattr(decoding.np, "nonzero", lambda mask: open_pixels.append(mask.sum()) or mask.nonzero())
    decode_by_cells(scores, 32, 32, Upsampling(4, 0, 1.0))
    assert open_pixels == [32 * 4]


def test_cells_disagree_with_any_of_the_block_that_begins_at_them():
    winners = np.array([[0, 0, 0], [0, 0, 1]], np.uint8)
    assert mark_disagreement(winners, 2, 2).tolist() == [[0, 255, 255], [0, 255, 1]]
