"""The algebra of kernels, strides and offsets (thesis §2.2), held against what the layers really do."""

import random
from fractions import Fraction

import pytest
import torch
from torch import nn
from torchvision.models.googlenet import Inception

from pixelwise.errors import ModelError
from pixelwise.nets.receptive_fields import (
    ReceptiveField,
    compose_fields,
    derive_field,
    find_crop_offset,
    measure_receptive_field,
    merge_branches,
)


def seen(net: nn.Module, cell: int, size: int = 64) -> tuple[int, int]:
    """First and last input column that output column `cell` depends on, in a net whose weights are positive."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1)
    x = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    out = net.double()(x)
    out[0, :, out.shape[2] // 2, cell].sum().backward()
    columns = x.grad[0, 0].abs().sum(dim=0).nonzero().ravel()
    return int(columns[0]), int(columns[-1])


@pytest.mark.parametrize("seed", range(12))
def test_the_field_of_random_layers_is_what_the_gradient_reaches(seed):
    draw = random.Random(seed)
    layers: list[nn.Module] = []
    for _ in range(3):
        kernel, stride, dilation = draw.choice((1, 2, 3, 5)), draw.choice((1, 1, 2)), draw.choice((1, 1, 2))
        convolution = nn.Conv2d(1, 1, kernel, stride, draw.randint(0, kernel), dilation)
        layers += [draw.choice([convolution, nn.AvgPool2d(kernel, stride, padding=kernel // 2)]), nn.ReLU()]
    net = nn.Sequential(*layers)
    field = derive_field(net)
    cell = round((32 - field.offset) / field.stride)
    first, last = seen(net, cell)
    assert Fraction(first + last, 2) == field.stride * cell + field.offset
    assert last - first + 1 == field.kernel


@pytest.mark.parametrize(("kernel", "padding"), [(4, 0), (4, 1), (3, 0), (5, 2)])
def test_a_transposed_convolution_undoes_the_offset_of_its_convolution(kernel, padding):
    down = nn.Conv2d(1, 1, kernel, stride=2, padding=padding)
    up = nn.ConvTranspose2d(1, 1, kernel, stride=2, padding=padding)
    total = derive_field(down).chain(derive_field(up))
    assert (total.stride, total.offset) == (1, 0)


def test_upsampling_lands_where_the_field_says():
    up = nn.ConvTranspose2d(1, 1, 4, stride=2)
    field = derive_field(up)
    torch.nn.init.ones_(up.weight)
    torch.nn.init.zeros_(up.bias)
    x = torch.zeros(1, 1, 5, 5)
    x[..., 2, 2] = 1
    columns = up(x)[0, 0].sum(dim=0).nonzero().ravel()
    centre = Fraction(int(columns[0]) + int(columns[-1]), 2)
    assert field.stride * centre + field.offset == 2


def test_composition_is_associative():
    fields = [derive_field(nn.Conv2d(1, 1, k, s, p)) for k, s, p in ((7, 2, 3), (3, 2, 0), (5, 1, 2))]
    a, b, c = fields
    assert a.chain(b).chain(c) == a.chain(b.chain(c)) == compose_fields(fields)


def test_branches_have_the_widest_kernel_and_one_grid():
    block = Inception(8, 4, 4, 4, 4, 4, 4)
    assert derive_field(block) == ReceptiveField(kernel=3)
    with pytest.raises(ModelError, match="expected one grid"):
        merge_branches([derive_field(nn.Conv2d(1, 1, 3, padding=1)), derive_field(nn.Conv2d(1, 1, 3))])


def test_a_pooling_wider_than_its_stride_counts_whole():
    assert measure_receptive_field(nn.MaxPool2d(3, stride=2), nn.MaxPool2d(3, stride=2)) == 7


def test_a_crop_aligns_two_grids():
    low, high = (
        ReceptiveField(stride=Fraction(8), offset=Fraction(-20)),
        ReceptiveField(stride=Fraction(8), offset=Fraction(20)),
    )
    assert find_crop_offset(top=low, reference=high) == 5
    with pytest.raises(ModelError, match="an offset of -5 cells"):
        find_crop_offset(top=high, reference=low)
    with pytest.raises(ModelError, match="strides 8 and 16"):
        find_crop_offset(high, ReceptiveField(stride=Fraction(16)))


@pytest.mark.parametrize("layer", [nn.Linear(2, 2), nn.AdaptiveAvgPool2d(1), nn.Upsample(scale_factor=2)])
def test_a_layer_without_a_field_is_named(layer):
    with pytest.raises(ModelError, match=type(layer).__name__):
        derive_field(layer)


def test_a_kernel_that_is_not_square_is_refused():
    with pytest.raises(ModelError, match="same number both ways"):
        derive_field(nn.Conv2d(1, 1, (1, 3)))
