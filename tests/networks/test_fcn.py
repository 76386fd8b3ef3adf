"""FCN: the identities of thesis §2.2–2.3 that the net rests on."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from components.networks.fcn import FCN, PixelLabels, SkipFusion, upsample

BACKBONE = "efficientnet_lite0"


def grid(height: int, width: int, channels: int = 1, batch: int = 1) -> Tensor:
    return torch.empty(batch, channels, height, width)


def randomise(net: torch.nn.Module, seed: int = 0) -> None:
    torch.manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)


@pytest.mark.parametrize(
    ("strides", "width"),
    [((32,), 0), ((32, 16), 0), ((32, 16, 8), 16), ((32, 16, 8, 4), 0)],
    ids=["32s", "16s", "8s with a top-down path", "4s"],
)
def test_there_is_a_score_for_every_pixel_at_any_size(strides, width):
    net = FCN(BACKBONE, 5, strides, width=width, pretrained=False).eval()
    with torch.inference_mode():
        for batch, height, w in ((1, 33, 47), (2, 64, 96), (1, 31, 129), (1, 1, 1)):
            image = torch.zeros(batch, 3, height, w)
            assert net(image).shape == (batch, 5, height, w)


def test_a_net_that_enlarges_its_picture_scores_the_pictures_own_pixels():
    net = FCN(BACKBONE, 5, (32, 16, 8), scale=1.5, pretrained=False).eval()
    with torch.inference_mode():
        for height, width in ((33, 47), (64, 96), (2, 3)):
            assert net(torch.zeros(1, 3, height, width)).shape == (1, 5, height, width)


def test_the_order_of_the_strides_does_not_matter():
    nets = [FCN(BACKBONE, 3, strides, pretrained=False).eval() for strides in ((8, 16, 32), (32, 8, 16))]
    randomise(nets[0])
    nets[1].load_state_dict(nets[0].state_dict())
    image = 255 * torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(nets[0](image), nets[1](image))


def test_a_new_net_scores_zero_so_that_a_skip_does_not_interfere():
    net = FCN(BACKBONE, 4, (32, 16, 8), pretrained=False).eval()
    with torch.inference_mode():
        assert not net(255 * torch.rand(1, 3, 48, 48)).any()


def test_adding_a_zero_skip_leaves_the_scores_as_they_were_at_every_cell_of_the_coarser_grid():
    coarse, fine = (SkipFusion([6, 5, 4][:n], (32, 16, 8)[:n], classes=3).eval() for n in (2, 3))
    randomise(coarse)
    for part in range(2):
        fine.score[part].load_state_dict(coarse.score[part].state_dict())
    torch.manual_seed(1)
    features = [torch.randn(2, c, h, w) for c, h, w in ((6, 3, 4), (5, 5, 7), (4, 10, 14))]
    before, after = coarse(features[:2]), fine(features)
    assert torch.equal(after, upsample(before, 2, features[2]))
    assert torch.equal(after[..., ::2, ::2], before)


def test_adding_a_zero_skip_leaves_the_prediction_of_a_net_as_it_was():
    parent, child = (FCN(BACKBONE, 4, strides, pretrained=False).eval() for strides in ((32, 16), (32, 16, 8)))
    child.backbone.features.load_state_dict(parent.backbone.features.state_dict())
    randomise(parent.fusion)
    for part in range(2):
        child.fusion.score[part].load_state_dict(parent.fusion.score[part].state_dict())
    image = 255 * torch.rand(1, 3, 75, 100)
    with torch.inference_mode():
        before, after = parent(image), child(image)
        # Up to the last coarse cell, where the finer grid reaches further than the parent's: it repeats the border.
        torch.testing.assert_close(after[..., :65, :97], before[..., :65, :97], rtol=1e-4, atol=1e-4)


def test_scoring_then_summing_equals_scoring_the_concatenation():
    fusion = SkipFusion([6, 5, 4], (32, 16, 8), classes=3).eval().double()
    randomise(fusion)
    features = [torch.randn(2, c, h, w).double() for c, h, w in ((6, 3, 4), (5, 5, 7), (4, 10, 14))]
    middle, finest = features[1:]
    coarse_on_fine = upsample(upsample(features[0], 2, middle), 2, finest)
    concatenated = torch.cat([coarse_on_fine, upsample(middle, 2, finest), finest], dim=1)
    weight = torch.cat([score.weight for score in fusion.score], dim=1)
    bias = sum(score.bias for score in fusion.score)
    torch.testing.assert_close(fusion(features), F.conv2d(concatenated, weight, bias), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4, 8, 32])
def test_upsampling_puts_cell_i_on_pixel_factor_times_i(factor):
    x = torch.rand(2, 3, 5, 4)
    fine = upsample(x, factor, grid(5 * factor, 4 * factor))
    assert fine.shape == (2, 3, 5 * factor, 4 * factor)
    assert torch.equal(fine[..., ::factor, ::factor], x)


@pytest.mark.parametrize("factor", [2, 4, 8, 32])
def test_upsampling_is_exact_on_linear_ramps_and_repeats_the_border(factor):
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    fine = upsample((3 * rows - 2 * columns)[None, None], factor, grid(4 * factor, 6 * factor))[0, 0]
    y = torch.arange(4 * factor).clamp(max=3 * factor) / factor
    x = torch.arange(6 * factor).clamp(max=5 * factor) / factor
    torch.testing.assert_close(fine, 3 * y[:, None] - 2 * x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 8, 16])
def test_upsampling_is_the_transposed_convolution_with_the_bilinear_kernel(factor):
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    line = 1 - torch.arange(1 - factor, factor, dtype=torch.float64).abs() / factor
    kernel = (line[:, None] * line).expand(3, 1, -1, -1)
    expected = F.conv_transpose2d(x, kernel, stride=factor, padding=factor - 1, groups=3)
    found = upsample(x, factor, grid(5 * factor, 4 * factor))
    inside = (..., slice(4 * factor + 1), slice(3 * factor + 1))
    torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=1e-12)


def test_upsampling_agrees_with_the_formula_of_the_thesis_between_cells():
    x, factor = torch.rand(1, 1, 4, 4, dtype=torch.float64), 4
    fine = upsample(x, factor, grid(16, 16))[0, 0]
    for i, j in ((1, 2), (5, 11), (7, 7), (10, 3)):
        a, b = (i % factor) / factor, (j % factor) / factor
        corners = x[0, 0, i // factor : i // factor + 2, j // factor : j // factor + 2]
        expected = sum(
            abs(1 - alpha - a) * abs(1 - beta - b) * corners[alpha, beta] for alpha in (0, 1) for beta in (0, 1)
        )
        assert fine[i, j] == pytest.approx(expected.item(), abs=1e-12)


def test_the_shipped_net_takes_pictures_and_gives_the_most_probable_class():
    net = FCN(BACKBONE, 7, (32, 16, 8), pretrained=False).eval()
    randomise(net.fusion)
    image = torch.randint(0, 256, (2, 37, 50, 3), dtype=torch.uint8)
    with torch.inference_mode():
        prediction, logits = PixelLabels(net)(image), net(image.permute(0, 3, 1, 2).float())
    assert prediction.dtype == torch.uint8
    assert torch.equal(prediction.long(), logits.argmax(dim=1))
    assert len(prediction.unique()) > 1
