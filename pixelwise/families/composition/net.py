"""Add compositions to a net: at its output, in its decoder, or at convolutions by name (thesis §5.3.1)."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.families.composition.context import ContextContrast, PyramidPooling
from pixelwise.families.composition.dynamic import DynamicGaussian, FreeForm, Scales
from pixelwise.families.composition.layer import Blur, Composed, GaussianParams, StaticPoints
from pixelwise.families.composition.params import Filter
from pixelwise.families.fcn.fusion import TopDown
from pixelwise.families.fcn.net import FCN
from pixelwise.nets.feature_extractor import freeze_statistics


class OutputStage(nn.Module):
    """A layer between the features of a stream and their scores, as the thesis adds to its backbones (table 5.1).

    x: (N, C, H, W). Returns (N, K, H, W).
    """

    def __init__(self, layer: nn.Module, channels: int, score: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm, self.score = layer, nn.BatchNorm2d(channels), score

    def forward(self, x: Tensor) -> Tensor:
        """The scores of the layer's features."""
        scores: Tensor = self.score(F.relu(self.norm(self.layer(x))))
        return scores


class Composition(NamedTuple):
    """A filter and its places. where: output, decoder, or patterns of convolution names."""

    where: Sequence[str]
    filter: Filter
    gaussian: GaussianParams


def compose(net: nn.Module, composition: Composition) -> None:
    """Add the composition to `net`, in place.

    Raises ModelError if a pattern matches no convolution, or if `net` has no FCN for output and decoder.
    """
    if composition.filter == "none":
        return
    fcns = [module for module in net.modules() if isinstance(module, FCN)]
    # Patterns are matched before layers are added, so that they cannot match added layers.
    matches = {
        pattern: [name for name, module in net.named_modules() if is_conv(module) and fnmatchcase(name, pattern)]
        for pattern in composition.where
        if pattern not in ("output", "decoder")
    }
    for pattern, names in matches.items():
        if not names:
            raise ModelError(f"compose.where {pattern}: found no convolution of that name, expected one")
        for name in names:
            replace(net, name, compose_layer(net.get_submodule(name), composition))  # type: ignore[arg-type]
    if {"output", "decoder"} & set(composition.where) and not fcns:
        raise ModelError("compose.where: found a net of another kind, expected an FCN for output and decoder")
    for fcn in fcns:
        if "output" in composition.where:
            compose_output(fcn, composition)
        if "decoder" in composition.where and isinstance(fcn.top_down, TopDown):
            for mix in fcn.top_down.mix:
                depthwise: nn.Sequential = mix[0]  # type: ignore[index]
                depthwise[0] = compose_layer(depthwise[0], composition)  # type: ignore[arg-type]


def compose_output(fcn: FCN, composition: Composition) -> None:
    """Add a composed layer before the scores of every stream."""
    for index, score in enumerate(fcn.fusion.score):
        channels: int = score.in_channels  # type: ignore[assignment]
        conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        fcn.fusion.score[index] = OutputStage(compose_layer(conv, composition), channels, score)


def compose_layer(conv: nn.Conv2d, composition: Composition) -> nn.Module:
    """`conv` composed with the filter, or the layer that replaces it."""
    kind, gaussian = composition.filter, composition.gaussian
    channels = conv.in_channels
    makers: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: conv,
        "dynamic": lambda: DynamicGaussian(conv, gaussian),
        "scales": lambda: Scales(conv, gaussian.size),
        "free-form": lambda: FreeForm(conv),
        "static-free-form": lambda: StaticPoints(conv, is_free=True),
        "static-affine": lambda: StaticPoints(conv, is_free=False),
        "ccl": lambda: ContextContrast(channels, is_blurred=False),
        "ccl-blur": lambda: ContextContrast(channels, is_blurred=True),
        "aspp": lambda: PyramidPooling(channels, is_blurred=False),
        "aspp-blur": lambda: PyramidPooling(channels, is_blurred=True),
    }
    return makers[kind]() if kind in makers else Composed(conv, kind, gaussian)  # type: ignore[arg-type]


def is_conv(module: nn.Module) -> bool:
    """Whether `module` is a convolution in two dimensions."""
    return isinstance(module, nn.Conv2d)


def replace(net: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the submodule `name` of `net` by `module`."""
    parent, _, own = name.rpartition(".")
    setattr(net.get_submodule(parent), own, module)


def learn_structure_alone(net: nn.Module) -> None:
    """Freeze all but the covariances and the layers that infer them (structural fine-tuning, thesis §5.4.2).

    Raises ModelError if the net has no Gaussian.
    """
    net.requires_grad_(False)
    has_gaussian = False
    for module in net.modules():
        if isinstance(module, Blur):
            module.requires_grad_(True)
            has_gaussian = True
        elif isinstance(module, DynamicGaussian | Scales):
            module.infer.requires_grad_(True)
            has_gaussian = True
        if isinstance(module, Scales):
            module.size.requires_grad_(True)
    if not has_gaussian:
        raise ModelError("compose.structure_only: found no Gaussian in the net, expected a filter with one")
    net.register_forward_pre_hook(hold_still)


def hold_still(net: nn.Module, _: object) -> None:
    """Keep batch norm statistics fixed, also in training mode."""
    freeze_statistics(net)


def measure_gaussians(net: nn.Module) -> list[float]:
    """The learned sizes of the static Gaussians at the outputs of `net`, coarse to fine, in pixels of the picture that
    its backbone sees.
    """
    sizes = []
    for fcn in (module for module in net.modules() if isinstance(module, FCN)):
        for stage, step in zip(fcn.fusion.score, fcn.last, strict=True):
            blurs = [module for module in stage.modules() if isinstance(module, Blur)]
            sizes += [step.factor * blur.measure_size() for blur in blurs[:1]]
    return sizes
