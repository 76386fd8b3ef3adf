"""The thesis's own FCNs: pad 100, crops, bilinear upsampling (thesis §2.3)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.families.fcn.classifiers import build_stages
from pixelwise.families.fcn.trunks import TRUNKS, Trunk
from pixelwise.nets.feature_extractor import IMAGENET
from pixelwise.nets.receptive_fields import (
    GridPlacement,
    ReceptiveField,
    derive_field,
    find_crop_offset,
    measure_kernel,
)

# The mean that the published nets subtract, in their channel order: BGR.
MEAN = (104.00699, 116.66877, 122.67892)
# Stride of a skip -> the layer that it scores, and its fixed factor for at-once training.
SKIPS = {16: ("pool4", 0.01), 8: ("pool3", 0.0001)}


class ReferenceFCN(nn.Module):
    """FCN-32s, -16s or -8s as published: a classifier with pad 100, and zero-initialised scores, cropped and summed.

    image: (N, 3, H, W) float, RGB in 0–255. Returns logits (N, K, H, W). With pad 100 any size works; with pad 81
    FCN-32s needs no crop and takes sizes from 33. Layer names are those of the published Caffe models. Crops are
    computed from the layers (`receptive_fields`). `at_once` multiplies the skips by fixed factors, so that streams of
    different norms can be trained in one stage. Upsampling is bilinear and fixed, as in the thesis's published nets.
    With `learned_upsampling`, upsampling between skips starts bilinear and is trained, as in the thesis's text.
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
        """`weights`: none; for VGG16 also torchvision's: imagenet, or the .pth file of a torchvision state.

        Raises ModelError if the net is unknown, it lacks a stride, or the weights do not fit.
        """
        super().__init__()
        if name not in TRUNKS:
            raise ModelError(f"reference net {name!r}: found none of that name, expected one of {', '.join(TRUNKS)}")
        trunk = TRUNKS[name](pad)
        self.skips = list_skips(name, trunk, strides)
        self.scales = [SKIPS[stride][1] if at_once else 1.0 for stride in sorted(strides, reverse=True)[1:]]
        self.trunk = nn.Sequential(trunk.layers)
        self.strides = tuple(sorted(strides))
        self.channels = [trunk.channels[layer] for layer in (*reversed(self.skips), trunk.top)]
        self.score = nn.ModuleDict({"score_fr": make_score_layer(trunk.channels[trunk.top], classes)})
        self.score.update({f"score_{skip}": make_score_layer(trunk.channels[skip], classes) for skip in self.skips})
        self.upscore, self.crops = build_upsampling(trunk, self.skips, classes)
        self.placements = compute_placements(
            [trunk.measure_field(layer) for layer in (trunk.top, *self.skips)], self.split_by_stride(), self.crops[:-1]
        )
        # The last upsampling stays fixed in both cases (thesis §2.3.4).
        self.upscore[:-1].requires_grad_(learned_upsampling)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        if weights == "none":
            for convolution in list_convolutions(self.trunk):
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        else:
            copy_torchvision(self.trunk, name, weights)

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the image's own grid."""
        x, features = self.prepare(image), list[Tensor]()
        for piece in self.split_by_stride():
            x = piece(x)
            features.insert(0, x)
        scores = self.fuse([self.compute_stream(index, maps) for index, maps in enumerate(features)])
        return self.to_pixels(scores, image.shape[-2:])

    def prepare(self, image: Tensor) -> Tensor:
        """The picture as the first layer expects it: BGR less the mean."""
        # With channels-last memory the exporter writes 2·⌊x/32⌋ for ⌊x/16⌋: crops would fit only the traced size.
        return image.contiguous().flip(1) - self.mean

    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers split after each scored layer, fine to coarse. Run them in this order."""
        names = [name for name, _ in self.trunk.named_children()]
        ends = [*(names.index(skip) + 1 for skip in reversed(self.skips)), len(names)]
        layers = list(self.trunk)
        return [nn.Sequential(*layers[start:end]) for start, end in pairwise([0, *ends])]

    def compute_stream(self, index: int, features: Tensor) -> Tensor:
        """The scores of layer `index`, counted from the coarsest."""
        name, scale = ["fr", *self.skips][index], [1.0, *self.scales][index]
        scores: Tensor = self.score[f"score_{name}"](features * scale)
        return scores

    def fuse(self, streams: Sequence[Tensor]) -> Tensor:
        """Fuse the scores of all layers, given coarse to fine, on the finest grid, cropped to the coarsest map."""
        fused, *finer = streams
        for own, up, crop in zip(finer, self.upscore, self.crops, strict=False):
            fused = up(fused)
            fused = fused + crop_map(own, crop, fused.shape[-2:])
        return fused

    def to_pixels(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Upsample fused scores to logits for every pixel of an image of `size` (H, W)."""
        return crop_map(self.upscore[-1](scores), self.crops[-1], size)

    def start_from(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load the weights of the previous stage. Skips that it lacks stay zero (thesis §2.3.3).

        Raises ModelError naming `source` and the first key that is missing, unknown or of another shape.
        """
        # Upsampling between skips is loaded if both nets have it. The last layer is not: its factor differs by stage.
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
            shape, expected_shape = tuple(value.shape), tuple(expected[key].shape)
            if shape != expected_shape:
                raise ModelError(f"{source}: {key}: found shape {shape}, expected {expected_shape}")
        self.load_state_dict(learned, strict=False)


def list_skips(name: str, trunk: Trunk, strides: Sequence[int]) -> list[str]:
    """The layers scored besides the last, coarse to fine. Raises ModelError if `strides` do not fit the net."""
    available = [32, *(stride for stride, (layer, _) in SKIPS.items() if layer in trunk.channels)]
    ordered = sorted(strides, reverse=True)
    if not ordered or ordered != available[: len(ordered)]:
        raise ModelError(f"reference net {name}: found strides {tuple(strides)}, expected the first of {available}")
    return [SKIPS[stride][0] for stride in ordered[1:]]


def make_score_layer(channels: int, classes: int) -> nn.Conv2d:
    """A zero-initialised score layer, so that a new skip does not change the prediction (thesis §2.3.3)."""
    layer = nn.Conv2d(channels, classes, kernel_size=1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def build_upsampling(trunk: Trunk, skips: Sequence[str], classes: int) -> tuple[nn.ModuleList, list[int]]:
    """The upsampling from each grid to the next finer one, and the crops that align the skips and then the pixels."""
    layers, crops = nn.ModuleList(), []
    field = trunk.measure_field(trunk.top)
    for target in [*(trunk.measure_field(skip) for skip in skips), ReceptiveField()]:
        layers.append(make_bilinear(int(field.stride / target.stride), classes, is_between=field.offset % 1 != 0))
        field = field.chain(derive_field(layers[-1]))
        is_last = target == ReceptiveField()
        # A skip is larger than the upsampled map, so it is cropped. The picture is smaller, so the map is cropped.
        crops.append(find_crop_offset(field, target) if is_last else find_crop_offset(target, field))
    return layers, crops


def make_bilinear(factor: int, classes: int, is_between: bool) -> nn.ConvTranspose2d:
    """Fixed bilinear upsampling, each class separately.

    The kernel is 2·factor for cells between pixels, and 2·factor − 1 for cells on pixels (AlexNet: 63). Both put the
    result on the pixel grid.
    """
    size = 2 * factor if is_between else 2 * factor - 1
    layer = nn.ConvTranspose2d(classes, classes, size, stride=factor, groups=classes, bias=False)
    layer.weight = nn.Parameter(
        make_bilinear_kernel(factor, size).expand(classes, 1, -1, -1).clone(), requires_grad=False
    )
    return layer


def make_bilinear_kernel(factor: int, size: int) -> Tensor:
    """The (size, size) filter of bilinear upsampling by `factor`: 1 − |distance to its centre|/factor per axis."""
    line = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return line[:, None] * line


def crop_map(x: Tensor, start: int, size: Sequence[int]) -> Tensor:
    """The part of `x` that starts at row and column `start` and has the `size` (H, W)."""
    return x[..., start : start + size[0], start : start + size[1]]


def compute_placements(
    fields: Sequence[ReceptiveField], pieces: Sequence[nn.Module], crops: Sequence[int]
) -> list[GridPlacement]:
    """The grids of the scored layers, coarse to fine, then the grid of the fused scores.

    fields: of the scored layers, coarse to fine. pieces: the parts of the net, fine to coarse. crops: of the skips.
    """
    trimmed = [*(count_trimmed_cells(piece) for piece in reversed(pieces[1:])), 0]
    layers = [
        GridPlacement(float(field.stride), float(field.offset), less)
        for field, less in zip(fields, trimmed, strict=True)
    ]
    finest = layers[-1]
    return [*layers, finest._replace(start=finest.start + (crops[-1] if crops else 0) * finest.step)]


def count_trimmed_cells(piece: nn.Module) -> int:
    """Cells per axis by which the unpadded convolutions of `piece` shrink a map. They follow its pool."""
    return sum(measure_kernel(layer) - 1 - 2 * int(layer.padding[0]) for layer in list_convolutions(piece))


def list_convolutions(net: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of `net`, in order."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def copy_torchvision(trunk: nn.Sequential, name: str, weights: str) -> None:
    """Copy torchvision's VGG16 into `trunk`, and adapt its first layer to BGR less Caffe's mean.

    Raises ModelError for other nets.
    """
    if name != "vgg16":
        raise ModelError(
            f"reference net {name}: found weights {weights}, expected none or a .caffemodel file: "
            "torchvision publishes this net in another form"
        )
    layers = list_convolutions(trunk)
    with torch.no_grad():
        for layer, source in zip(layers, list_convolutions(nn.Sequential(*build_stages(name, weights))), strict=True):
            layer.load_state_dict(source.state_dict())
        convert_to_caffe_scaling(layers[0])


def convert_to_caffe_scaling(first: nn.Conv2d) -> None:
    """Convert a layer for ImageNet-normalised RGB so that it gives the same output for BGR less Caffe's mean."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    weight, shift = first.weight / std, torch.tensor(MEAN[::-1]).view(1, 3, 1, 1) - mean
    first.weight.copy_(weight.flip(1))
    if first.bias is not None:
        first.bias.add_((weight * shift).sum(dim=(1, 2, 3)))
