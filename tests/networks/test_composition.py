"""Compositions: static, dynamic, by dilation; their identities and their limits (thesis §5.3)."""

import copy
import math

import pytest
import torch
from torch import nn
from torchvision.ops import deform_conv2d

from components.errors import ModelError
from components.families import composition as family
from components.networks.composing import Composition, compose, composed, learn_structure_alone
from components.networks.composition import Blur, Composed, DifferenceOfGaussians, GaussianParams, StaticPoints, fold
from components.networks.context import Dilated
from components.networks.dynamic import DynamicGaussian, FreeForm, Scales, local_filter
from components.networks.gaussian import blur, kernel_2d
from components.networks.sampling import dynamic_samples, gaussian_offsets, grid, ring

GAUSSIAN = GaussianParams(size=1.3)
TINY = GaussianParams(size=1e-3)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def conv(channels=4, outputs=5):
    return nn.Conv2d(channels, outputs, 3, padding=1)


def test_the_ring_is_the_origin_and_eight_points_of_the_unit_circle_at_equal_angles():
    points = ring()
    assert torch.equal(points[4], torch.zeros(2))
    around = torch.cat([points[:4], points[5:]])
    assert torch.allclose(around.norm(dim=1), torch.ones(8))
    angles = torch.atan2(around[:, 0], around[:, 1]).sort().values
    assert torch.allclose(angles.diff(), torch.full((7,), math.pi / 4), atol=1e-6)
    assert torch.allclose(points.mean(dim=0), torch.zeros(2), atol=1e-6)


def test_blur_then_convolution_is_one_filter_inside():
    layer, x = Composed(conv(1, 1), "blur", GAUSSIAN), torch.randn(1, 1, 25, 25)
    gaussian = kernel_2d(layer.gaussian.numbers()[0]).float()
    joined = nn.functional.conv2d(layer.conv.weight, gaussian[None, None], padding=gaussian.shape[-1] - 1)
    whole = nn.functional.conv2d(x, joined, layer.conv.bias, padding=joined.shape[-1] // 2)
    assert torch.allclose(layer(x)[..., 6:-6, 6:-6], whole[..., 6:-6, 6:-6], atol=1e-5)


@pytest.mark.parametrize("kind", ["blur", "resample"])
def test_as_the_gaussian_goes_to_zero_the_convolution_is_alone(kind):
    plain, x = conv(), torch.randn(2, 4, 9, 11)
    assert torch.allclose(Composed(plain, kind, TINY)(x), plain(x), atol=0.02)


@pytest.mark.parametrize("is_free", [True, False])
def test_static_points_start_as_the_plain_convolution(is_free):
    plain, x = conv(), torch.randn(2, 4, 9, 11)
    assert torch.allclose(StaticPoints(plain, is_free)(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("covariance", ["spherical", "diagonal", "full"])
def test_resampling_by_a_plain_convolution_equals_deformable_sampling(covariance):
    layer, x = Composed(conv(), "resample", GAUSSIAN._replace(covariance=covariance)), torch.randn(2, 4, 9, 11)
    offsets = (layer.points() - grid()).view(1, 18, 1, 1).expand(2, 18, 9, 11)
    sampled = deform_conv2d(layer.gaussian(x), offsets, layer.conv.weight, layer.conv.bias, padding=1)
    assert torch.allclose(layer(x), sampled, atol=1e-5)


def test_the_difference_of_gaussians_is_nothing_on_a_constant_and_its_surround_is_larger():
    layer = DifferenceOfGaussians(3, GAUSSIAN)
    assert torch.allclose(layer(torch.full((1, 3, 8, 8), 5.0)), torch.zeros(1, 3, 8, 8), atol=1e-5)
    layer(torch.randn(1, 3, 8, 8)).square().sum().backward()
    assert layer.surround.covariance.grad.abs() > 0


@pytest.mark.parametrize(("covariance", "numbers"), [("spherical", 1), ("diagonal", 2), ("full", 3)])
def test_a_dynamic_gaussian_infers_so_many_numbers_and_constant_ones_sample_as_static_ones(covariance, numbers):
    plain, x = conv(), torch.randn(2, 4, 9, 11)
    dynamic = DynamicGaussian(plain, covariance, size=1.3)
    assert dynamic.infer.out_channels == numbers
    static = StaticPoints(plain, is_free=True)
    static.change.data = (ring() * 1.3 / 10).flatten()
    assert torch.allclose(dynamic(x), static(x), atol=1e-5)


def test_full_covariance_warps_each_cell_by_its_own_root():
    roots = torch.randn(2, 3, 4, 2, 2)
    offsets = gaussian_offsets(roots)
    assert torch.allclose(offsets[1, 3, :, 2, 1], ring()[3] @ roots[1, 2, 1], atol=1e-6)


@pytest.mark.parametrize("make", [DynamicGaussian, Scales, FreeForm])
def test_what_is_inferred_learns_from_the_loss(make):
    layer = make(conv())
    layer(torch.randn(1, 4, 8, 8)).square().sum().backward()
    assert layer.infer.weight.grad.abs().sum() > 0


def test_free_form_deformation_starts_as_the_plain_convolution_and_scales_without_size_are_it():
    plain, x = conv(), torch.randn(2, 4, 9, 11)
    assert torch.allclose(FreeForm(plain)(x), plain(x), atol=1e-5)
    assert torch.allclose(Scales(plain, size=1e-3)(x), plain(x), atol=0.01)


def test_dynamic_gradients_are_those_of_differences():
    layer = DynamicGaussian(conv(2, 2), "full", size=0.7).double()
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    numbers = (0.1 * torch.randn(1, 4, 5, 3, dtype=torch.float64)).requires_grad_()

    def sampled(values):
        from components.networks.covariance import root

        return dynamic_samples(x, layer.conv.weight, None, gaussian_offsets(root(values)))

    assert torch.autograd.gradcheck(sampled, numbers)


@pytest.mark.parametrize("numbers", [[0.3], [0.3, 0.5], [0.3, 0.4, 0.1]])
def test_local_filters_of_one_covariance_are_the_static_blur(numbers):
    x, learned = torch.randn(2, 3, 9, 7), torch.tensor(numbers)
    assert torch.allclose(local_filter(x, learned.expand(2, 9, 7, -1), GAUSSIAN), blur(x, learned[None]), atol=1e-5)


def test_local_filters_of_mixed_scales_are_each_their_own_blur():
    x, logs = torch.randn(1, 2, 8, 8), torch.tensor([-3.0, 0.0, 1.0, 30.0])
    numbers = logs.clamp(max=1.5).repeat(2).view(1, 1, 8, 1).expand(1, 8, 8, 1)
    found = local_filter(x, numbers, GAUSSIAN)
    for column in range(4):
        own = blur(x, numbers[0, 0, column][None])
        assert torch.allclose(found[..., column], own[..., column], atol=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_offsets_that_are_no_numbers_read_no_foreign_memory(bad):
    layer = DynamicGaussian(conv(), "full")
    layer.infer.bias.data.fill_(bad)
    assert layer(torch.randn(1, 4, 6, 6)).isfinite().all()


def test_dilation_aliases_what_alternates_and_blurred_dilation_does_not():
    stripes = (torch.arange(24) % 2).float().view(1, 1, 1, 24).expand(1, 1, 24, 24) - 0.5
    outputs = {}
    for is_blurred in (False, True):
        layer = Dilated(1, 1, 2, is_blurred)
        nn.init.constant_(layer.conv.weight, 1 / 9)
        outputs[is_blurred] = layer(stripes)[..., 8:-8, 8:-8].detach().abs().max()
    assert outputs[False] == pytest.approx(0.5)
    assert outputs[True] < 0.1


def test_a_convolution_that_cannot_be_composed_is_named():
    with pytest.raises(ModelError, match="stride \\(2, 2\\)"):
        Composed(nn.Conv2d(3, 3, 3, stride=2, padding=1), "blur", GAUSSIAN)
    with pytest.raises(ModelError, match="1×1, expected 3×3"):
        DynamicGaussian(nn.Conv2d(3, 3, 1))


def test_any_convolution_is_composed_by_its_name_and_structure_alone_can_learn():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    plain, x = copy.deepcopy(net), torch.randn(2, 3, 8, 8)
    compose(net, Composition(("[02]",), "blur", TINY))
    assert torch.allclose(net.eval()(x), plain.eval()(x), atol=1e-4)
    learn_structure_alone(net)
    assert [name for name, p in net.named_parameters() if p.requires_grad] == [
        "0.gaussian.covariance",
        "2.gaussian.covariance",
    ]
    before = net[1].running_mean.clone()
    net.train()(x)
    assert torch.equal(net[1].running_mean, before)
    with pytest.raises(ModelError, match="found no convolution of that name"):
        compose(plain, Composition(("missing",), "blur", TINY))


@pytest.mark.parametrize("kind", ["blur", "resample", "dog", "dog-resample", "static-free-form", "static-affine"])
def test_folded_kernels_compute_the_same(kind):
    layer, x = composed(conv(), Composition((), kind, GAUSSIAN)), torch.randn(2, 4, 9, 11)
    expected = layer(x)
    assert torch.allclose(fold(copy.deepcopy(layer))(x), expected, atol=1e-5)


def test_a_covariance_a_channel_blurs_each_by_its_own():
    layer, x = Blur(2, GAUSSIAN._replace(per_channel=True)), torch.randn(1, 2, 9, 9)
    layer.covariance.data[1] = 0.0
    found = layer(x)
    assert torch.allclose(found[:, 1:], blur(x[:, 1:], torch.zeros(1, 1)), atol=1e-6)
    assert not torch.allclose(found[:, :1], blur(x[:, :1], torch.zeros(1, 1)), atol=1e-3)


def test_a_composed_decoder_keeps_the_grid():
    network = family.NetworkParams.model_validate({"weights": "none", "strides": [16, 8], "width": 8})
    net = family.build(network, 4).eval()
    assert net(torch.zeros(1, 3, 65, 97)).shape == (1, 4, 65, 97)
