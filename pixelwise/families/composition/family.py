"""The composition family: receptive fields are learned, or inferred at every cell (thesis chapter 5)."""

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import nn

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.composition.covariance import NUMBERS, compute_covariance
from pixelwise.families.composition.dynamic import DynamicGaussian, Scales
from pixelwise.families.composition.layer import Blur, GaussianParams, fold
from pixelwise.families.composition.net import Composition, compose, learn_structure_alone, measure_gaussians
from pixelwise.families.composition.params import Kind, NetworkParams, TrainParams
from pixelwise.families.fcn import family as fcn
from pixelwise.families.graph import Graph
from pixelwise.nets.pixel_labeller import assemble_input
from pixelwise.reporting.receptive_field_images import draw_ellipses, draw_scale_map
from pixelwise.training.checkpoints import load_tensors
from pixelwise.training.loop import History, RecordMetrics
from pixelwise.training.loop import fit as fit_loop
from pixelwise.training.still_images import StillImageTask
from pixelwise.training.temperature import fit_on_validation

# Number of validation pictures whose inferred scales are drawn, at most.
SHOWN = 3


class LearnedFields(StillImageTask):
    """Training on still images that also reports the learned Gaussians."""

    def score(self, net: nn.Module) -> dict[str, float]:
        """The scores over the validation split, the mean size of output Gaussians, and every covariance by layer."""
        metrics = super().score(net)
        sizes = measure_gaussians(net)
        metrics |= {"val/gaussian_pixels": mean(sizes)} if sizes else {}
        for name, module in net.named_modules():
            if isinstance(module, Blur):
                numbers = module.compute_numbers().detach().mean(dim=0).tolist()
                metrics |= {f"covariance/{name}/{index}": number for index, number in enumerate(numbers)}
        return metrics


def start_from(params: TrainParams, described: Mapping[str, Any], start: Path) -> TrainParams:
    """Return `params` with the net and weights of the FCN in the folder `start`; `described` is its model.json.

    Only `network.compose` is the composition's own. Raises ModelError if the model is not an FCN, ParamsError if
    `params` set another part of the net otherwise than the FCN has it.
    """
    net = fcn.read_network(described, start)
    own = params.network
    for key in sorted(own.model_fields_set - {"compose", "weights", "trained"}):
        if getattr(own, key) != getattr(net, key):
            found, expected = getattr(own, key), getattr(net, key)
            raise ParamsError(f"network.{key}: found {found}, expected {expected} as in {start}; leave the key out")
    network = NetworkParams(**net.model_dump(), compose=own.compose, trained=described["fingerprint"])
    return params.model_copy(update={"network": network})


def build(network: NetworkParams, classes: int, pretrained: bool = True) -> nn.Module:
    """Build the net, with trained weights if `network.weights` names some.

    Raises ParamsError or ModelError if the parts of `network` do not fit together.
    """
    is_trained = fcn.is_trained(network.weights)
    plain = network.model_copy(update={"weights": "none"}) if is_trained else network
    net = fcn.build(plain, classes, pretrained)
    options = network.compose
    gaussian = GaussianParams(
        covariance=options.covariance,
        size=options.first_size,
        std_devs=options.std_devs,
        is_sampled=options.discretisation == "sampled",
        is_dark=options.border == "dark",
        per_channel=options.per_channel,
    )
    compose(net, Composition(options.where, options.filter, gaussian))
    if pretrained and is_trained:
        load_start(net, Path(network.weights))
    if options.structure_only:
        learn_structure_alone(net)
    return net


def load_start(net: nn.Module, file: Path) -> None:
    """Load the trained net in `file`, composed or not, into `net`. Layers that the file lacks do not change.

    Raises ModelError if the file holds a layer that the net lacks.
    """
    state, _ = load_tensors(file)
    # Composing renames a layer, such as `score` to `score.conv`.
    own = {name.replace(".conv.", ".") if name not in state else name: name for name in net.state_dict()}
    extra = sorted(set(state) - set(own))
    if extra:
        raise ModelError(f"{file}: found the layer {extra[0]}, which the net has not, expected a net of the same parts")
    net.load_state_dict({own[name]: values for name, values in state.items()}, strict=False)


def make_task(data: PreparedData, params: TrainParams) -> LearnedFields:
    """Make the training task on `data`. Raises DataError if a split or a layer is missing."""
    train, val = data.split(params.train_split), data.split(params.val_split)
    heads = fcn.list_heads(params.network, len(data.classes))
    return LearnedFields(train, val, params, fcn.INPUTS[params.network.inputs], heads)


def fit(net: nn.Module, data: PreparedData, params: TrainParams, state: Path, record: RecordMetrics) -> History:
    """Train the net, or only its structure, on still images."""
    return fit_loop(net, make_task(data, params), params, state, record)


def rescore(net: nn.Module, data: PreparedData, params: TrainParams) -> dict[str, float]:
    """Score a trained net on the validation split."""
    return make_task(data, params).score(net.eval())


def illustrate(net: nn.Module, data: PreparedData, params: TrainParams, history: History) -> dict[str, bytes]:
    """PNGs by file name: the covariances over the training, and the inferred scales of validation pictures."""
    pictures = {}
    if layers := list_covariances(params.network.compose.covariance, history):
        pictures["covariances.png"] = draw_ellipses(layers)
    dynamic = find_dynamic_layers(net)
    if dynamic and params.network.inputs == "rgb":
        split = data.split(params.val_split)
        images = [split[index].image for index in range(0, len(split), math.ceil(len(split) / SHOWN))]
        pictures["scales.png"] = draw_scale_map(images, [infer_scales(net, dynamic[-1], image) for image in images])
    return pictures


def list_covariances(kind: Kind, history: History) -> dict[str, list[np.ndarray]]:
    """The covariances (2, 2) of each layer, one per validation."""
    layers: dict[str, list[np.ndarray]] = {}
    for row in history:
        for name in (key.removesuffix("/0") for key in row if key.startswith("covariance/") and key.endswith("/0")):
            numbers = [row[f"{name}/{index}"] for index in range(NUMBERS[kind])]
            sigma = compute_covariance(torch.tensor(numbers, dtype=torch.float64)).numpy()
            layers.setdefault(name.removeprefix("covariance/"), []).append(sigma)
    return layers


def find_dynamic_layers(net: nn.Module) -> list[DynamicGaussian | Scales]:
    """The layers of `net` that infer a scale at every cell."""
    return [module for module in net.modules() if isinstance(module, DynamicGaussian | Scales)]


@torch.inference_mode()
def infer_scales(net: nn.Module, layer: DynamicGaussian | Scales, image: np.ndarray) -> np.ndarray:
    """The scales (h, w) that `layer` of `net` infers at the cells of a picture."""
    inputs: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    device = next(net.parameters()).device
    net.eval()(assemble_input({"image": torch.from_numpy(image)[None].to(device)}))
    hook.remove()
    return layer.infer_scale_map(inputs[0])[0].cpu().numpy()


def fit_temperature(net: nn.Module, data: PreparedData, params: TrainParams) -> float:
    """Fit the temperature of the class probabilities on the validation split."""
    return fit_on_validation(net, make_task(data, params))


def graphs(net: nn.Module, network: NetworkParams, classes: int, temperature: float | None = None) -> Sequence[Graph]:
    """One graph as the FCN's, with static Gaussians as fixed kernels and dynamic ones as DeformConv."""
    return fcn.graphs(fold(copy.deepcopy(net)), network, classes, temperature)
