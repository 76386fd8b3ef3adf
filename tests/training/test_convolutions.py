"""Faster convolutions give the results and gradients of torch's own."""

import pytest
import torch
from torch import nn

from pixelwise.training import convolutions
from pixelwise.training.convolutions import FastConvolutions


def run(layer, image, is_fast, dtype=torch.float32):
    layer.zero_grad()
    image = image.clone().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        if is_fast:
            with FastConvolutions():
                result = layer(image)
        else:
            result = layer(image)
    # Each place of the result has a weight of its own, so that a moved gradient is another gradient.
    generator = torch.Generator().manual_seed(1)
    (result.float() * torch.randn(result.shape, generator=generator)).sum().backward()
    return [result.detach(), image.grad, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize("width", [11, 12])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": 2, "groups": 6},
        {"kernel_size": 5, "padding": 2, "groups": 6, "stride": 2, "bias": False},
        {"kernel_size": 5, "padding": 4, "groups": 6, "dilation": 2},
        {"kernel_size": (3, 7), "padding": (1, 3), "groups": 6, "stride": (1, 2)},
        {"kernel_size": 4, "padding": 0, "groups": 6},
        {"kernel_size": 3, "padding": 1, "groups": 6},
        {"kernel_size": 1},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 3, "padding": 1, "groups": 3},
        {"kernel_size": 5, "padding": 2, "groups": 6, "padding_mode": "reflect"},
    ],
)
def test_results_and_gradients_are_those_of_torch(options, width):
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 6, **options).to(memory_format=torch.channels_last)
    image = torch.randn(2, 6, 9, width).contiguous(memory_format=torch.channels_last)
    for fast, plain in zip(run(layer, image, True), run(layer, image, False), strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)


def test_a_wide_depthwise_kernel_is_differentiated_in_parts_of_three_columns(monkeypatch):
    widths = []

    def note(arriving, image, weight, *rest):
        widths.append(weight.shape[3])
        return real(arriving, image, weight, *rest)

    real = convolutions.compute_gradients
    monkeypatch.setattr(convolutions, "compute_gradients", note)
    run(nn.Conv2d(6, 6, 5, padding=2, groups=6), torch.randn(1, 6, 9, 9), True)
    assert widths == [5, 3, 2]


def test_a_depthwise_layer_of_bfloat16_computes_in_float32_and_returns_bfloat16():
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 6, 3, padding=1, groups=6)
    image = torch.randn(2, 6, 9, 9).to(torch.bfloat16)
    result, of_image, *of_layer = run(layer, image, True, torch.bfloat16)
    assert result.dtype == of_image.dtype == torch.bfloat16
    exact = run(layer, image.float(), False)
    torch.testing.assert_close(result, exact[0].to(torch.bfloat16))
    for found, expected in zip(of_layer, exact[2:], strict=True):
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_frozen_layers_and_inference_run_torchs_own_convolution(monkeypatch):
    monkeypatch.setattr(convolutions.Depthwise, "apply", None)
    layer = nn.Conv2d(6, 6, 5, padding=2, groups=6)
    image = torch.randn(1, 6, 9, 9)
    with torch.no_grad(), FastConvolutions():
        layer(image)
    layer.requires_grad_(False)
    with FastConvolutions():
        layer(image)
