"""FCN: the identities of thesis §2.2–2.3 that the net rests on."""

import pytest
import torch
import torch.nn.functional as F

from pixelwise.families.fcn.fusion import SkipFusion
from pixelwise.families.fcn.net import FCN, LateFusion, NullBackground
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.pixel_labeller import PixelLabeller, encode_depth
from pixelwise.nets.upsampling import UpsamplingStep, derive_steps, upsample

BACKBONE = "efficientnet_lite0"


def fcn(classes: int, strides: tuple[int, ...], extra_channels: int = 0, **settings: object) -> FCN:
    backbone = Backbone(BACKBONE, tuple(sorted(strides)), "none", extra_channels=extra_channels)
    return FCN(backbone, classes, **settings).eval()


def randomise(net: torch.nn.Module, seed: int = 0) -> None:
    torch.manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)


@pytest.mark.parametrize(
    ("strides", "width"),
    [((32,), 0), ((32, 16), 0), ((32, 16, 8), 16), ((32, 16, 8, 4), 0), ((16,), 0), ((8,), 0)],
    ids=["32s", "16s", "8s with a top-down path", "4s", "cut at pool4", "cut at pool3"],
)
def test_there_is_a_score_for_every_pixel_at_any_size(strides, width):
    net = fcn(5, strides, width=width)
    with torch.inference_mode():
        for batch, height, w in ((1, 33, 47), (2, 64, 96), (1, 31, 129), (1, 1, 1)):
            image = torch.zeros(batch, 3, height, w)
            assert net(image).shape == (batch, 5, height, w)


def test_a_net_that_enlarges_its_picture_scores_the_pictures_own_pixels():
    net = fcn(5, (32, 16, 8), scale=1.5)
    with torch.inference_mode():
        for height, width in ((33, 47), (64, 96), (2, 3)):
            assert net(torch.zeros(1, 3, height, width)).shape == (1, 5, height, width)


def test_the_order_of_the_strides_does_not_matter():
    nets = [fcn(3, strides) for strides in ((8, 16, 32), (32, 8, 16))]
    randomise(nets[0])
    nets[1].load_state_dict(nets[0].state_dict())
    image = 255 * torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(nets[0](image), nets[1](image))


def test_a_new_net_scores_zero_so_that_a_skip_does_not_interfere():
    net = fcn(4, (32, 16, 8))
    with torch.inference_mode():
        assert not net(255 * torch.rand(1, 3, 48, 48)).any()


def test_adding_a_zero_skip_leaves_the_scores_as_they_were_at_every_cell_of_the_coarser_grid():
    coarse, fine = (SkipFusion([6, 5, 4][:n], derive_steps((32, 16, 8)[:n]), classes=3).eval() for n in (2, 3))
    randomise(coarse)
    for part in range(2):
        fine.score[part].load_state_dict(coarse.score[part].state_dict())
    torch.manual_seed(1)
    features = [torch.randn(2, c, h, w) for c, h, w in ((6, 3, 4), (5, 5, 7), (4, 10, 14))]
    before, after = coarse(features[:2]), fine(features)
    assert torch.equal(after, upsample(before, 2, features[2].shape[-2:]))
    assert torch.equal(after[..., ::2, ::2], before)


def test_adding_a_zero_skip_leaves_the_prediction_of_a_net_as_it_was():
    parent, child = (fcn(4, strides) for strides in ((32, 16), (32, 16, 8)))
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
    fusion = SkipFusion([6, 5, 4], derive_steps((32, 16, 8)), classes=3).eval().double()
    randomise(fusion)
    features = [torch.randn(2, c, h, w).double() for c, h, w in ((6, 3, 4), (5, 5, 7), (4, 10, 14))]
    middle, finest = features[1:]
    half, whole = middle.shape[-2:], finest.shape[-2:]
    coarse_on_fine = upsample(upsample(features[0], 2, half), 2, whole)
    concatenated = torch.cat([coarse_on_fine, upsample(middle, 2, whole), finest], dim=1)
    weight = torch.cat([score.weight for score in fusion.score], dim=1)
    bias = sum(score.bias for score in fusion.score)
    torch.testing.assert_close(fusion(features), F.conv2d(concatenated, weight, bias), rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4, 8, 32])
def test_upsampling_puts_cell_i_on_pixel_factor_times_i(factor):
    x = torch.rand(2, 3, 5, 4)
    fine = upsample(x, factor, (5 * factor, 4 * factor))
    assert fine.shape == (2, 3, 5 * factor, 4 * factor)
    assert torch.equal(fine[..., ::factor, ::factor], x)


@pytest.mark.parametrize("factor", [2, 4, 8, 32])
def test_upsampling_is_exact_on_linear_ramps_and_repeats_the_border(factor):
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    fine = upsample((3 * rows - 2 * columns)[None, None], factor, (4 * factor, 6 * factor))[0, 0]
    y = torch.arange(4 * factor).clamp(max=3 * factor) / factor
    x = torch.arange(6 * factor).clamp(max=5 * factor) / factor
    torch.testing.assert_close(fine, 3 * y[:, None] - 2 * x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 8, 16])
def test_upsampling_is_the_transposed_convolution_with_the_bilinear_kernel(factor):
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    line = 1 - torch.arange(1 - factor, factor, dtype=torch.float64).abs() / factor
    kernel = (line[:, None] * line).expand(3, 1, -1, -1)
    expected = F.conv_transpose2d(x, kernel, stride=factor, padding=factor - 1, groups=3)
    found = upsample(x, factor, (5 * factor, 4 * factor))
    inside = (..., slice(4 * factor + 1), slice(3 * factor + 1))
    torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=1e-12)


def test_upsampling_agrees_with_the_formula_of_the_thesis_between_cells():
    x, factor = torch.rand(1, 1, 4, 4, dtype=torch.float64), 4
    fine = upsample(x, factor, (16, 16))[0, 0]
    for i, j in ((1, 2), (5, 11), (7, 7), (10, 3)):
        a, b = (i % factor) / factor, (j % factor) / factor
        corners = x[0, 0, i // factor : i // factor + 2, j // factor : j // factor + 2]
        expected = sum(
            abs(1 - alpha - a) * abs(1 - beta - b) * corners[alpha, beta] for alpha in (0, 1) for beta in (0, 1)
        )
        assert fine[i, j] == pytest.approx(expected.item(), abs=1e-12)


def test_the_shipped_net_takes_pictures_and_gives_the_most_probable_class():
    net = fcn(7, (32, 16, 8))
    randomise(net.fusion)
    image = torch.randint(0, 256, (2, 37, 50, 3), dtype=torch.uint8)
    with torch.inference_mode():
        prediction, logits = PixelLabeller(net)(image), net(image.permute(0, 3, 1, 2).float())
    assert prediction.dtype == torch.uint8
    assert torch.equal(prediction.long(), logits.argmax(dim=1))
    assert len(prediction.unique()) > 1


@pytest.mark.parametrize("offset", [-5, -0.5, 0.5, 3, 7.5, 15.5, 40])
def test_upsampling_puts_cell_i_on_pixel_factor_times_i_plus_its_offset(offset):
    """A ramp over the places where the cells look is a ramp over pixels, wherever four cells are around."""
    factor = 8
    places = factor * torch.arange(6.0) + offset
    fine = upsample(places.expand(1, 1, 6, 6), factor, (48, 48), offset)[0, 0, 0]
    pixels = torch.arange(48.0)
    inside = (pixels >= places[0]) & (pixels <= places[-1])
    torch.testing.assert_close(fine[inside], pixels[inside])
    assert (fine[pixels < places[0]] == places[0]).all()
    assert (fine[pixels > places[-1]] == places[-1]).all()


def test_steps_between_grids_count_in_cells_of_the_finer_one():
    assert derive_steps((32, 16, 8), (15.5, 7.5, 3.5)) == [UpsamplingStep(2, 0.5), UpsamplingStep(2, 0.5)]
    assert derive_steps((32, 8)) == [UpsamplingStep(4, 0.0)]


def test_fusion_by_maximum_sends_each_gradient_to_one_stream_and_a_sum_to_all():
    features = [torch.randn(1, 4, 2, 2), torch.randn(1, 4, 4, 4)]
    moved = {}
    for fusion in ("sum", "max"):
        net = SkipFusion([4, 4], derive_steps((2, 1)), classes=1, fusion=fusion)
        randomise(net)
        # Far above the other stream everywhere.
        torch.nn.init.constant_(net.score[1].bias, 100.0)
        net(features).sum().backward()
        moved[fusion] = [score.weight.grad.abs().sum().item() for score in net.score]
    assert moved["max"][0] == 0 < moved["max"][1]
    assert min(moved["sum"]) > 0


def test_a_streams_scale_multiplies_its_features_before_they_are_scored():
    features = [torch.randn(1, 4, 2, 2), torch.randn(1, 3, 4, 4)]
    plain, scaled = (SkipFusion([4, 3], derive_steps((2, 1)), 2, scales=scales) for scales in ((), (1.0, 0.01)))
    randomise(plain)
    scaled.load_state_dict(plain.state_dict())
    torch.testing.assert_close(scaled(features), plain([features[0], 0.01 * features[1]]))


def test_with_fewer_active_streams_a_net_is_the_coarser_one():
    whole, coarse = fcn(3, (32, 16, 8)), fcn(3, (32, 16))
    randomise(whole.fusion)
    coarse.backbone.features.load_state_dict(whole.backbone.features.state_dict(), strict=False)
    coarse.fusion.load_state_dict({k: v for k, v in whole.fusion.state_dict().items() if not k.startswith("score.2")})
    whole.fusion.active = 2
    image = 255 * torch.rand(1, 3, 70, 90)
    with torch.inference_mode():
        torch.testing.assert_close(whole(image), coarse(image), rtol=1e-4, atol=1e-4)


def test_late_fusion_starts_as_the_average_of_its_parents():
    colour, depth = fcn(4, (32, 16)), fcn(4, (32, 16))
    randomise(colour.fusion, 1)
    randomise(depth.fusion, 2)
    x = 255 * torch.rand(1, 6, 40, 40)
    with torch.inference_mode():
        expected = (colour(x[:, :3]) + depth(x[:, 3:])) / 2
        torch.testing.assert_close(LateFusion(colour, depth)(x), expected)


def test_a_depth_channel_starts_as_the_mean_of_the_colour_filters():
    torch.manual_seed(0)
    colour, deep = (Backbone(BACKBONE, (32,), "imagenet", extra_channels=n) for n in (0, 1))
    first, wide = colour.features.conv_stem.weight, deep.features.conv_stem.weight
    assert torch.equal(wide[:, :3], first)
    assert torch.equal(wide[:, 3], first.mean(dim=1))
    image = 255 * torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        # A depth channel of zeros, which is the mean depth, changes nothing.
        found = deep.eval()(torch.cat([image, torch.zeros(1, 1, 64, 64)], dim=1))[0]
        torch.testing.assert_close(found, colour.eval()(image)[0], rtol=1e-4, atol=1e-4)


def test_the_depth_channel_is_the_log_of_millimetres_and_zero_where_depth_is_unknown():
    found = encode_depth(torch.tensor([[[0, 255, 2550]]], dtype=torch.int32))
    assert found.shape == (1, 1, 1, 3)
    assert found[0, 0, 0].tolist() == pytest.approx([0.0, 0.0, 2.3026], abs=3e-4)


def test_a_null_background_scores_zero_and_has_no_parameters():
    torch.manual_seed(0)
    classes, parts = 5, (fcn(5, (32, 16)), fcn(4, (32, 16)))
    full, null = parts[0], NullBackground(parts[1])
    randomise(null)
    with torch.inference_mode():
        logits = null(255 * torch.rand(1, 3, 40, 40))
    assert logits.shape[1] == classes
    assert not logits[:, 0].any()
    assert logits[:, 1:].any()
    counts = [sum(p.numel() for p in net.parameters()) for net in (full, null)]
    widths = full.backbone.channels
    assert counts[0] - counts[1] == sum(widths) + len(widths)


def test_a_null_background_wins_where_every_learned_class_scores_below_zero():
    # Its scores start at zero, so the biases are what every pixel gets.
    net = fcn(3, (32,))
    labels, image = PixelLabeller(NullBackground(net)).eval(), torch.randint(0, 256, (1, 40, 56, 3), dtype=torch.uint8)
    for biases, expected in (([-3.0, -0.1, -2.0], 0), ([-3.0, 0.1, -2.0], 2), ([-3.0, -0.1, 5.0], 3)):
        with torch.inference_mode():
            net.fusion.score[0].bias.copy_(torch.tensor(biases))
            assert labels(image).unique().tolist() == [expected]


def test_a_resnet_is_a_backbone_too_and_learns():
    torch.manual_seed(0)
    backbone = Backbone("resnet34", (8, 16, 32), "none")
    assert backbone.offsets == [0, 0, 0]
    net = FCN(backbone, 3)
    image, label = 255 * torch.rand(2, 3, 33, 47), torch.randint(0, 3, (2, 33, 47))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        logits = net(image)
        assert logits.shape == (2, 3, 33, 47)
        losses.append(F.cross_entropy(logits, label))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[1] < losses[0]


def test_two_heads_are_the_rows_of_one_score_layer():
    both, first, second = fcn(5, (32, 16)), fcn(3, (32, 16)), fcn(2, (32, 16))
    randomise(both.fusion)
    for net, rows in ((first, slice(3)), (second, slice(3, 5))):
        net.backbone.load_state_dict(both.backbone.state_dict())
        net.fusion.load_state_dict({name: value[rows] for name, value in both.fusion.state_dict().items()})
    image = torch.randint(0, 256, (1, 40, 56, 3), dtype=torch.uint8)
    with torch.inference_mode():
        semantic, geometry = PixelLabeller(both, heads={"semantic": 3, "geometry": 2})(image)
        assert (semantic == PixelLabeller(first)(image)).float().mean() > 0.999
        assert (geometry == PixelLabeller(second)(image)).float().mean() > 0.999
