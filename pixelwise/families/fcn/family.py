"""The FCN family: semantic segmentation of still images (thesis chapter 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.fcn.caffe import load_caffemodel
from pixelwise.families.fcn.classifiers import CLASSIFIERS, Classifier
from pixelwise.families.fcn.net import FCN, LateFusion, NullBackground
from pixelwise.families.fcn.params import NetworkParams, TrainParams
from pixelwise.families.fcn.reference import SKIPS, ReferenceFCN
from pixelwise.families.graph import Graph
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.pixel_labeller import PixelLabeller
from pixelwise.nets.synthetic_inputs import make_depths, make_images
from pixelwise.params import parse
from pixelwise.training.checkpoints import load_tensors, load_weights
from pixelwise.training.loop import History, RecordMetrics
from pixelwise.training.loop import fit as fit_loop
from pixelwise.training.still_images import Head, StillImageTask
from pixelwise.training.temperature import fit_on_validation

# The inputs of each kind of net, in the order of its channels.
INPUTS = {"rgb": ("image",), "rgbd": ("image", "depth"), "hha": ("hha",), "rgb-hha": ("image", "hha")}
# Sky, horizontal, vertical (thesis §2.4).
GEOMETRIC_CLASSES = 3


def build(network: NetworkParams, classes: int, pretrained: bool = True) -> nn.Module:
    """Build the net, with trained weights if `network.weights` names some.

    Raises ParamsError if the parts of `network` do not fit together.
    """
    if pretrained and is_trained(network.weights) and not network.reference:
        net = build(network, classes, pretrained=False)
        load_weights(net, Path(network.weights))
        return net
    weights = network.weights if pretrained else "none"
    channels = sum(head.classes for head in list_heads(network, classes).values())
    if network.background == "null":
        if network.heads != "semantic":
            raise ParamsError(f"network.background null: found heads {network.heads}, expected semantic")
        return NullBackground(build_net(network, channels - 1, weights))
    return build_net(network, channels, weights)


def build_net(network: NetworkParams, channels: int, weights: str) -> nn.Module:
    """Build the net with `channels` scores per pixel."""
    if network.reference:
        return build_reference(network, channels, weights)
    if network.inputs == "rgb-hha":
        # Two files, colour first: the thesis starts from two trained nets.
        colour, _, depth = weights.partition("+")
        return LateFusion(*(build_parent(network, channels, file) for file in (colour, depth or colour)))
    return build_single(network, channels, weights)


def build_reference(network: NetworkParams, channels: int, weights: str) -> nn.Module:
    """Build the thesis's net with published Caffe weights, torchvision's, or those of the previous stage.

    Raises ParamsError if another parameter does not fit a reference net.
    """
    for key, expected in list_published_values(network.strides).items():
        value = getattr(network, key)
        if value not in expected:
            raise ParamsError(f"network.reference: found {key} {value}, expected {' or '.join(map(str, expected))}")
    is_torchvision = weights in ("none", "imagenet") or weights.endswith(".pth")
    net = ReferenceFCN(
        network.backbone,
        channels,
        network.strides,
        at_once=bool(network.stream_scales),
        learned_upsampling=network.learned_upsampling,
        weights=weights if is_torchvision else "none",
    )
    if weights.endswith(".caffemodel"):
        load_caffemodel(net, Path(weights))
    elif not is_torchvision:
        # Each stage of the thesis starts from the previous one; the skip that it adds starts at zero.
        state, _ = load_tensors(Path(weights))
        # NullBackground wraps the net, which prefixes its keys.
        net.start_from({key.removeprefix("net."): value for key, value in state.items()}, weights)
    return net


def list_published_values(strides: Sequence[int]) -> dict[str, tuple[object, ...]]:
    """The values that a published net allows for the parameters of NetworkParams that do not apply to it."""
    scales = (1.0, *(SKIPS[stride][1] for stride in sorted(strides, reverse=True) if stride in SKIPS))
    default = NetworkParams()
    same = {key: (getattr(default, key),) for key in ("width", "scale", "frozen_stride", "keep_statistics", "fusion")}
    return {"inputs": ("rgb",), **same, "stream_scales": ((), scales)}


def build_parent(network: NetworkParams, channels: int, weights: str) -> FCN:
    """Build one of the two nets of a late fusion, with trained weights if `weights` names them."""
    if not is_trained(weights):
        return build_single(network, channels, weights)
    net = build_single(network, channels, "none")
    load_weights(net, Path(weights))
    return net


def build_single(network: NetworkParams, channels: int, weights: str) -> FCN:
    """Build an FCN over one backbone. Raises ParamsError if `network` does not fit it."""
    if network.learned_upsampling:
        raise ParamsError("network.learned_upsampling: found a net that is no reference, expected false")
    strides = tuple(sorted(network.strides))
    if network.stream_scales and len(network.stream_scales) != len(strides):
        raise ParamsError(
            f"network.stream_scales: found {len(network.stream_scales)}, expected {len(strides)}, one a stride"
        )
    extra = 1 if network.inputs == "rgbd" else 0
    extractor = Classifier if network.backbone in CLASSIFIERS else Backbone
    backbone = extractor(network.backbone, strides, weights, network.keep_statistics, extra)
    backbone.freeze(network.frozen_stride)
    return FCN(backbone, channels, network.width, network.scale, network.dropout, network.fusion, network.stream_scales)


def read_network(described: Mapping[str, Any], start: Path) -> NetworkParams:
    """The network of the trained FCN in the folder `start`, with its weights; `described` is its model.json.

    Raises ModelError if the model is of another family, ParamsError if its parameters are not those of an FCN.
    """
    if described["family"] != "fcn":
        raise ModelError(f"{start}: found a model of family {described['family']}, expected fcn")
    return parse(NetworkParams, {**described["network"], "weights": str(start / WEIGHTS_FILE)}, str(start))


def is_trained(weights: str) -> bool:
    """Whether `weights` names one file that `pixelwise train` wrote. Other files hold backbone weights."""
    return Path(weights).name == WEIGHTS_FILE and "+" not in weights


def list_heads(network: NetworkParams, classes: int) -> dict[str, Head]:
    """The heads of the net by name, in the order of its logits."""
    heads = {"semantic": Head("label", classes), "geometry": Head("geometry", GEOMETRIC_CLASSES)}
    return heads if network.heads == "both" else {network.heads: heads[network.heads]}


def make_task(data: PreparedData, params: TrainParams) -> StillImageTask:
    """Make the training task on `data`. Raises DataError if a split or a layer is missing."""
    train, val = data.split(params.train_split), data.split(params.val_split)
    heads = list_heads(params.network, len(data.classes))
    return StillImageTask(train, val, params, INPUTS[params.network.inputs], heads)


def fit(net: nn.Module, data: PreparedData, params: TrainParams, state: Path, record: RecordMetrics) -> History:
    """Train on still images, all streams at once or in stages (thesis §2.3.3). Staged rows also hold their `stage`.

    Raises ParamsError for staged training of a reference net.
    """
    task = make_task(data, params)
    if not params.staged:
        return fit_loop(net, task, params, state, record)
    history: History = []
    fusions = [module.fusion for module in net.modules() if isinstance(module, FCN)]
    if not fusions:
        raise ParamsError("fcn.train.staged: found a reference net, expected network.weights of the stage before")
    for stage in range(len(params.network.strides)):
        for fusion in fusions:
            fusion.active = stage + 1
        rate = params.learning_rate * params.staged_rate_factor**stage
        done = len(history)
        rows = fit_loop(
            net,
            task,
            params.model_copy(update={"learning_rate": rate}),
            state / f"stage-{stage + 1}",
            lambda row, epoch, done=done: record(row, epoch + done),  # type: ignore[misc]
        )
        history += [{**row, "epoch": row["epoch"] + done, "stage": stage + 1.0} for row in rows]
    return history


def rescore(net: nn.Module, data: PreparedData, params: TrainParams) -> dict[str, float]:
    """Score a trained net on the validation split, with pictures masked as `params` define (thesis §2.5.1)."""
    return make_task(data, params).score(net.eval())


def fit_temperature(net: nn.Module, data: PreparedData, params: TrainParams) -> float:
    """Fit the temperature of the class probabilities on the validation split."""
    return fit_on_validation(net, make_task(data, params))


def graphs(net: nn.Module, network: NetworkParams, classes: int, temperature: float | None = None) -> Sequence[Graph]:
    """One graph: pictures in, labels out, and with a `temperature` the confidence of the first head's labels.

    `network` may add further inputs and heads.
    """
    inputs, heads = INPUTS[network.inputs], list_heads(network, classes)
    axes = {0: "batch", 1: "height", 2: "width"}
    outputs = ["prediction" if name == "semantic" else name for name in heads]
    facts, optional = {}, []
    if temperature is not None:
        facts, optional = {"temperature": str(temperature)}, ["confidence"]
    return [
        Graph(
            name="model",
            module=PixelLabeller(net, inputs, {name: head.classes for name, head in heads.items()}, temperature).eval(),
            example=lambda batch, height, width: make_example(inputs, batch, height, width),
            outputs=[*outputs, *optional],
            dynamic=dict.fromkeys(inputs, axes),
            traced=(2, 96, 128),
            probes=[(1, 360, 480), (1, 97, 131), (3, 65, 203), (1, 33, 40), (3, 192, 256)],
            facts=facts,
            optional=optional,
        )
    ]


def make_example(inputs: Sequence[str], batch: int, height: int, width: int) -> Mapping[str, Tensor]:
    """Synthetic pictures and depths for the inputs, by name."""
    makers = {"image": make_images, "hha": make_images, "depth": make_depths}
    return {name: makers[name](batch, height, width) for name in inputs}
