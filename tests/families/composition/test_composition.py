"""Compositions: static, dynamic, by dilation; their identities and their limits (thesis §5.3)."""

import copy
import math

import pytest
import torch
from torch import nn
from torchvision.ops import deform_conv2d

from pixelwise.errors import ModelError
from pixelwise.families.composition import family
from pixelwise.families.composition.context import Dilated
from pixelwise.families.composition.covariance import compute_root
from pixelwise.families.composition.dynamic import DynamicGaussian, FreeForm, Scales, filter_locally
from pixelwise.families.composition.gaussian import blur, make_kernel_2d
from pixelwise.families.composition.layer import (
    Blur,
    Composed,
    DifferenceOfGaussians,
    GaussianParams,
    StaticPoints,
    fold,
)
from pixelwise.families.composition.net import Composition, compose, compose_layer, learn_structure_alone
from pixelwise.families.composition.sampling import compute_gaussian_offsets, make_grid, make_ring, sample_dynamic

GAUSSIAN = GaussianParams(size=1.3)
TINY = GaussianParams(size=1e-3)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def conv(channels=4, outputs=5):
    return nn.Conv2d(channels, outputs, 3, padding=1)


def test_the_ring_is_the_origin_and_eight_points_of_the_unit_circle_at_equal_angles():
    points = make_ring()
    assert torch.equal(points[4], torch.zeros(2))
    around = torch.cat([points[:4], points[5:]])
    assert torch.allclose(around.norm(dim=1), torch.ones(8))
    angles = torch.atan2(around[:, 0], around[:, 1]).sort().values
    assert torch.allclose(angles.diff(), torch.full((7,), math.pi / 4), atol=1e-6)
    assert torch.allclose(points.mean(dim=0), torch.zeros(2), atol=1e-6)


def test_blur_then_convolution_is_one_filter_inside():
    layer, x = Composed(conv(1, 1), "blur", GAUSSIAN), torch.randn(1, 1, 25, 25)
    gaussian = make_kernel_2d(layer.gaussian.compute_numbers()[0]).float()
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
    offsets = (layer.compute_points() - make_grid()).view(1, 18, 1, 1).expand(2, 18, 9, 11)
    sampled = deform_conv2d(layer.gaussian(x), offsets, layer.conv.weight, layer.conv.bias, padding=1)
    assert torch.allclose(layer(x), sampled, atol=1e-5)


def test_the_difference_of_gaussians_is_nothing_on_a_constant_and_its_surround_is_larger():
    layer = DifferenceOfGaussians(3, GAUSSIAN)
    assert torch.allclose(layer(torch.full((1, 3, 8, 8), 5.0)), torch.zeros(1, 3, 8, 8), atol=1e-5)
    layer(torch.randn(1, 3, 8, 8)).square().sum().backward()
    assert layer.surround.covariance.grad.abs() > 0


@pytest.mark.parametrize(("covariance", "numbers"), [("spherical", 1), ("diagonal", 2), ("full", 3)])
def test_a_dynamic_gaussian_infers_so_many_numbers_and_without_them_is_blur_and_resample(covariance, numbers):
    plain, x, gaussian = conv(), torch.randn(2, 4, 9, 11), GAUSSIAN._replace(covariance=covariance)
    dynamic = DynamicGaussian(plain, gaussian)
    assert dynamic.infer.out_channels == numbers
    assert torch.allclose(dynamic(x), Composed(plain, "resample", gaussian)(x), atol=1e-5)


def test_full_covariance_warps_each_cell_by_its_own_root():
    roots = torch.randn(2, 3, 4, 2, 2)
    offsets = compute_gaussian_offsets(roots)
    assert torch.allclose(offsets[1, 3, :, 2, 1], make_ring()[3] @ roots[1, 2, 1], atol=1e-6)


@pytest.mark.parametrize("kind", ["dynamic", "scales", "free-form"])
def test_what_is_inferred_learns_from_the_loss(kind):
    layer = compose_layer(conv(), Composition((), kind, GAUSSIAN))
    layer(torch.randn(1, 4, 8, 8)).square().sum().backward()
    assert layer.infer.weight.grad.abs().sum() > 0


def test_free_form_deformation_starts_as_the_plain_convolution_and_scales_without_size_are_it():
    plain, x = conv(), torch.randn(2, 4, 9, 11)
    assert torch.allclose(FreeForm(plain)(x), plain(x), atol=1e-5)
    assert torch.allclose(Scales(plain, size=1e-3)(x), plain(x), atol=0.01)


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_scales_look_at_their_own_cell_so_that_a_ramp_stays_where_it_is(size):
    layer = Scales(nn.Conv2d(1, 1, 3, padding=1, bias=False), size)
    layer.conv.weight.data = torch.eye(9)[4].view(1, 1, 3, 3)
    y, x = torch.meshgrid(torch.arange(25.0), torch.arange(28.0), indexing="ij")
    ramp = (y + 2 * x)[None, None]
    assert torch.allclose(layer(ramp)[..., 8:-8, 8:-8], ramp[..., 8:-8, 8:-8], atol=1e-4)


def test_dynamic_gradients_are_those_of_differences():
    weight, x = torch.randn(2, 2, 3, 3, dtype=torch.float64), torch.randn(1, 2, 4, 5, dtype=torch.float64)
    numbers = (0.1 * torch.randn(1, 4, 5, 3, dtype=torch.float64)).requires_grad_()
    sampled = lambda values: sample_dynamic(x, weight, None, compute_gaussian_offsets(compute_root(values)))  # noqa: E731
    assert torch.autograd.gradcheck(sampled, numbers)


@pytest.mark.parametrize("covariance", ["spherical", "diagonal", "full"])
@pytest.mark.parametrize("kind", ["blur", "resample", "dog", "dog-resample", "dynamic", "scales", "static-affine"])
def test_every_layer_has_the_gradients_of_differences(kind, covariance):
    gaussian = GaussianParams(covariance, size=0.83)
    layer = compose_layer(nn.Conv2d(2, 1, 3, padding=1), Composition((), kind, gaussian)).double()
    names = [name for name, _ in layer.named_parameters()]
    # Away from zero, where points lie on cells and bilinear sampling has a kink.
    values = [(value.detach() + 0.011 * torch.randn_like(value)).requires_grad_() for value in layer.parameters()]
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)

    def computed(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(computed, (x, *values))


def test_local_filtering_has_the_gradients_of_differences():
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    numbers = (0.1 * torch.randn(1, 4, 5, 3, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, numbers: filter_locally(x, numbers, GAUSSIAN), (x, numbers))


@pytest.mark.parametrize("numbers", [[0.3], [0.3, 0.5], [0.3, 0.4, 0.1]])
def test_local_filters_of_one_covariance_are_the_static_blur(numbers):
    x, learned = torch.randn(2, 3, 9, 7), torch.tensor(numbers)
    assert torch.allclose(filter_locally(x, learned.expand(2, 9, 7, -1), GAUSSIAN), blur(x, learned[None]), atol=1e-5)


def test_local_filters_of_mixed_scales_are_each_their_own_blur():
    x, logs = torch.randn(1, 2, 8, 8), torch.tensor([-3.0, 0.0, 1.0, 30.0])
    numbers = logs.clamp(max=1.5).repeat(2).view(1, 1, 8, 1).expand(1, 8, 8, 1)
    found = filter_locally(x, numbers, GAUSSIAN)
    for column in range(4):
        own = blur(x, numbers[0, 0, column][None])
        assert torch.allclose(found[..., column], own[..., column], atol=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_offsets_that_are_no_numbers_read_no_foreign_memory(bad):
    layer = DynamicGaussian(conv(), GAUSSIAN._replace(covariance="full"))
    layer.infer.weight.data.fill_(bad)
    assert layer(torch.randn(1, 4, 6, 6)).isfinite().all()


LEARNED = ["blur", "resample", "dog", "dog-resample", "dynamic", "scales"]


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("driven", [math.inf, -math.inf])
def test_a_size_driven_to_zero_or_infinity_leaves_numbers_and_their_gradients(kind, driven):
    layer, x = compose_layer(conv(), Composition((), kind, GAUSSIAN)), torch.randn(1, 4, 6, 7, requires_grad=True)
    drive(layer, driven)
    found = layer(x)
    found.square().sum().backward()
    assert found.isfinite().all()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("kind", LEARNED)
def test_a_size_that_is_no_number_is_named(kind):
    layer = compose_layer(conv(), Composition((), kind, GAUSSIAN))
    drive(layer, math.nan)
    with pytest.raises(ModelError, match="covariance: found NaN"):
        layer(torch.randn(1, 4, 6, 7))


def drive(layer, value):
    """Give all that is learned of the sizes the `value`."""
    for name, parameter in layer.named_parameters():
        if name.endswith(("covariance", "size")):
            parameter.data.fill_(value)


@pytest.mark.parametrize("kind", ["blur", "resample", "dog", "dynamic", "scales", "free-form", "static-affine"])
def test_bf16_mixed_precision_computes_and_learns_about_what_full_precision_does(kind):
    layer, x = compose_layer(conv(), Composition((), kind, GAUSSIAN)), torch.randn(1, 4, 9, 11)
    full = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        # Features that come from another layer are halved already.
        mixed = layer(x.bfloat16())
        mixed.float().square().sum().backward()
    assert torch.allclose(mixed.float(), full, atol=0.03)
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("kind", ["dynamic", "scales", "free-form"])
def test_pictures_of_mixed_scales_in_a_batch_are_each_as_alone(kind):
    layer = compose_layer(conv(), Composition((), kind, GAUSSIAN))
    nn.init.normal_(layer.infer.weight, std=2.0)
    pictures = [scale * torch.randn(1, 4, 7, 9) for scale in (0.1, 1.0, 10.0)]
    assert torch.allclose(layer(torch.cat(pictures)), torch.cat([layer(one) for one in pictures]), atol=1e-4)


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
        DynamicGaussian(nn.Conv2d(3, 3, 1), GAUSSIAN)


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


@pytest.mark.parametrize(
    "kind", ["blur", "resample", "dog", "dog-resample", "dynamic", "static-free-form", "static-affine"]
)
def test_folded_kernels_compute_the_same(kind):
    layer, x = compose_layer(conv(), Composition((), kind, GAUSSIAN)), torch.randn(2, 4, 9, 11)
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


@pytest.mark.parametrize("kind", ["resample", "dog-resample", "dynamic", "scales", "ccl-blur", "aspp-blur"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3)])
def test_a_picture_smaller_than_the_kernel_keeps_its_shape(kind, shape):
    layer = compose_layer(conv(4, 4), Composition((), kind, GaussianParams(size=6.0))).eval()
    found = layer(torch.randn(1, 4, *shape))
    assert found.shape == (1, 4, *shape)
    assert found.isfinite().all()


@pytest.mark.parametrize(("kind", "pace"), [("dynamic", 10.0), ("scales", 1.0)])
def test_the_sizes_inferred_follow_those_of_the_objects_that_a_picture_was_blurred_by(kind, pace):
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(48.0), indexing="ij")
    sizes = torch.full((16, 48), 0.4)
    for place, radius in enumerate((2.0, 4.0, 7.0)):
        sizes[(y - 8).square() + (x - 8 - 16 * place).square() < radius**2] = radius / 3
    seen = torch.stack([torch.randn(16, 48), sizes.log()])[None]
    layer = compose_layer(nn.Conv2d(2, 3, 3, padding=1), Composition((), kind, GaussianParams(size=1.0)))
    layer.conv.weight.data[:, 1] = 0.0
    truth = copy.deepcopy(layer)
    truth.infer.weight.data[:, 1, truth.infer.kernel_size[0] // 2, truth.infer.kernel_size[0] // 2] = pace
    target = truth(seen).detach()
    optimiser = torch.optim.Adam(layer.infer.parameters(), lr=0.05 * pace)
    for _ in range(60):
        optimiser.zero_grad()
        (layer(seen) - target).square().mean().backward()
        optimiser.step()
    found = layer.infer_scale_map(seen)[0].detach().log().flatten()
    assert torch.corrcoef(torch.stack([found, sizes.log().flatten()]))[0, 1] > 0.8
