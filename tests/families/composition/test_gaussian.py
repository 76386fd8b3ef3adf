"""Gaussians: covariances, kernels, their limits, and learning a blur (thesis §5.2)."""

import math
from itertools import pairwise

import pytest
import torch

from pixelwise.errors import ModelError
from pixelwise.families.composition.covariance import compute_covariance, compute_deviations, make_numbers
from pixelwise.families.composition.gaussian import blur, compute_half_size, make_kernel_1d, make_kernel_2d

KINDS = ("spherical", "diagonal", "full")
SLANTED = torch.tensor([0.5, -0.8, 0.2], dtype=torch.float64)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_thesis_example_is_the_covariance_of_its_numbers():
    sigma = torch.tensor([[1.0, -2.0], [-2.0, 8.0]], dtype=torch.float64)
    numbers = torch.tensor([0.0, -2.0, math.log(2)], dtype=torch.float64)
    assert torch.allclose(compute_covariance(numbers), sigma)


def test_any_numbers_make_a_positive_definite_covariance():
    numbers = noise(100, 3)
    assert (torch.linalg.eigvalsh(compute_covariance(numbers)) > 0).all()


@pytest.mark.parametrize("is_sampled", [False, True])
@pytest.mark.parametrize("numbers", [torch.tensor([0.3]), torch.tensor([0.3, -1.0]), SLANTED])
def test_kernels_sum_to_one_and_are_the_same_from_both_sides(numbers, is_sampled):
    kernel = make_kernel_2d(numbers, is_sampled=is_sampled)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-12)
    assert torch.allclose(kernel, kernel.flip(0, 1), atol=1e-12)
    assert kernel.shape == tuple(2 * compute_half_size(float(side)) + 1 for side in compute_deviations(numbers))


@pytest.mark.parametrize("is_sampled", [False, True])
def test_full_without_slant_is_diagonal_and_diagonal_of_equal_sides_spherical(is_sampled):
    full = make_kernel_2d(torch.tensor([0.2, 0.0, 0.6]), is_sampled=is_sampled)
    assert torch.allclose(full, make_kernel_2d(torch.tensor([0.2, 0.6]), is_sampled=is_sampled), atol=1e-12)
    pair = make_kernel_2d(torch.tensor([0.2, 0.2]), is_sampled=is_sampled)
    assert torch.allclose(pair, make_kernel_2d(torch.tensor([0.2]), is_sampled=is_sampled), atol=1e-12)


def test_a_separable_blur_equals_the_dense_one():
    x, numbers = noise(1, 2, 19, 23), torch.tensor([[0.4, 0.9]], dtype=torch.float64)
    dense = torch.tensor([[0.4, 0.0, 0.9]], dtype=torch.float64)
    assert torch.allclose(blur(x, numbers), blur(x, dense), atol=1e-12)


def test_the_thesis_kernel_is_the_density_at_whole_cells():
    cells = torch.arange(-3, 4, dtype=torch.float64)
    density = (-0.5 * (cells / 1.5).square()).exp()
    assert torch.allclose(make_kernel_1d(torch.tensor(1.5), is_sampled=True), density / density.sum())


def test_a_slanted_kernel_has_its_covariance():
    kernel = make_kernel_2d(SLANTED + torch.tensor([0.5, 0.0, 0.5]), std_devs=5.0)
    axes = [torch.arange(side, dtype=torch.float64) - side // 2 for side in kernel.shape]
    y, x = torch.meshgrid(*axes, indexing="ij")
    found = torch.stack([(kernel * a * b).sum() for a, b in ((y, y), (y, x), (x, x))])
    sigma = compute_covariance(SLANTED + torch.tensor([0.5, 0.0, 0.5]))
    # A cell's own width adds a twelfth.
    expected = torch.stack([sigma[0, 0] + 1 / 12, sigma[0, 1], sigma[1, 1] + 1 / 12])
    assert torch.allclose(found, expected, rtol=0.03)


def longest_step(is_sampled):
    sigmas = torch.linspace(0.3, 4, 2000, dtype=torch.float64)
    kernels = [make_kernel_1d(sigma, is_sampled=is_sampled) for sigma in sigmas]
    kernels = [torch.nn.functional.pad(kernel, (10 - len(kernel) // 2,) * 2) for kernel in kernels]
    return max(float((after - before).abs().sum()) for before, after in pairwise(kernels))


def test_a_kernel_grows_without_a_jump_where_the_thesis_one_jumps():
    assert longest_step(is_sampled=False) < 0.005 < 0.018 < longest_step(is_sampled=True)


def test_a_blur_of_less_than_half_a_cell_still_learns():
    grown = [torch.tensor([math.log(0.25)], dtype=torch.float64, requires_grad=True) for _ in range(2)]
    for numbers, is_sampled in zip(grown, (False, True), strict=True):
        make_kernel_1d(numbers.exp(), is_sampled=is_sampled)[..., 0].sum().backward()
    assert grown[0].grad.abs() > 10 * grown[1].grad.abs()


@pytest.mark.parametrize("number", [-50.0, -math.inf])
def test_zero_is_the_identity(number):
    x = noise(2, 3, 9, 14)
    for numbers in ([number], [number, number], [number, 0.0, number]):
        assert torch.equal(blur(x, torch.tensor([numbers], dtype=torch.float64)), x)


@pytest.mark.parametrize("number", [50.0, math.inf])
def test_infinity_is_the_global_average(number):
    x = noise(2, 3, 9, 14)
    average = x.mean(dim=(2, 3), keepdim=True).expand_as(x)
    for numbers in ([number], [number, number], [number, 0.0, number]):
        assert torch.allclose(blur(x, torch.tensor([numbers], dtype=torch.float64)), average, atol=1e-3)


def test_what_is_no_number_is_named():
    with pytest.raises(ModelError, match="covariance: found NaN"):
        blur(noise(1, 1, 5, 5), torch.tensor([[math.nan]]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 2)])
def test_a_picture_smaller_than_the_kernel_keeps_its_shape_and_a_constant(kind, shape):
    x = torch.full((1, 2, *shape), 3.0)
    assert torch.allclose(blur(x, make_numbers(kind, 6.0)[None]), x)


def test_the_thesis_border_is_dark_and_its_inside_the_same():
    x, numbers = torch.ones(1, 1, 21, 21), torch.tensor([[0.5]])
    dark = blur(x, numbers, is_dark=True)
    assert dark[0, 0, 0, 0] < 0.5
    assert torch.allclose(dark[..., 5:-5, 5:-5], x[..., 5:-5, 5:-5])


@pytest.mark.parametrize(("std_devs", "error"), [(2.0, 0.06), (3.0, 0.03), (4.0, 0.03)])
def test_two_blurs_are_one_of_their_summed_variance(std_devs, error):
    first, second, both = (make_kernel_1d(torch.tensor(sigma), std_devs) for sigma in (2.0, 3.0, math.sqrt(13)))
    joined = torch.nn.functional.conv1d(first.view(1, 1, -1), second.view(1, 1, -1), padding=len(second) - 1).flatten()
    beyond = (len(joined) - len(both)) // 2
    assert float((joined - torch.nn.functional.pad(both, (beyond, beyond))).abs().sum()) < error


@pytest.mark.parametrize("numbers", [[[0.3]], [[0.3, -0.4]], [[0.3, 0.5, -0.2]], [[-1.2]], [[0.1], [0.7]]])
def test_gradients_are_those_of_differences(numbers):
    x = noise(1, 2, 7, 6).requires_grad_()
    learned = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blur, (x, learned))


@pytest.mark.parametrize("truth", [[0.7], [0.7, 0.1], [0.7, 0.6, 0.1]])
def test_an_unknown_blur_is_found_to_a_hundredth(truth):
    x, target = noise(1, 1, 40, 40), torch.tensor([truth], dtype=torch.float64)
    seen = blur(x, target)
    # Near the identity, in the fullest family: it holds the others.
    learned = torch.tensor([[-0.7, 0.0, -0.7]], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([learned], max_iter=60, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = (blur(x, learned) - seen).square().mean()
        value.backward()
        return value

    optimiser.step(loss)
    sigma = compute_covariance(target[0])
    assert torch.allclose(compute_covariance(learned[0].detach()), sigma, atol=0.01 * float(sigma.max()))


@pytest.mark.parametrize(("sigma", "std_devs"), [(0.7, 4.0), (1.5, 4.0), (2.5, 3.0)])
def test_the_thesis_kernel_filters_as_scipy_does(sigma, std_devs):
    ndimage = pytest.importorskip("scipy.ndimage")
    x, numbers = noise(1, 1, 17, 23), torch.tensor([[math.log(sigma)]], dtype=torch.float64)
    found = blur(x, numbers, std_devs, is_sampled=True, is_dark=True)[0, 0]
    expected = ndimage.gaussian_filter(
        x[0, 0].numpy(), sigma, mode="constant", radius=compute_half_size(sigma, std_devs)
    )
    assert torch.allclose(found, torch.from_numpy(expected), atol=1e-12)


@pytest.mark.parametrize("numbers", [[0.9], [0.2, 0.9], [0.2, 0.6, 0.5]])
def test_what_is_shifted_is_blurred_to_the_same_shifted(numbers):
    x, learned = noise(1, 2, 40, 40), torch.tensor([numbers], dtype=torch.float64)
    moved = blur(x.roll((3, 5), dims=(2, 3)), learned)
    inside = (..., slice(14, -14), slice(14, -14))
    assert torch.allclose(moved[inside], blur(x, learned).roll((3, 5), dims=(2, 3))[inside], atol=1e-12)
