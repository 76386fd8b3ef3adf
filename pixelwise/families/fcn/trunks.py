"""The thesis's three classifiers as published for Caffe, without their score layers (thesis §2.3.1)."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import nn
from torchvision import models
from torchvision.models.googlenet import Inception, InceptionAux

from pixelwise.families.fcn.classifiers import DROPOUT
from pixelwise.nets.receptive_fields import ReceptiveField, compose_fields, derive_field


class Trunk(NamedTuple):
    """The layers from the picture to stride 32 by name, and the channels of the layers that may be scored.

    Names are those of Caffe; GoogLeNet has torchvision's.
    """

    layers: "OrderedDict[str, nn.Module]"
    channels: Mapping[str, int]

    @property
    def top(self) -> str:
        """The name of the last layer."""
        return next(reversed(self.layers))

    def measure_field(self, last: str) -> ReceptiveField:
        """The receptive field of one cell of the layer `last`."""
        names = list(self.layers)
        return compose_fields(derive_field(self.layers[name]) for name in names[: names.index(last) + 1])


def build_vgg16(pad: int, widths: Sequence[int] = (64, 128, 256, 512, 512), hidden: int = 4096) -> Trunk:
    """VGG16 with `widths` channels per block, `hidden` channels in fc6 and fc7, and `pad` in the first layer."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for block, (depth, width) in enumerate(zip((2, 2, 3, 3, 3), widths, strict=True), start=1):
        for index in range(1, depth + 1):
            padding = 1 if layers else pad
            layers[f"conv{block}_{index}"] = nn.Conv2d(channels, width, kernel_size=3, padding=padding)
            layers[f"relu{block}_{index}"] = nn.ReLU(inplace=True)
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
    layers.update(make_fully_connected(channels, 7, hidden))
    return Trunk(layers, {"pool3": widths[2], "pool4": widths[3], "drop7": hidden})


def build_alexnet(pad: int, hidden: int = 4096) -> Trunk:
    """CaffeNet: AlexNet for one GPU with two groups, and each pool before its normalisation."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 96, kernel_size=11, stride=4, padding=pad),
        relu1=nn.ReLU(inplace=True),
        pool1=make_pool(),
        norm1=make_normalisation(),
        conv2=nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),
        relu2=nn.ReLU(inplace=True),
        pool2=make_pool(),
        norm2=make_normalisation(),
        conv3=nn.Conv2d(256, 384, kernel_size=3, padding=1),
        relu3=nn.ReLU(inplace=True),
        conv4=nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),
        relu4=nn.ReLU(inplace=True),
        conv5=nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),
        relu5=nn.ReLU(inplace=True),
        pool5=make_pool(),
    )
    layers.update(make_fully_connected(256, 6, hidden))
    return Trunk(layers, {"drop7": hidden})


def build_googlenet(pad: int) -> Trunk:
    """GoogLeNet without its final average pool (thesis §2.3.1), with 5×5 kernels and a 3×3 pool4 as in the paper.

    The thesis's own net was never published. With the average pool the receptive field is the 907 pixels of table 2.1.
    """
    net = models.GoogLeNet(blocks=[conv_relu, WideInception, InceptionAux], aux_logits=False, init_weights=False)
    modules = dict(net.named_children())
    modules["conv1"][0].padding = (pad, pad)
    modules |= {f"maxpool{index}": make_pool() for index in range(1, 5)}
    modules |= {"norm1": make_normalisation(), "norm2": make_normalisation(), "dropout": nn.Dropout(0.4)}
    order = "conv1 maxpool1 norm1 conv2 conv3 norm2 maxpool2 inception3a inception3b maxpool3 inception4a inception4b "
    order += "inception4c inception4d inception4e maxpool4 inception5a inception5b dropout"
    return Trunk(OrderedDict((name, modules[name]) for name in order.split()), {"dropout": 1024})


TRUNKS: dict[str, Callable[[int], Trunk]] = {
    "alexnet": build_alexnet,
    "vgg16": build_vgg16,
    "googlenet": build_googlenet,
}


class WideInception(Inception):
    """An Inception with a 5×5 third branch, as in the paper; torchvision's is 3×3."""

    def __init__(self, *channels: int) -> None:
        super().__init__(*channels, conv_block=conv_relu)
        self.branch3[1] = conv_relu(channels[4], channels[5], kernel_size=5, padding=2)


def conv_relu(channels_in: int, channels_out: int, kernel_size: int, stride: int = 1, padding: int = 0) -> nn.Module:
    """A convolution followed by ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding),
        nn.ReLU(inplace=True),
    )


def make_pool() -> nn.Sequential:
    """Overlapping max pooling that rounds the map size up as Caffe does. Zero padding changes no maximum after a ReLU.

    MaxPool2d's `ceil_mode` after AlexNet's first layer cannot be exported for all sizes.
    """
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, stride=2))


def make_normalisation() -> nn.LocalResponseNorm:
    """AlexNet's normalisation over five channels."""
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)


def make_fully_connected(channels: int, kernel: int, hidden: int) -> "OrderedDict[str, nn.Module]":
    """fc6 and fc7 as convolutions without padding, each followed by ReLU and dropout."""
    return OrderedDict(
        fc6=nn.Conv2d(channels, hidden, kernel_size=kernel),
        relu6=nn.ReLU(inplace=True),
        drop6=nn.Dropout(DROPOUT),
        fc7=nn.Conv2d(hidden, hidden, kernel_size=1),
        relu7=nn.ReLU(inplace=True),
        drop7=nn.Dropout(DROPOUT),
    )
