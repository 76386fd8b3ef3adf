"""Which nets the parameters of the FCN family build, and from what."""

from functools import partial

import pytest
import torch
from support.tiny_nets import TINY_BACKBONE

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.fcn import family as fcn
from pixelwise.families.fcn.trunks import TRUNKS, build_vgg16
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.training.checkpoints import save_tensors


@pytest.fixture(autouse=True)
def thin_nets(monkeypatch):
    """VGG16's geometry, few channels wide."""
    monkeypatch.setitem(TRUNKS, "thin", partial(build_vgg16, widths=(4, 4, 6, 6, 8), hidden=10))


def network(**changes) -> fcn.NetworkParams:
    return fcn.NetworkParams.model_validate({"backbone": TINY_BACKBONE, "weights": "none", **changes})


def reference(**changes) -> fcn.NetworkParams:
    return network(reference=True, backbone="thin", **changes)


def kept(net, folder) -> str:
    save_tensors(folder / WEIGHTS_FILE, net.state_dict())
    return str(folder / WEIGHTS_FILE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": "rgbd"}, "network.reference: found inputs rgbd, expected rgb"),
        ({"width": 8}, "network.reference: found width 8, expected 0"),
        ({"scale": 2.0}, "network.reference: found scale 2.0, expected 1.0"),
        ({"frozen_stride": 32}, "network.reference: found frozen_stride 32, expected 0"),
        ({"keep_statistics": True}, "network.reference: found keep_statistics True, expected False"),
        ({"fusion": "max"}, "network.reference: found fusion max, expected sum"),
        ({"stream_scales": (1.0, 0.1, 0.1)}, r"found stream_scales .*, expected \(\) or \(1\.0, 0\.01, 0\.0001\)"),
    ],
)
def test_a_reference_net_refuses_what_the_published_ones_have_not(changes, message):
    with pytest.raises(ParamsError, match=message):
        fcn.build(reference(**changes), 4)


def test_learned_upsampling_is_that_between_skips_and_of_reference_nets_alone():
    strides = (32, 16, 8)
    learns = [
        [layer.weight.requires_grad for layer in fcn.build(reference(strides=strides, **changes), 4).upscore]
        for changes in ({}, {"learned_upsampling": True})
    ]
    assert learns == [[False, False, False], [True, True, False]]
    with pytest.raises(ParamsError, match=r"network\.learned_upsampling: found a net that is no reference"):
        fcn.build(network(learned_upsampling=True), 4)


@pytest.mark.parametrize("background", ["learned", "null"])
def test_a_stage_of_the_reference_goes_on_from_the_one_before_whatever_its_background(background, tmp_path):
    torch.manual_seed(0)
    before = fcn.build(reference(strides=(32,), background=background), 4).eval()
    weights = kept(before, tmp_path)
    after = fcn.build(reference(strides=(32, 16), background=background, weights=weights), 4).eval()
    found = {key for key, value in before.state_dict().items() if "upscore" not in key and value.numel()}
    assert found
    assert all(torch.equal(before.state_dict()[key], after.state_dict()[key]) for key in found)


def test_late_fusion_starts_as_the_average_of_two_trained_nets(tmp_path):
    torch.manual_seed(0)
    parents = {kind: fcn.build(network(strides=(32,), inputs=kind), 4).eval() for kind in ("rgb", "hha")}
    for kind, net in parents.items():
        for parameter in net.fusion.parameters():
            torch.nn.init.normal_(parameter)
        (tmp_path / kind).mkdir()
        kept(net, tmp_path / kind)
    weights = "+".join(str(tmp_path / kind / WEIGHTS_FILE) for kind in parents)
    fused = fcn.build(network(strides=(32,), inputs="rgb-hha", weights=weights), 4).eval()
    picture = 255 * torch.rand(1, 6, 64, 64)
    with torch.inference_mode():
        expected = 0.5 * (parents["rgb"](picture[:, :3]) + parents["hha"](picture[:, 3:]))
        assert torch.equal(fused(picture), expected)


def test_a_net_goes_on_from_a_trained_one_of_its_own_kind_and_from_no_other(tmp_path):
    weights = kept(fcn.build(network(strides=(32,)), 4), tmp_path)
    again = fcn.build(network(strides=(32,), weights=weights), 4)
    assert torch.equal(again.backbone.features.conv_stem.weight, fcn.load_tensors(tmp_path / WEIGHTS_FILE)[0][STEM])
    with pytest.raises(ModelError, match=r"weights\.safetensors: fusion\.score\.1\.bias: missing"):
        fcn.build(network(strides=(32, 16), weights=weights), 4)


STEM = "backbone.features.conv_stem.weight"


@pytest.mark.parametrize("changes", [{"background": "null"}, {"inputs": "rgb-hha"}])
def test_what_is_wrapped_around_a_net_goes_on_with_it(changes, tmp_path):
    torch.manual_seed(0)
    before = fcn.build(network(strides=(32,), **changes), 4)
    after = fcn.build(network(strides=(32,), **changes, weights=kept(before, tmp_path)), 4)
    assert all(torch.equal(value, after.state_dict()[key]) for key, value in before.state_dict().items())


def test_what_a_stage_of_the_reference_learned_of_upsampling_goes_on(tmp_path):
    before = fcn.build(reference(strides=(32, 16), learned_upsampling=True), 4)
    torch.nn.init.normal_(before.upscore[0].weight)
    after = fcn.build(reference(strides=(32, 16, 8), weights=kept(before, tmp_path)), 4)
    assert torch.equal(after.upscore[0].weight, before.upscore[0].weight)
    assert after.upscore[2].weight.shape != before.upscore[1].weight.shape


def test_the_norms_of_googlenet_keep_their_statistics_where_they_are_asked_to():
    net = fcn.build(network(backbone="googlenet", strides=(8,), keep_statistics=True), 4).train()
    norms = [module for module in net.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


@pytest.mark.parametrize("backbone", ["alexnet", "efficientnet_lite0"])
def test_depth_may_be_a_fourth_channel_of_any_backbone(backbone):
    net = fcn.build(network(backbone=backbone, inputs="rgbd", strides=(8,)), 4).eval()
    with torch.inference_mode():
        assert net(torch.rand(1, 4, 40, 48)).shape == (1, 4, 40, 48)


def test_what_is_hidden_may_not_be_shown_by_depth(tiny_town):
    hidden = fcn.TrainParams.model_validate({"network": {"inputs": "hha"}, "augment": {"masking": "background"}})
    with pytest.raises(ParamsError, match=r"augment\.masking background: found inputs hha, expected image alone"):
        fcn.make_task(PreparedData(tiny_town), hidden)
