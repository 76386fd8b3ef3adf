"""The thesis's own FCNs to the letter: pad 100, crops, bilinear upsampling (thesis §2.3)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.families.fcn.classifiers import stages_of
from pixelwise.families.fcn.trunks import TRUNKS, Trunk
from pixelwise.nets.backbones import IMAGENET
from pixelwise.nets.receptive_fields import (
    GridPlacement,
    ReceptiveField,
    derive_field,
    find_crop_offset,
    measure_kernel,
)

# What the published nets subtract, in the order of their channels: BGR.
MEAN = (104.00699, 116.66877, 122.67892)
# Stride of a skip -> the layer that it scores, and its fixed scale where all streams learn at once.
SKIPS = {16: ("pool4", 0.01), 8: ("pool3", 0.0001)}


class ReferenceFCN(nn.Module):
    """FCN-32s, -16s or -8s as published: a classifier with pad 100, scores that start at zero, cropped and summed.

    image: (N, 3, H, W) float, RGB in 0–255. Returns logits (N, K, H, W). With pad 100 any size works; pad 81 crops
    FCN-32s by nothing and takes sizes from 33. Layers bear the names of the published Caffe models. Every crop follows
    from the layers (`receptive_fields`). With `at_once` fixed factors scale the skips, so that streams of unlike norms
    can learn in one stage. Upsampling is bilinear and fixed, as the thesis's published nets have it; with
    `learned_upsampling` it only starts so between skips, as the text says.
    """

    mean: Tensor

    def __init__(
        self,
        name: str,
        classes: int,
        strides: Sequence[int],
        *,
        at_once: bool = False,
        learned_upsampling: bool = False,
        pad: int = 100,
        weights: str = "none",
    ) -> None:
        """`weights`: none, or for VGG16 those of torchvision: imagenet, or the .pth file of such a state.

        Raises ModelError where there is no such net, it has not these strides, or the weights do not fit.
        """
        super().__init__()
        if name not in TRUNKS:
            raise ModelError(f"reference net {name!r}: found none of that name, expected one of {', '.join(TRUNKS)}")
        trunk = TRUNKS[name](pad)
        self.skips = skips_of(name, trunk, strides)
        self.scales = [SKIPS[stride][1] if at_once else 1.0 for stride in sorted(strides, reverse=True)[1:]]
        self.trunk = nn.Sequential(trunk.layers)
        self.strides = tuple(sorted(strides))
        self.channels = [trunk.channels[layer] for layer in (*reversed(self.skips), trunk.top)]
        self.score = nn.ModuleDict({"score_fr": score_layer(trunk.channels[trunk.top], classes)})
        self.score.update({f"score_{skip}": score_layer(trunk.channels[skip], classes) for skip in self.skips})
        self.upscore, self.crops = upsampling(trunk, self.skips, classes)
        self.places = places(
            [trunk.field(layer) for layer in (trunk.top, *self.skips)], self.split_by_stride(), self.crops[:-1]
        )
        # The last one stays fixed in both (thesis §2.3.4).
        self.upscore[:-1].requires_grad_(learned_upsampling)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        if weights == "none":
            for convolution in convolutions(self.trunk):
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        else:
            from_torchvision(self.trunk, name, weights)

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the image's own grid."""
        x, features = self.prepared(image), list[Tensor]()
        for piece in self.split_by_stride():
            x = piece(x)
            features.insert(0, x)
        scores = self.fuse([self.stream(place, each) for place, each in enumerate(features)])
        return self.to_pixels(scores, image.shape[-2:])

    def prepared(self, image: Tensor) -> Tensor:
        """The picture as the first layer takes it."""
        # Of channels-last memory the exporter takes 2·⌊x/32⌋ for ⌊x/16⌋: its crops are right at the traced size alone.
        return image.contiguous().flip(1) - self.mean

    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers up to each one that is scored, fine to coarse, to be run one after the other."""
        names = [name for name, _ in self.trunk.named_children()]
        ends = [*(names.index(skip) + 1 for skip in reversed(self.skips)), len(names)]
        layers = list(self.trunk)
        return [nn.Sequential(*layers[start:end]) for start, end in pairwise([0, *ends])]

    def stream(self, place: int, features: Tensor) -> Tensor:
        """The scores of one layer, `place` from the coarsest."""
        name, scale = ["fr", *self.skips][place], [1.0, *self.scales][place]
        scores: Tensor = self.score[f"score_{name}"](features * scale)
        return scores

    def fuse(self, streams: Sequence[Tensor]) -> Tensor:
        """The scores of all layers, coarse to fine, as one on the finest grid, where the coarsest reaches."""
        fused, *finer = streams
        for own, up, crop in zip(finer, self.upscore, self.crops, strict=False):
            fused = up(fused)
            fused = fused + cropped(own, crop, fused.shape[-2:])
        return fused

    def to_pixels(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Fused scores as logits for every pixel of an image of `size` (H, W)."""
        return cropped(self.upscore[-1](scores), self.crops[-1], size)

    def start_from(self, state: Mapping[str, Tensor], source: str) -> None:
        """Go on from the weights of the stage before; skips that it lacks keep their zeros (thesis §2.3.3).

        Raises ModelError naming `source` and the first key that is missing, not known or of another shape.
        """
        # Upsampling between skips goes on where both have it; the last one leads to the pixels from a grid of its own.
        layers = [sum(key.startswith("upscore.") for key in keys) for keys in (state, self.state_dict())]
        between = {f"upscore.{index}.weight" for index in range(min(layers) - 1)}
        learned, expected = (
            {key: value for key, value in values.items() if key in between or not key.startswith("upscore.")}
            for values in (state, self.state_dict())
        )
        skips = tuple(f"score.score_{skip}." for skip in self.skips)
        for key in sorted(set(expected) ^ set(learned)):
            if key in learned or not key.startswith(skips):
                raise ModelError(f"{source}: {key}: {'not in the net' if key in learned else 'missing'}")
        for key, value in learned.items():
            found, wanted = tuple(value.shape), tuple(expected[key].shape)
            if found != wanted:
                raise ModelError(f"{source}: {key}: found shape {found}, expected {wanted}")
        self.load_state_dict(learned, strict=False)


def skips_of(name: str, trunk: Trunk, strides: Sequence[int]) -> list[str]:
    """The layers that are scored besides the last, coarse to fine."""
    available = [32, *(stride for stride, (layer, _) in SKIPS.items() if layer in trunk.channels)]
    ordered = sorted(strides, reverse=True)
    if not ordered or ordered != available[: len(ordered)]:
        raise ModelError(f"reference net {name}: found strides {tuple(strides)}, expected the first of {available}")
    return [SKIPS[stride][0] for stride in ordered[1:]]


def score_layer(channels: int, classes: int) -> nn.Conv2d:
    """Class scores, zero at first: a skip that is added leaves the prediction as it was (thesis §2.3.3)."""
    layer = nn.Conv2d(channels, classes, kernel_size=1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def upsampling(trunk: Trunk, skips: Sequence[str], classes: int) -> tuple[nn.ModuleList, list[int]]:
    """The layers from each grid to the next finer one, and the crops that align the skips, then the pixels."""
    layers, crops = nn.ModuleList(), []
    field = trunk.field(trunk.top)
    for target in [*(trunk.field(skip) for skip in skips), ReceptiveField()]:
        layers.append(bilinear(int(field.stride / target.stride), classes, is_between=field.offset % 1 != 0))
        field = field.then(derive_field(layers[-1]))
        is_last = target == ReceptiveField()
        # A skip is the larger map, the picture the smaller one: what is cropped differs.
        crops.append(find_crop_offset(field, target) if is_last else find_crop_offset(target, field))
    return layers, crops


def bilinear(factor: int, classes: int, is_between: bool) -> nn.ConvTranspose2d:
    """Bilinear upsampling of every class alone, fixed.

    Cells that lie between pixels take a kernel of 2·factor, those on pixels one of 2·factor − 1 (AlexNet: 63), so that
    the result is on the grid of the pixels.
    """
    size = 2 * factor if is_between else 2 * factor - 1
    layer = nn.ConvTranspose2d(classes, classes, size, stride=factor, groups=classes, bias=False)
    layer.weight = nn.Parameter(bilinear_kernel(factor, size).expand(classes, 1, -1, -1).clone(), requires_grad=False)
    return layer


def bilinear_kernel(factor: int, size: int) -> Tensor:
    """The (size, size) filter of bilinear upsampling by `factor`: 1 − |distance to its centre|/factor each way."""
    line = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return line[:, None] * line


def cropped(x: Tensor, start: int, size: Sequence[int]) -> Tensor:
    """The part of `x` from row and column `start` that has the `size` (H, W)."""
    return x[..., start : start + size[0], start : start + size[1]]


def places(fields: Sequence[ReceptiveField], pieces: Sequence[nn.Module], crops: Sequence[int]) -> list[GridPlacement]:
    """Where the cells of the scored layers lie, coarse to fine, and then those of the fused scores.

    fields: of the layers, coarse to fine. pieces: their layers, fine to coarse. crops: of the skips.
    """
    taken = [*(trimmed(piece) for piece in reversed(pieces[1:])), 0]
    layers = [
        GridPlacement(float(field.stride), float(field.offset), less) for field, less in zip(fields, taken, strict=True)
    ]
    finest = layers[-1]
    return [*layers, finest._replace(start=finest.start + (crops[-1] if crops else 0) * finest.step)]


def trimmed(piece: nn.Module) -> int:
    """Cells that the convolutions of `piece`, which follow its pool, take off a map for want of padding."""
    return sum(measure_kernel(layer) - 1 - 2 * int(layer.padding[0]) for layer in convolutions(piece))


def convolutions(net: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of `net` in their order."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def from_torchvision(trunk: nn.Sequential, name: str, weights: str) -> None:
    """Copy torchvision's VGG16 into `trunk`, whose first layer takes BGR less Caffe's mean instead."""
    if name != "vgg16":
        raise ModelError(
            f"reference net {name}: found weights {weights}, expected none or a .caffemodel file: "
            "torchvision publishes this net in another form"
        )
    layers = convolutions(trunk)
    with torch.no_grad():
        for layer, source in zip(layers, convolutions(nn.Sequential(*stages_of(name, weights))), strict=True):
            layer.load_state_dict(source.state_dict())
        to_caffe_scaling(layers[0])


def to_caffe_scaling(first: nn.Conv2d) -> None:
    """Let a layer for scaled RGB give the same for BGR less Caffe's mean."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    weight, shift = first.weight / std, torch.tensor(MEAN[::-1]).view(1, 3, 1, 1) - mean
    first.weight.copy_(weight.flip(1))
    if first.bias is not None:
        first.bias.add_((weight * shift).sum(dim=(1, 2, 3)))
