"""Train convolutions faster on a CPU: the same convolutions, computed by other kernels.

oneDNN computes the weights' gradient of a depthwise convolution 5 to 10 times as slowly where its kernel is wider than
three columns, or where it pads more than one. The gradient of three columns of the kernel is that of a kernel three
columns wide, so the gradient is put together of such parts. In bfloat16 the gradients of all depthwise convolutions are
slow, so these compute in float32.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Columns of a depthwise kernel whose gradient oneDNN computes fast.
FAST_COLUMNS = 3

compute_gradients = torch.ops.aten.convolution_backward


class FastConvolutions(TorchFunctionMode):
    """Within this context, convolutions on a CPU that are slow to train run by faster kernels."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func`, or a faster function of the same result where it is a convolution."""
        if func is torch.conv2d and not kwargs and len(args) == 7 and args[0].device.type == "cpu":
            image, weight, bias, stride, padding, dilation, groups = args
            if is_pointwise(weight, stride, padding, groups):
                return convolve_pointwise(image, weight, bias)
            if torch.is_grad_enabled() and weight.requires_grad and is_slow(image, weight, padding, groups):
                with torch.autocast("cpu", enabled=False):
                    return Depthwise.apply(image, weight, bias, stride, padding, dilation)
        return func(*args, **(kwargs or {}))


def is_pointwise(weight: Tensor, stride: Sequence[int], padding: Any, groups: int) -> bool:
    """Whether a convolution by `weight` (C', C, h, w) mixes the channels of each pixel and does nothing else."""
    return groups == 1 and weight.shape[2:] == (1, 1) and tuple(stride) == (1, 1) and tuple(padding) == (0, 0)


def convolve_pointwise(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve `image` (N, C, H, W) with `weight` (C', C, 1, 1) as one matrix product; returns (N, C', H, W).

    With one thread, torch would copy a channels-last image into another layout first.
    """
    return F.linear(image.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


def is_slow(image: Tensor, weight: Tensor, padding: Any, groups: int) -> bool:
    """Whether the gradient of `weight` (C, 1, h, w) is slow: of a wide depthwise kernel, or of one in bfloat16."""
    if not (groups == weight.shape[0] == image.shape[1] > 1) or isinstance(padding, str):
        return False
    return weight.shape[3] > FAST_COLUMNS or image.dtype == torch.bfloat16


class Depthwise(torch.autograd.Function):
    """A depthwise convolution of `image` (N, C, H, W) with `weight` (C, 1, h, w), computed in float32."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Sequence[int]) -> Tensor:
        """Convolve. geometry: stride, padding and dilation, two numbers each. Returns the dtype of `image`."""
        kept = image.to(weight.dtype)
        ctx.save_for_backward(kept, weight)
        ctx.geometry, ctx.dtype = geometry, image.dtype
        stride, padding, dilation = geometry
        return F.conv2d(kept, weight, bias, stride, padding, dilation, groups=len(weight)).to(image.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of image, weight and bias from that of the result, (N, C, H', W')."""
        image, weight = ctx.saved_tensors
        arriving = gradients[0].to(weight.dtype).contiguous(memory_format=torch.channels_last)
        of_image = of_bias = None
        if ctx.needs_input_grad[0]:
            of_image = differentiate(arriving, image, weight, ctx.geometry, (True, False))[0].to(ctx.dtype)
        if ctx.needs_input_grad[2]:
            of_bias = arriving.sum(dim=(0, 2, 3))
        return of_image, compute_weight_gradient(arriving, image, weight, ctx.geometry), of_bias, None, None, None


def compute_weight_gradient(
    arriving: Tensor, image: Tensor, weight: Tensor, geometry: tuple[Sequence[int], ...]
) -> Tensor:
    """Return the gradient of `weight` (C, 1, h, w), a few columns at a time.

    A part that begins at column c sees the image moved by c columns, and is padded by copies instead of by oneDNN.
    """
    (rows, step), (above, beside), (down, across) = geometry
    parts = list[Tensor]()
    for part in weight.split(FAST_COLUMNS, dim=3):
        left = beside - sum(done.shape[3] for done in parts) * across
        seen = (arriving.shape[3] - 1) * step + (part.shape[3] - 1) * across + 1
        moved = F.pad(image, (left, seen - left - image.shape[3]))
        placed = ((rows, step), (above, 0), (down, across))
        parts.append(differentiate(arriving, moved, part.contiguous(), placed, (False, True))[1])
    return torch.cat(parts, dim=3)


def differentiate(
    arriving: Tensor, image: Tensor, weight: Tensor, geometry: tuple[Sequence[int], ...], wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """Return the gradients of image and weight of a depthwise convolution, those that are `wanted`."""
    found = compute_gradients(arriving, image, weight, None, *geometry, False, (0, 0), len(weight), (*wanted, False))
    return found[0], found[1]
