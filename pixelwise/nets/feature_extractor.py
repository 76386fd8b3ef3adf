"""What all feature extractors share: input normalisation, extra input channels, and layers that can be frozen."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError


class Normalisation(NamedTuple):
    """Input normalisation of RGB values in 0–255: (x − mean) / std for each channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


class FeatureExtractor(nn.Module, ABC):
    """A net that maps an image to one feature map a stride, with its input normalisation inside.

    image: (N, 3, H, W) float, RGB in 0–255; `extra_channels` more inputs may follow the colours, normalised already.
    Returns a list of (N, C_s, ceil(H/s), ceil(W/s)), one per stride in `strides`, fine to coarse. channels: C_s of each
    map. offsets: the pixel on which cell 0 of each map is centred.
    """

    mean: Tensor
    std: Tensor
    channels: list[int]
    offsets: list[float]

    def __init__(
        self, strides: tuple[int, ...], scaling: Normalisation, keep_statistics: bool, extra_channels: int
    ) -> None:
        """`keep_statistics` freezes the statistics of the batch norms."""
        super().__init__()
        self.strides = strides
        self.keep_statistics = keep_statistics
        self.frozen: list[nn.Module] = []
        register_normalisation(self, scaling, extra_channels)

    @abstractmethod
    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers cut at the features of each stride, fine to coarse: one after the other, on the normalised
        image, they give those that `forward` gives.
        """

    @abstractmethod
    def list_layers_to(self, stride: int) -> list[nn.Module]:
        """The layers up to the features at `stride`, in the order of execution."""

    def normalise(self, image: Tensor) -> Tensor:
        """`image` normalised as the pretrained weights expect."""
        return (image - self.mean) / self.std

    def freeze(self, stride: int) -> None:
        """Keep the weights and statistics of every layer up to the features at `stride`; 0 frees all layers.

        Their maps are the largest, so training without them is 1.5 times as fast, and ImageNet's edges and textures
        serve any photograph. Raises ModelError where no features have that stride.
        """
        if stride and stride not in self.strides:
            raise ModelError(
                f"backbone: frozen stride {stride}: found strides {self.strides}, expected one of them or 0"
            )
        self.requires_grad_(True)
        self.frozen = self.list_layers_to(stride) if stride else []
        for layer in self.frozen:
            layer.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As nn.Module, but frozen layers, and with `keep_statistics` all norms, keep their statistics."""
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        if self.keep_statistics:
            freeze_statistics(self)
        return self


def freeze_statistics(net: nn.Module) -> None:
    """Set the batch norms of `net` to evaluation mode, which keeps their running statistics."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def register_normalisation(net: nn.Module, scaling: Normalisation, extra_channels: int) -> None:
    """Give `net` the buffers `mean` and `std`, (1, C, 1, 1) each; extra channels pass as they are."""
    means, stds = [*scaling.mean, *[0.0] * extra_channels], [*scaling.std, *[1.0] * extra_channels]
    net.register_buffer("mean", torch.tensor(means).view(1, -1, 1, 1), persistent=False)
    net.register_buffer("std", torch.tensor(stds).view(1, -1, 1, 1), persistent=False)


def add_input_channels(net: nn.Module, extra_channels: int) -> None:
    """Add `extra_channels` inputs to the first convolution of `net`; their filters start as the colour mean."""
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    grey = first.weight.detach().mean(dim=1, keepdim=True)
    first.weight = nn.Parameter(torch.cat([first.weight.detach(), grey.expand(-1, extra_channels, -1, -1)], dim=1))
    first.in_channels += extra_channels
