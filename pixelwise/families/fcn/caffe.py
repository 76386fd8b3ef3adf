"""Read the weights of the published Caffe models with OpenCV (thesis §2.3.1: CaffeNet, VGG16 and the FCNs)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.families.fcn.reference import ReferenceFCN, list_convolutions

Blobs = Mapping[str, list[NDArray[np.float32]]]

# OpenCV reads the blobs of the layers that the net definition lists. Their types in the file do not matter.
INPUT = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n'
LAYER = (
    'layer {{ name: "{name}" type: "Convolution" bottom: "data" top: "{name}" '
    "convolution_param {{ num_output: 1 kernel_size: 1 }} }}\n"
)
# torchvision's names of GoogLeNet's layers -> those of the published model.
GOOGLENET = {"conv1": "conv1/7x7_s2", "conv2": "conv2/3x3_reduce", "conv3": "conv2/3x3"}
BRANCHES = {
    "branch1": "1x1",
    "branch2.0": "3x3_reduce",
    "branch2.1": "3x3",
    "branch3.0": "5x5_reduce",
    "branch3.1": "5x5",
    "branch4.1": "pool_proj",
}


def load_caffemodel(net: ReferenceFCN, file: Path) -> None:
    """Copy the weights of a published .caffemodel into `net`.

    The file may hold a classifier or an FCN. Score layers that the file lacks stay zero; layers that `net` lacks are
    ignored. Fully connected layers become convolutions. Raises ModelError if the file is missing or has another format,
    or if a layer is missing or has another shape.
    """
    layers = list_named_convolutions(net)
    blobs = read_blobs(file, list(layers))
    if not any(blobs.values()):
        raise ModelError(f"{file}: found no layer of this net, expected a .caffemodel with {', '.join(layers)}")
    # All layers are checked before any is copied, so that an error leaves the net unchanged.
    state = {}
    for name, layer in layers.items():
        if blobs[name] or not name.startswith("score_"):
            state[name] = fit_blobs(f"{file}: {name}", layer, blobs[name])
    for name, tensors in state.items():
        layers[name].load_state_dict(tensors)


def list_named_convolutions(net: ReferenceFCN) -> dict[str, nn.Conv2d]:
    """The convolutions of `net`, by their names in the published models."""
    kinds = set(list_convolutions(net))
    trunk = {to_caffe_name(name): module for name, module in net.trunk.named_modules() if module in kinds}
    return {**trunk, **dict(net.score.items())}


def to_caffe_name(name: str) -> str:
    """The name in the published model of the trunk layer `name`."""
    block, _, branch = name.removesuffix(".0").partition(".")
    if block.startswith("inception"):
        return f"inception_{block.removeprefix('inception')}/{BRANCHES[branch]}"
    return GOOGLENET[block] if name.endswith(".0") else name


def read_blobs(file: Path, names: list[str]) -> Blobs:
    """Read the blobs of the layers `names`: weights, then biases; an empty list if the file lacks the layer.

    Raises ModelError if the file cannot be read.
    """
    # Imported here, since nothing else needs OpenCV.
    import cv2

    definition = (INPUT + "".join(LAYER.format(name=name) for name in names)).encode()
    try:
        net = cv2.dnn.readNetFromCaffe(np.frombuffer(definition, np.uint8), np.fromfile(file, np.uint8))
    except OSError as error:
        raise ModelError(f"{file}: could not be read ({error.strerror}), expected a .caffemodel file") from None
    except cv2.error:
        raise ModelError(f"{file}: found something else, expected a .caffemodel file") from None
    return {name: list_blobs(net, name, cv2.error) for name in names}


def list_blobs(net: Any, name: str, end: type[Exception]) -> list[NDArray[np.float32]]:
    """The blobs of one layer; `end` is the error that OpenCV raises after the last."""
    blobs: list[NDArray[np.float32]] = []
    for index in range(2):
        try:
            blobs.append(net.getParam(name, index))
        except end:  # OpenCV does not tell the number of blobs.
            break
    return blobs


def fit_blobs(source: str, layer: nn.Conv2d, blobs: list[NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    """The state dict of `layer` from the blobs of the published layer, a convolution or fully connected.

    Raises ModelError, starting with `source`, if a blob is missing or has another shape.
    """
    state = {}
    for index, (key, expected) in enumerate(layer.state_dict().items()):
        if index >= len(blobs):
            raise ModelError(f"{source}: {key} is missing, expected shape {tuple(expected.shape)}")
        # Older files give every blob four axes, and fully connected weights one row per output.
        shape, expected_shape = blobs[index].shape, tuple(expected.shape)
        if blobs[index].size != expected.numel() or count_rows(shape) != count_rows(expected_shape):
            raise ModelError(f"{source}: {key}: found shape {shape}, expected {expected_shape}")
        state[key] = torch.from_numpy(np.array(blobs[index])).reshape(expected.shape)
    return state


def count_rows(shape: tuple[int, ...]) -> int:
    """Length of the first axis longer than 1; 1 if there is none."""
    return next((side for side in shape if side > 1), 1)
