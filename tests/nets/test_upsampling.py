"""Interpolation as matrices: the products equal torch's own resizing, and one product equals two steps."""

import pytest
import torch
import torch.nn.functional as F

from pixelwise.nets.upsampling import make_interpolation, make_resizing, upsample, upsample_by_products


@pytest.mark.parametrize(("given", "wanted"), [(540, 360), (88, 131), (33, 33), (2, 7)])
def test_a_resizing_is_torchs_between_half_pixel_centres(given, wanted):
    values = torch.randn(1, 1, given, 1, generator=torch.manual_seed(0), dtype=torch.float64)
    expected = F.interpolate(values, size=(wanted, 1), mode="bilinear", align_corners=False)
    found = make_resizing(given, wanted).double() @ values
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.5])
def test_one_product_equals_upsampling_to_a_larger_input_and_resizing_back(offset):
    scores = torch.randn(2, 3, 17, 22, generator=torch.manual_seed(1))
    size, larger = (41, 57), (62, 86)
    expected = F.interpolate(upsample(scores, 4, larger, offset), size=size, mode="bilinear", align_corners=False)
    rows, columns = (
        make_resizing(given, side) @ make_interpolation(cells, 4, given, offset)
        for cells, given, side in zip(scores.shape[-2:], larger, size, strict=True)
    )
    assert torch.allclose(rows @ (scores @ columns.T), expected, atol=1e-4)
    assert torch.allclose(
        upsample_by_products(scores, 4, larger, offset), upsample(scores, 4, larger, offset), atol=1e-4
    )
