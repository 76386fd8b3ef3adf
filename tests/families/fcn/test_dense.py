"""Shift-and-stitch is filter dilation (thesis §2.2.2).

Weights and pictures are small whole numbers in float64, whose sums are exact in any order: so equal means equal in
every bit, whatever the engine's order of adding.
"""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import AlexNet
from torchvision.models.vgg import cfgs, make_layers

from pixelwise.errors import ModelError
from pixelwise.families.fcn.dense import dilate, shift_and_stitch
from pixelwise.nets.receptive_fields import derive_field

CONV_FIRST = [
    nn.Conv2d(2, 3, 3, stride=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
    nn.MaxPool2d(3, stride=2),
    nn.Conv2d(4, 5, 2),
]
ONE_WAY = [
    nn.Conv2d(2, 3, (1, 3)),
    nn.MaxPool2d((1, 2)),
    nn.Conv2d(3, 3, (1, 3)),
    nn.ReLU(),
    nn.MaxPool2d((1, 3), (1, 2)),
    nn.Conv2d(3, 2, (1, 3)),
]
# name -> layers, output stride.
UNPADDED = {
    "one way": (ONE_WAY, (1, 4)),
    "a strided convolution first": (CONV_FIRST, 8),
    "unlike strides each way": ([nn.Conv2d(2, 3, 3, stride=(1, 3)), nn.MaxPool2d((3, 2)), nn.Conv2d(3, 2, 3)], (3, 6)),
    "average pools": ([nn.Conv2d(2, 3, 2), nn.AvgPool2d(2), nn.Conv2d(3, 3, 3), nn.AvgPool2d(4, 2)], 4),
    "a dilated convolution": ([nn.MaxPool2d(2), nn.Conv2d(2, 3, 3, dilation=2), nn.MaxPool2d(3, 2)], 4),
    "a stride wider than its window": ([nn.MaxPool2d(2, stride=3), nn.Conv2d(2, 3, 2)], 3),
    "two streams": ([nn.MaxPool2d(2), nn.Conv2d(2, 4, 3, groups=2), nn.MaxPool2d(2), nn.Conv2d(4, 2, 1)], 4),
    "no stride": ([nn.Conv2d(2, 3, 3), nn.MaxPool2d(3, 1)], 1),
}
NAMES = list(UNPADDED)


def whole(net: nn.Module) -> nn.Module:
    """A copy of `net` for inference, its weights drawn from −1, 0, 1 and 2."""
    generator = torch.Generator().manual_seed(0)
    copied = copy.deepcopy(net).double()
    for parameter in copied.parameters():
        parameter.data = torch.randint(-1, 3, parameter.shape, generator=generator).double()
    return copied.eval().requires_grad_(False)


def picture(height: int, width: int, channels: int = 2) -> Tensor:
    return torch.randint(-3, 4, (2, channels, height, width), generator=torch.Generator().manual_seed(1)).double()


def unpadded(name: str) -> tuple[nn.Module, int | tuple[int, int]]:
    layers, stride = UNPADDED[name]
    return whole(nn.Sequential(*layers)), stride


def valid(net: nn.Module, size: int) -> slice:
    """The cells of the dense prediction of a picture of `size` that see no padding, at any shift."""
    field = derive_field(net)
    padding = int((field.kernel - 1) / 2 - field.offset)
    return slice(math.ceil(padding / field.stride) * int(field.stride), padding + size - field.kernel + 1)


def narrow_vgg() -> nn.Module:
    """VGG16's features with an eighth of its channels at most."""
    return make_layers([width if isinstance(width, str) else min(width // 8, 16) for width in cfgs["D"]])


@pytest.mark.parametrize("name", NAMES)
def test_shift_and_stitch_equals_dilation_in_every_bit(name):
    net, stride = unpadded(name)
    image = picture(45, 47)
    dense = dilate(net)(image)
    assert torch.equal(shift_and_stitch(net, image, stride), dense)
    assert dense.unique().numel() > 10


@pytest.mark.parametrize("name", NAMES)
def test_the_original_cells_are_those_of_the_dense_prediction_one_a_stride(name):
    net, stride = unpadded(name)
    rows, columns = stride if isinstance(stride, tuple) else (stride, stride)
    image = picture(45, 47)
    assert torch.equal(dilate(net)(image)[..., ::rows, ::columns], net(image))


def test_random_weights_agree_to_rounding():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Conv2d(8, 3, 3), nn.MaxPool2d(3, 2))
    image = torch.randn(1, 2, 40, 40)
    net(image)  # so that the norm has statistics
    net.eval()
    torch.testing.assert_close(shift_and_stitch(net, image, 4), dilate(net)(image))


@pytest.mark.parametrize("kept", [1, 2, 4, 8])
def test_a_partial_rewrite_keeps_the_stride_asked_for_and_is_the_dense_prediction_at_it(kept):
    net, image = whole(nn.Sequential(*CONV_FIRST)), picture(45, 47)
    partial = dilate(net, kept)
    assert derive_field(partial).stride == kept
    assert derive_field(partial).kernel == derive_field(net).kernel
    assert torch.equal(partial(image), shift_and_stitch(net, image, 8)[..., ::kept, ::kept])
    assert torch.equal(partial(image)[..., :: 8 // kept, :: 8 // kept], net(image))


def test_a_stride_that_would_exceed_the_one_asked_for_goes_and_a_later_one_that_fits_stays():
    net = whole(nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 2, 2, stride=3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2)))
    image = picture(50, 60)
    assert torch.equal(dilate(net, 4)(image), shift_and_stitch(net, image, 12)[..., ::4, ::4])


def test_a_prediction_lies_on_the_pixel_at_the_centre_of_its_receptive_field():
    net = nn.Sequential(
        nn.Conv2d(1, 1, 5, padding=1), nn.AvgPool2d(2), nn.Conv2d(1, 1, 4, padding=2), nn.AvgPool2d(3, 2, padding=1)
    ).double()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1.0)
    field, inside = derive_field(net), valid(net, 40)
    for dense in (dilate(net), lambda image: shift_and_stitch(net, image, 4)):
        for row, column in ((inside.start, inside.stop - 1), (12, 15)):
            image = torch.zeros(1, 1, 40, 40, dtype=torch.float64, requires_grad=True)
            dense(image)[0, 0, row, column].backward()
            seen = image.grad[0, 0].nonzero()
            centre = (seen.amin(dim=0) + seen.amax(dim=0)) / 2
            assert centre.tolist() == [row + field.offset, column + field.offset]
            assert (seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist() == [field.kernel] * 2


def test_a_picture_padded_by_half_the_field_gets_at_each_pixel_the_net_of_the_window_around_it():
    net = whole(nn.Sequential(nn.Conv2d(2, 3, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(3, 2, 3)))
    assert derive_field(net).kernel == 15
    image = picture(9, 11)
    padded = nn.functional.pad(image, (7, 7, 7, 7))
    dense = shift_and_stitch(net, padded, 4)
    assert dense.shape[-2:] == image.shape[-2:]
    for row in range(9):
        for column in range(11):
            window = padded[..., row : row + 15, column : column + 15]
            assert torch.equal(dense[..., row, column], net(window)[..., 0, 0])


def test_with_padding_the_two_are_equal_on_the_valid_region_and_of_one_size():
    net = whole(narrow_vgg()[:10])  # two of its pools
    image = picture(45, 51, channels=3)
    stitched, dense = shift_and_stitch(net, image, 4), dilate(net)(image)
    rows, columns = valid(net, 45), valid(net, 51)
    # A field of 16 and 6 pixels of padding, of which the first two valid cells are lost to the shifts.
    assert (rows, columns) == (slice(8, 36), slice(8, 42))
    assert stitched.shape == dense.shape
    assert torch.equal(stitched[..., rows, columns], dense[..., rows, columns])
    assert not torch.equal(stitched, dense)


def test_all_of_vgg16_and_alexnet_equal_their_dilations_at_any_shift():
    # A shift or two instead of all 1024: each is what one phase of the interlaced output holds.
    for net, size, kept in ((narrow_vgg(), 268, 1), (AlexNet().features, 276, 8)):
        exact, image = sparse(net), picture(size, size, channels=3)
        dense, inside = dilate(exact, kept)(image), valid(exact, size)
        for row, column in ((0, 0), (16, 8)):
            shifted = exact(image[..., row:, column:])
            rows, columns = phase(row, inside, shifted.shape[-2]), phase(column, inside, shifted.shape[-1])
            found = shifted[..., [i for i, _ in rows], :][..., [i for i, _ in columns]]
            expected = dense[..., [j // kept for _, j in rows], :][..., [j // kept for _, j in columns]]
            assert found.shape[-2:] == (2, 2)
            assert found.unique().numel() > 10
            assert torch.equal(found, expected)


def sparse(net: nn.Module) -> nn.Module:
    """A copy of `net` with few weights, each −1 or 1, so that sums stay below 2^53 through sixteen layers."""
    generator = torch.Generator().manual_seed(0)
    copied = whole(net)
    for parameter in copied.parameters():
        kept = torch.rand(parameter.shape, generator=generator) < 4 / parameter[0].numel()
        sign = torch.rand(parameter.shape, generator=generator) < 0.6
        parameter.data = torch.where(sign, 1.0, -1.0).double() * kept
    return copied


def phase(shift: int, inside: slice, cells: int) -> list[tuple[int, int]]:
    """(cell of the net on the shifted picture, cell of the dense prediction) within `inside`, at output stride 32."""
    pairs = [(cell, 32 * cell + shift) for cell in range(cells)]
    return [(cell, at) for cell, at in pairs if inside.start <= at < inside.stop]


def test_dilation_takes_a_fraction_of_the_multiplications_of_shift_and_stitch():
    net, image = whole(nn.Sequential(*CONV_FIRST)), picture(45, 47)[:1]
    dense = dilate(net)
    stitched, dilated = (multiplications(lambda f=f: f(image)) for f in (lambda x: shift_and_stitch(net, x, 8), dense))
    # The dilated convolutions compute each cell of their maps once, 43 by 45 and so on.
    assert dilated == (3 * 2 * 9 * 43 * 45) + (4 * 3 * 9 * 33 * 35) + (5 * 4 * 4 * 17 * 19)
    # Shifts compute the first map, of stride 2, 64 / 4 times and the second, of stride 4, 64 / 16 times over.
    assert stitched > 5 * dilated


def multiplications(run) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def test_the_given_net_stays_as_it_was_and_a_state_dict_fits_both():
    net, image = whole(nn.Sequential(*CONV_FIRST)), picture(45, 47)
    before = net(image)
    dense = dilate(net)
    again = copy.deepcopy(nn.Sequential(*CONV_FIRST)).double()
    again.load_state_dict(dense.state_dict())
    for parameter in dense.parameters():
        parameter.zero_()
    assert torch.equal(net(image), before)
    assert torch.equal(again(image), before)
    assert [module.training for module in dense.modules()] == [False] * len(list(dense.modules()))


def test_a_layer_that_stands_twice_in_a_net_is_rewritten_at_both_places():
    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    net = whole(nn.Sequential(nn.Conv2d(2, 3, 3), relu, pool, nn.Conv2d(3, 2, 3), relu, pool))
    image = picture(30, 31)
    assert torch.equal(dilate(net)(image), shift_and_stitch(net, image, 4))


def test_pools_that_reach_past_the_picture_are_stitched_as_far_as_every_shift_does():
    def net(is_ceil: bool) -> nn.Module:
        return whole(nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(3, 2, ceil_mode=is_ceil), nn.Conv2d(3, 2, 2)))

    image = picture(20, 21)
    within = shift_and_stitch(net(False), image, 2)
    beyond = shift_and_stitch(net(True), image, 2)
    assert torch.equal(beyond[..., : within.shape[-2], : within.shape[-1]], within)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.AdaptiveAvgPool2d(7), "Sequential.1: found AdaptiveAvgPool2d, expected convolutions"),
        (nn.Flatten(), "found Flatten"),
        (nn.GroupNorm(1, 2), "found GroupNorm"),
        (nn.ConvTranspose2d(2, 2, 4, stride=2), "found ConvTranspose2d"),
        (nn.Sequential(nn.Upsample(scale_factor=2)), "Sequential.1.0: found Upsample"),
        (nn.MaxPool2d(3, 2, ceil_mode=True), "Sequential.1: found ceil_mode"),
        (nn.MaxPool2d(2, 2, padding=1), "found padding 1 of a pool of 2, expected less than half a window"),
        (nn.Conv2d(2, 2, 3, padding="same"), "found padding same, expected numbers of zeros"),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "found padding reflect"),
    ],
)
def test_what_cannot_be_dilated_is_refused_and_named(layer, message):
    with pytest.raises(ModelError, match=message):
        dilate(nn.Sequential(nn.Conv2d(2, 2, 3), layer))


@pytest.mark.parametrize("stride", [3, 16, (8, 3)])
def test_a_stride_that_the_net_does_not_reach_is_refused(stride):
    with pytest.raises(ModelError, match="expected output stride"):
        dilate(nn.Sequential(*CONV_FIRST), stride)
