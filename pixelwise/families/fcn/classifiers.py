"""The thesis's three ImageNet classifiers from torchvision, as feature extractors (thesis §2.2.1, §2.3.1)."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from pixelwise.errors import ModelError
from pixelwise.nets.feature_extractor import IMAGENET, FeatureExtractor, Normalisation, add_input_channels
from pixelwise.nets.receptive_fields import ReceptiveField, derive_field, measure_kernel

# torchvision's GoogLeNet uses the input scaling of the model that it was ported from.
HALVES = Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
DROPOUT = 0.5


class Classifier(FeatureExtractor):
    """A classifier without its head, fully connected layers as convolutions (thesis §2.3.1).

    image: (N, 3, H, W) float, RGB in 0–255. Returns a list of (N, C_s, ceil(H/s), ceil(W/s)), one per stride in
    `strides`, fine to coarse: of AlexNet and VGG16 after pools and after fc7, of GoogLeNet after conv3 and after each
    group of Inceptions. Padding is half of each kernel, so any size works. `extra_channels` more inputs may follow the
    colours; they must be normalised already. `offsets`: the pixel on which cell 0 of each map is centred, derived from
    the layers.
    """

    def __init__(
        self,
        name: str,
        strides: tuple[int, ...],
        weights: str = "imagenet",
        keep_statistics: bool = False,
        extra_channels: int = 0,
    ) -> None:
        """`weights`: imagenet, none, or the .pth file of a torchvision state. `keep_statistics` freezes the statistics
        of GoogLeNet's batch norms.

        Raises ModelError if the net is unknown or lacks a stride, or if its weights cannot be loaded or do not fit.
        """
        scaling = HALVES if name == "googlenet" else IMAGENET
        super().__init__(tuple(sorted(strides)), scaling, keep_statistics, extra_channels)
        stages = build_stages(name, weights)
        if extra_channels:
            add_input_channels(stages[0], extra_channels)
        fields = list(accumulate((derive_field(stage) for stage in stages), ReceptiveField.chain))
        available = [int(field.stride) for field in fields]
        missing = sorted(set(strides) - set(available))
        if missing:
            raise ModelError(f"backbone {name}: has strides {available}, expected {missing} among them")
        self.taps = [available.index(stride) for stride in self.strides]
        self.stages = nn.ModuleList(stages[: self.taps[-1] + 1])
        self.channels = [CHANNELS[name][tap] for tap in self.taps]
        self.offsets = [float(fields[tap].offset) for tap in self.taps]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features at each stride, fine to coarse."""
        x, maps = self.normalise(image), []
        for piece in self.split_by_stride():
            x = piece(x)
            maps.append(x)
        return maps

    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers, split after the features of each stride, fine to coarse."""
        starts = [0, *(tap + 1 for tap in self.taps)]
        return [nn.Sequential(*list(self.stages)[start:end]) for start, end in pairwise(starts)]

    def list_layers_to(self, stride: int) -> list[nn.Module]:
        """The stages up to the features at `stride`."""
        return list(self.stages)[: self.taps[self.strides.index(stride)] + 1]


def convolutionalise(linear: nn.Linear, channels: int, kernel: int, padding: int = 0) -> nn.Conv2d:
    """The convolution that computes `linear` at every (channels, kernel, kernel) window (thesis §2.2.1).

    Both share the weights: a fully connected layer equals a convolution whose kernel covers its whole input.
    """
    layer = nn.utils.skip_init(nn.Conv2d, channels, linear.out_features, kernel, padding=padding, device="meta")
    layer.weight = nn.Parameter(linear.weight.view(linear.out_features, channels, kernel, kernel))
    layer.bias = linear.bias
    return layer


def build_stages(name: str, weights: str) -> list[nn.Sequential]:
    """The layers of the classifier `name`, split after each feature map. Raises ModelError as `Classifier` does."""
    if name not in CLASSIFIERS:
        raise ModelError(f"backbone {name!r}: not a classifier, expected one of {', '.join(CLASSIFIERS)}")
    # Layers that get weights are not initialised, since that takes seconds.
    with torch.device("meta" if weights != "none" else torch.get_default_device()):
        net = build_headless(name)
    if weights != "none":
        load_pretrained(net, name, weights)
    stages = CLASSIFIERS[name](net)
    for stage in stages:
        pad_by_half(stage)
    return stages


def build_headless(name: str) -> nn.Module:
    """The untrained torchvision net without its ImageNet score layer."""
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    net: nn.Module = models.get_model(name, weights=None, **options)
    if name == "googlenet":
        net.fc = nn.Identity()
    else:
        net.get_submodule("classifier")[6] = nn.Identity()  # type: ignore[operator]
    return net


def load_pretrained(net: nn.Module, name: str, weights: str) -> None:
    """Load torchvision's ImageNet weights or those of a file into `net`, without their score layers.

    Raises ModelError if a weight is missing or has another shape.
    """
    state = read_torchvision_state(name, weights)
    expected = net.state_dict()
    for key, value in expected.items():
        if key not in state:
            raise ModelError(f"backbone {name}: weights {weights}: {key} is missing")
        if state[key].shape != value.shape:
            shape = tuple(state[key].shape)
            raise ModelError(f"backbone {name}: weights {weights}: {key}: found {shape}, expected {tuple(value.shape)}")
    net.load_state_dict({key: state[key] for key in expected}, assign=True)


def read_torchvision_state(name: str, weights: str) -> Mapping[str, Tensor]:
    """The state dict that torchvision publishes for `name`, or that of the file `weights`.

    Raises ModelError if it cannot be downloaded or read.
    """
    published = weights == "imagenet"
    try:
        if published:
            return models.get_model_weights(name).DEFAULT.get_state_dict(progress=False, check_hash=True)
        return torch.load(Path(weights), map_location="cpu", weights_only=True)
    except Exception as error:
        # Downloads and file readers raise many types; the user gets one line instead of a traceback.
        reason = "could not be fetched" if published else f"could not be read from {weights}"
        raise ModelError(f"backbone {name}: its weights {reason} ({type(error).__name__})") from error


def split_alexnet(net: models.AlexNet) -> list[nn.Sequential]:
    """Split after pool1, pool2 and fc7."""
    layers = list(net.features)
    # An even kernel has no centre, so one row and column more are padded after than before.
    top = [*layers[6:], nn.ZeroPad2d((2, 3, 2, 3)), *convert_fully_connected(net, (1, 4), channels=256, kernel=6)]
    return [*cut_after(layers[:6], (2,)), nn.Sequential(*top)]


def split_vgg16(net: models.VGG) -> list[nn.Sequential]:
    """Split after pool1, pool2, pool3, pool4 and fc7."""
    layers = list(net.features)
    top = [*layers[24:], *convert_fully_connected(net, (0, 3), channels=512, kernel=7)]
    return [*cut_after(layers[:24], (4, 9, 16)), nn.Sequential(*top)]


def split_googlenet(net: models.GoogLeNet) -> list[nn.Sequential]:
    """Split after conv3 and the Inceptions 3b, 4e and 5b, without the final average pool (thesis §2.3.1).

    torchvision's net has 3×3 kernels where the paper's Inceptions have 5×5 ones, and a 2×2 pool4. So its receptive
    field is 571 pixels with the average pool. The 907 pixels of table 2.1 are those of `trunks.googlenet` with it.
    """
    layers = [module for name, module in net.named_children() if name not in ("avgpool", "fc")]
    return cut_after(layers, (3, 6, 12))


# How each net is split, and the channels of each feature map.
CLASSIFIERS: dict[str, Callable[..., list[nn.Sequential]]] = {
    "alexnet": split_alexnet,
    "vgg16": split_vgg16,
    "googlenet": split_googlenet,
}
CHANNELS = {"alexnet": (64, 192, 4096), "vgg16": (64, 128, 256, 512, 4096), "googlenet": (192, 480, 832, 1024)}


def cut_after(layers: Sequence[nn.Module], ends: Sequence[int]) -> list[nn.Sequential]:
    """Split the chain `layers` after the layers at the indices `ends`."""
    bounds = [0, *(end + 1 for end in ends), len(layers)]
    return [nn.Sequential(*layers[start:end]) for start, end in pairwise(bounds)]


def convert_fully_connected(
    net: models.AlexNet | models.VGG, indices: tuple[int, int], channels: int, kernel: int
) -> list[nn.Module]:
    """fc6 and fc7 as convolutions, each followed by ReLU and dropout (thesis §2.3.1)."""
    fc6, fc7 = (net.classifier[index] for index in indices)
    layers: list[nn.Module] = []
    for layer in (convolutionalise(fc6, channels, kernel), convolutionalise(fc7, fc6.out_features, kernel=1)):
        layers += [layer, nn.ReLU(inplace=True), nn.Dropout(DROPOUT)]
    return layers


def pad_by_half(net: nn.Module) -> None:
    """Make `net` accept any picture size: pad odd kernels by half, and round the map sizes of even pools up."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            kernel = measure_kernel(layer)
            if kernel % 2:
                layer.padding = kernel // 2 if isinstance(layer, nn.MaxPool2d) else (kernel // 2, kernel // 2)
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = not kernel % 2
