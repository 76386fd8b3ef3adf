"""Backbones: where their cells look, what stays frozen, and the weights that ship."""

import copy

import pytest
import torch
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.nets import backbones
from pixelwise.nets.backbones import Backbone, load_packaged_weights

NAMES = ("efficientnet_lite0", "resnet34")
STRIDES = (4, 8, 16, 32)


def averaging_twin(name: str) -> nn.Module:
    """The layers of a backbone with all weights equal and positive and nothing clipped: what a cell sees, it shows."""
    net = Backbone(name, STRIDES, weights="none").double().eval().features
    for path, module in list(net.named_modules()):
        parent, _, child = path.rpartition(".")
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.ReLU | nn.ReLU6):
            setattr(net.get_submodule(parent), child, nn.Identity())
        elif isinstance(module, nn.MaxPool2d):
            pool = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
            setattr(net.get_submodule(parent), child, pool)
    awaken(net)
    return net


def awaken(net: nn.Module) -> None:
    """Set every norm's scale to 1: timm starts the last one of a residual branch at 0, which hides the branch."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)


@pytest.mark.parametrize("axis", ["width", "height"])
@pytest.mark.parametrize("name", NAMES)
def test_a_cell_of_stride_s_looks_at_pixel_s_times_i_and_equally_far_to_both_sides(name, axis):
    net = averaging_twin(name)
    line = torch.zeros(1, 3, 1, 4097, dtype=torch.float64)
    image = (line if axis == "width" else line.transpose(2, 3)).requires_grad_()
    for stride, feature in zip(STRIDES, net(image), strict=True):
        cell = 2048 // stride
        (gradient,) = torch.autograd.grad(feature.flatten(2)[0, :, cell].sum(), image, retain_graph=True)
        seen = gradient.sum(dim=1).flatten()
        pixels = seen.nonzero().flatten()
        assert 0 < pixels[0] < stride * cell < pixels[-1] < len(seen) - 1, "the line is too short for this net"
        assert stride * cell - pixels[0] == pixels[-1] - stride * cell
        torch.testing.assert_close(seen, seen.flip(0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("size", [(64, 96), (65, 33), (97, 131), (1, 1)])
def test_features_are_as_many_cells_as_fit_their_stride_rounded_up(size):
    backbone = Backbone("efficientnet_lite0", STRIDES, weights="none").eval()
    with torch.inference_mode():
        features = backbone(torch.zeros(1, 3, *size))
    assert [x.shape[1] for x in features] == backbone.channels
    assert [tuple(x.shape[2:]) for x in features] == [tuple(-(-n // stride) for n in size) for stride in STRIDES]


def changed(before: dict[str, torch.Tensor], net: nn.Module) -> set[str]:
    return {name for name, value in net.state_dict().items() if not torch.equal(before[name], value)}


@pytest.mark.parametrize("name", NAMES)
def test_frozen_layers_keep_weights_and_statistics_through_a_step_and_all_others_learn(name):
    torch.manual_seed(0)
    backbone = Backbone(name, (8, 16, 32), weights="none")
    awaken(backbone)
    backbone.freeze(8)
    before = copy.deepcopy(backbone.features.state_dict())
    backbone.train()
    image = 255 * torch.rand(2, 3, 64, 64)
    optimiser = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0)
    sum(x.square().mean() for x in backbone(image)).backward()
    optimiser.step()
    after = backbone.features.state_dict()
    moved = {key for key in after if not torch.equal(before[key], after[key])}
    # Frozen is what the features at stride 8 are made of: what they alone send a gradient to.
    backbone.features.requires_grad_(True)
    backbone.zero_grad()
    backbone(image)[0].sum().backward()
    learners = {key for key, value in backbone.features.named_parameters() if value.grad is not None}
    layers = {key.rpartition(".")[0] for key in learners}
    assert moved == {key for key in after if key.rpartition(".")[0] not in layers}
    assert 0 < len(moved) < len(after)


def test_freezing_nothing_frees_what_was_frozen():
    backbone = Backbone("efficientnet_lite0", STRIDES, weights="none")
    backbone.freeze(16)
    backbone.freeze(0)
    assert all(p.requires_grad for p in backbone.parameters())
    assert all(module.training for module in backbone.modules())


def test_the_default_backbone_has_the_weights_that_its_package_ships():
    backbone = Backbone("efficientnet_lite0", (8, 16, 32))
    shipped = [value for key, value in load_packaged_weights("efficientnet_lite0").items() if "num_batches" not in key]
    own = [value for key, value in backbone.features.state_dict().items() if "num_batches" not in key]
    assert len(own) > 200
    assert all(torch.equal(a, b) for a, b in zip(own, shipped, strict=False))
    assert own[0].shape == (32, 3, 3, 3)


def test_weights_whose_shapes_differ_are_refused_by_name():
    target = {"conv.weight": torch.zeros(4, 3), "norm.weight": torch.zeros(4)}
    with pytest.raises(ModelError, match=r"conv\.weight: found shape \(2, 3\), expected \(4, 3\)"):
        backbones.match_by_position({"a": torch.zeros(2, 3), "b": torch.zeros(4)}, target)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Backbone("effnet", (32,)), "effnet.*not a timm model"),
        (lambda: Backbone("resnet34", (32, 64), weights="none"), r"resnet34: has strides .*64"),
        (lambda: Backbone("resnet34", (8, 32), weights="none").freeze(16), r"frozen stride 16.*\(8, 32\)"),
    ],
    ids=["backbone", "stride", "frozen stride"],
)
def test_an_unknown_backbone_or_stride_is_an_error_of_one_line(act, words):
    with pytest.raises(ModelError, match=words) as raised:
        act()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "strides", "offsets"),
    [
        ("resnet34", (4, 32), [0, 0]),
        ("dla34", (8, 16, 32), [0, 0, 0]),
        ("convnext_atto", (4, 8, 32), [1.5, 3.5, 15.5]),
        ("vgg11_bn", (2, 8), [0.5, 3.5]),
    ],
)
def test_a_net_that_reduces_by_tiles_looks_at_their_middle(name, strides, offsets):
    backbone = Backbone(name, strides, "none")
    assert backbone.offsets == offsets
    assert backbone.features.feature_info.reduction() == list(strides)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tf_efficientnet_lite0", "conv_stem pads by the size of its input, expected a fixed padding"),
        ("densenet121", "found layers that reduce by tiles and others, expected one kind"),
        ("inception_v3", r"found a map of \(\d+, \d+\) at stride 8 of a picture of \(97, 131\), expected \(13, 17\)"),
        ("swin_tiny_patch4_window7_224", "does not take pictures of any size"),
    ],
)
def test_a_net_whose_maps_cannot_be_aligned_is_refused(name, message):
    with pytest.raises(ModelError, match=f"backbone {name}: .*{message}"):
        Backbone(name, (8, 16), "none")


def test_layers_of_a_net_that_timm_flattens_are_frozen_up_to_their_stride():
    backbone = Backbone("convnext_atto", (8, 32), "none")
    backbone.freeze(8)
    learns = {name.split(".")[0] for name, weights in backbone.features.named_parameters() if weights.requires_grad}
    assert learns == {"stages_2", "stages_3"}


def test_each_net_is_given_pictures_as_its_published_weights_expect():
    assert Backbone("resnet18", (8,), "none").std.flatten().tolist() == pytest.approx([58.395, 57.12, 57.375])
    assert Backbone("mobilenetv1_100", (8,), "none").mean.flatten().tolist() == [127.5] * 3


@pytest.mark.parametrize("name", ["resnet18", "nf_resnet26"])
def test_a_further_channel_leaves_the_first_layer_of_its_kind(name):
    plain, wide = (Backbone(name, (8,), "none", extra_channels=extra) for extra in (0, 1))
    first, widened = (next(m for m in net.modules() if isinstance(m, nn.Conv2d)) for net in (plain, wide))
    assert type(first) is type(widened)
    assert widened.in_channels == widened.weight.shape[1] == first.in_channels + 1
    torch.testing.assert_close(widened.weight[:, 3:], widened.weight[:, :3].mean(dim=1, keepdim=True))


@pytest.mark.parametrize(("name", "channels"), [("resnet34@8", 512), ("efficientnet_lite0@16", 320), ("dla34", 128)])
def test_a_dilated_net_keeps_its_stride_and_gives_its_last_map_there(name, channels):
    stride = 16 if name.endswith("16") else 8
    backbone = Backbone(name, (stride,), weights="none").eval()
    assert backbone.channels == [channels]
    with torch.inference_mode():
        (found,) = backbone(torch.zeros(1, 3, 49, 65))
    assert found.shape[-2:] == (-(-49 // stride), -(-65 // stride))


def test_a_stride_that_cannot_be_kept_is_named():
    with pytest.raises(ModelError, match="resnet34@4: found stride 4 to keep, expected 8 or 16"):
        Backbone("resnet34@4", (8,), "none")
