"""The thesis's nets to the letter: crops, receptive fields, bilinear upsampling, zero skips (thesis §2.2–2.3)."""

from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.families.fcn.reference import MEAN, ReferenceFCN, convert_to_caffe_scaling, make_bilinear_kernel
from pixelwise.families.fcn.trunks import TRUNKS, build_alexnet, build_vgg16
from pixelwise.nets.feature_extractor import IMAGENET
from pixelwise.nets.receptive_fields import measure_receptive_field

NETS = {"32s": (32,), "16s": (32, 16), "8s": (32, 16, 8)}


@pytest.fixture(autouse=True)
def thin_nets(monkeypatch):
    """Nets of the same geometry, few channels wide."""
    monkeypatch.setitem(TRUNKS, "thin", partial(build_vgg16, widths=(4, 4, 6, 6, 8), hidden=10))
    monkeypatch.setitem(TRUNKS, "thin alexnet", partial(build_alexnet, hidden=10))


def weightless(name: str, strides: tuple[int, ...], pad: int = 100) -> ReferenceFCN:
    with torch.device("meta"):
        return ReferenceFCN(name, 21, strides, pad=pad)


def scored(net: ReferenceFCN, seed: int = 0) -> ReferenceFCN:
    """`net` with scores that are not zero, ready to infer."""
    torch.manual_seed(seed)
    for parameter in net.score.parameters():
        nn.init.normal_(parameter)
    return net.eval()


@pytest.mark.parametrize(
    ("name", "strides", "pad", "crops"),
    [
        ("vgg16", (32,), 100, [19]),
        ("vgg16", (32, 16), 100, [5, 27]),
        ("vgg16", (32, 16, 8), 100, [5, 9, 31]),
        ("alexnet", (32,), 100, [18]),
        ("vgg16", (32,), 81, [0]),
        ("vgg16", (32, 16), 81, [5, 8]),
        ("vgg16", (32, 16, 8), 81, [5, 9, 12]),
    ],
)
def test_the_published_crops_follow_from_the_layers(name, strides, pad, crops):
    assert weightless(name, strides, pad).crops == crops


@pytest.mark.parametrize(
    ("name", "millions", "pixels"), [("alexnet", 57, 355), ("vgg16", 134, 404), ("googlenet", 6, 907)]
)
def test_parameters_and_receptive_fields_are_those_of_table_2_1(name, millions, pixels):
    net = weightless(name, (32,))
    assert round(sum(p.numel() for p in net.parameters() if p.requires_grad) / 1e6) == millions
    # The thesis drops GoogLeNet's average pool and counts it.
    pooled = [nn.AvgPool2d(7, stride=1)] if name == "googlenet" else []
    assert measure_receptive_field(net.trunk, *pooled) == pixels


@pytest.mark.parametrize(
    ("name", "strides"), [("vgg16", NETS["32s"]), ("vgg16", NETS["8s"]), ("alexnet", (32,)), ("googlenet", (32,))]
)
def test_there_is_a_score_for_every_pixel_at_any_size(name, strides):
    net = weightless(name, strides)
    for height, width in ((1, 1), (2, 500), (500, 375), (33, 64), (97, 31)):
        image = torch.zeros(2, 3, height, width, device="meta")
        assert net(image).shape == (2, 21, height, width)


@pytest.mark.parametrize("strides", NETS.values(), ids=NETS)
def test_crops_put_scores_where_their_cells_look(strides):
    # Mirrored kernels and a picture that all grids share evenly: only a wrong crop can tell left from right.
    net = scored(ReferenceFCN("thin", 3, strides)).double()
    for parameter in net.trunk.parameters():
        if parameter.ndim == 4:
            parameter.data = (
                parameter.data + parameter.data.flip(-1, -2) + parameter.data.flip(-1) + parameter.data.flip(-2)
            )
    image = 255 * torch.rand(1, 3, 90, 58, dtype=torch.float64)
    with torch.inference_mode():
        logits, mirrored = net(image), net(image.flip(-1, -2)).flip(-1, -2)
    assert logits.std() > 0
    torch.testing.assert_close(mirrored, logits, rtol=1e-9, atol=1e-9)


def test_a_new_net_scores_zero_and_learns_scores_but_not_its_upsampling():
    net = ReferenceFCN("thin", 3, (32, 16, 8)).eval()
    logits = net(255 * torch.rand(1, 3, 40, 50))
    assert not logits.any()
    logits[:, 0].sum().backward()
    assert all(layer.weight.grad.any() for layer in net.score.values())
    assert not any(parameter.requires_grad for parameter in net.upscore.parameters())


def test_a_zero_skip_leaves_the_scores_of_the_other_streams_as_they_were():
    coarse = scored(ReferenceFCN("thin", 3, (32, 16)))
    fine = ReferenceFCN("thin", 3, (32, 16, 8)).eval()
    fine.start_from(coarse.state_dict(), "fcn16s")
    image = 255 * torch.rand(1, 3, 75, 100)
    fused = {}
    coarse.upscore[-1].register_forward_hook(lambda _, inputs, __: fused.update(coarse=inputs[0]))
    fine.upscore[-1].register_forward_hook(lambda _, inputs, __: fused.update(fine=inputs[0]))
    with torch.inference_mode():
        before, after = coarse(image), fine(image)
        assert torch.equal(fused["fine"], fine.upscore[1](fused["coarse"]))
    # Bilinear by 2, then by 8, is close to bilinear by 16; a crop that is one cell off would not be.
    assert (after - before).abs().mean() < 0.1 * before.std()


def test_at_once_scales_the_streams_before_they_are_scored():
    plain, scaled = (ReferenceFCN("thin", 3, (32, 16, 8), at_once=flag) for flag in (False, True))
    scored(plain)
    scaled.eval().load_state_dict(plain.state_dict())
    with torch.no_grad():
        plain.score["score_pool4"].weight *= 0.01
        plain.score["score_pool3"].weight *= 0.0001
    image = 255 * torch.rand(1, 3, 40, 50)
    with torch.inference_mode():
        torch.testing.assert_close(scaled(image), plain(image), rtol=1e-4, atol=1e-4)


def test_a_stage_starts_from_the_one_before_and_from_nothing_else():
    before, after = scored(ReferenceFCN("thin", 3, (32,))), ReferenceFCN("thin", 3, (32, 16))
    after.start_from(before.state_dict(), "fcn32s")
    assert torch.equal(after.trunk.conv1_1.weight, before.trunk.conv1_1.weight)
    assert torch.equal(after.score["score_fr"].weight, before.score["score_fr"].weight)
    assert not after.score["score_pool4"].weight.any()
    state = dict(before.state_dict())
    with pytest.raises(ModelError, match=r"here: trunk.extra: not in the net"):
        after.start_from({**state, "trunk.extra": torch.zeros(1)}, "here")
    with pytest.raises(ModelError, match=r"here: trunk.fc7.bias: found shape \(3,\), expected \(10,\)"):
        after.start_from({**state, "trunk.fc7.bias": torch.zeros(3)}, "here")
    del state["score.score_fr.bias"]
    with pytest.raises(ModelError, match=r"here: score.score_fr.bias: missing"):
        after.start_from(state, "here")


def test_torchvisions_first_layer_gives_the_same_for_caffes_pictures():
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, 3).double()
    image = 255 * torch.rand(1, 3, 6, 7, dtype=torch.float64)
    mean, std = (torch.tensor(values).double().view(1, 3, 1, 1) for values in IMAGENET)
    with torch.no_grad():
        expected = first((image - mean) / std)
        convert_to_caffe_scaling(first)
        found = first(image.flip(1) - torch.tensor(MEAN).double().view(1, 3, 1, 1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_what_the_thesis_has_not_is_refused():
    with pytest.raises(ModelError, match="found none of that name, expected one of alexnet, vgg16, googlenet"):
        weightless("resnet", (32,))
    for strides in ((16,), (32, 8), (32, 16, 8, 4), ()):
        with pytest.raises(ModelError, match=r"expected the first of \[32, 16, 8\]"):
            weightless("vgg16", strides)
    with pytest.raises(ModelError, match=r"found strides \(32, 16\), expected the first of \[32\]"):
        weightless("alexnet", (32, 16))
    with pytest.raises(ModelError, match=r"expected none or a \.caffemodel file"), torch.device("meta"):
        ReferenceFCN("googlenet", 21, (32,), weights="imagenet")


@pytest.mark.parametrize(("factor", "size"), [(2, 4), (8, 16), (32, 64), (2, 3), (32, 63)])
def test_every_phase_of_the_bilinear_filter_sums_to_one(factor, size):
    kernel = make_bilinear_kernel(factor, size)
    for row in range(factor):
        for column in range(factor):
            assert kernel[row::factor, column::factor].sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("factor", [2, 8, 32])
def test_the_transposed_convolution_interpolates_as_torch_does_inside_the_border(factor):
    x = torch.randn(1, 1, 5, 6)
    kernel = make_bilinear_kernel(factor, 2 * factor)[None, None]
    found = F.conv_transpose2d(x, kernel, stride=factor, padding=factor // 2)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("factor", "size"), [(2, 4), (8, 16), (4, 7)])
def test_linear_ramps_are_reproduced_exactly(factor, size):
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    fine = F.conv_transpose2d(
        (3 * rows - 2 * columns)[None, None], make_bilinear_kernel(factor, size)[None, None], stride=factor
    )
    y, x = ((torch.arange(n) - (size - 1) / 2) / factor for n in fine.shape[-2:])
    inside = (slice(size, -size), slice(size, -size))
    torch.testing.assert_close(fine[0, 0][inside], (3 * y[:, None] - 2 * x)[inside], rtol=0, atol=1e-5)


def test_the_gradient_of_upsampling_is_right():
    kernel = make_bilinear_kernel(3, 6).double()[None, None].requires_grad_()
    x = torch.randn(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(partial(F.conv_transpose2d, stride=3), (x, kernel))


@pytest.mark.parametrize(("name", "strides"), [("thin alexnet", (32,)), ("thin", (32, 16, 8))])
def test_one_graph_serves_every_size_and_batch(name, strides, tmp_path):
    net = scored(ReferenceFCN(name, 4, strides))
    sizes = {axis: torch.export.Dim(word, min=1) for axis, word in ((0, "batch"), (2, "height"), (3, "width"))}
    example = (255 * torch.rand(2, 3, 48, 64),)
    program = torch.onnx.export(net, example, dynamo=True, dynamic_shapes=(sizes,), verbose=False)
    program.save(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 1, 1), (1, 97, 50), (3, 33, 70)):
        image = 255 * torch.rand(batch, 3, height, width)
        with torch.inference_mode():
            expected = net(image).numpy()
        (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
