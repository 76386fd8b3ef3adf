"""Predictions of trained nets for a few validation pictures, cached beside the weights."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ModelError
from pixelwise.families.learning import Family
from pixelwise.files import write_atomically
from pixelwise.training.checkpoints import load_weights
from pixelwise.training.still_images import INPUT_DTYPES

PICTURES = 3


def choose_indices(images: int) -> list[int]:
    """Choose the pictures to show: indices spread evenly over a split of `images` pictures."""
    centres = (np.arange(min(PICTURES, images)) + 0.5) * images / min(PICTURES, images)
    return [int(centre) for centre in centres]


def load_trained_net(family: Family, weights: Path, params: Any, classes: int) -> nn.Module:
    """Load trained weights into the net of `params`, on CUDA if available. Raises ModelError if they do not fit."""
    net = family.build(params.network, classes, pretrained=False)
    load_weights(net, weights)
    return net.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@torch.inference_mode()
def predict_shown(family: Family, net: nn.Module, data: PreparedData, params: Any) -> list[np.ndarray]:
    """Predict the labels (H, W) uint8 of the shown pictures, with the masking and the layers of `params`."""
    task, device = family.make_task(data, params), next(net.parameters()).device
    (graph,) = family.graphs(net, params.network, len(data.classes))
    predictions = []
    for index in choose_indices(len(task.val)):
        maps = task.read_maps(task.val, index)
        inputs = [torch.from_numpy(maps[name].astype(INPUT_DTYPES[name]))[None].to(device) for name in graph.dynamic]
        outputs = graph.module(*inputs)
        predictions.append((outputs[0] if isinstance(outputs, tuple) else outputs)[0].cpu().numpy())
    return predictions


def write_predictions(predictions: Sequence[np.ndarray], file: Path) -> None:
    """Write predictions to an npz `file`."""
    with write_atomically(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, *predictions)


def read_predictions(file: Path) -> list[np.ndarray]:
    """Read the predictions in an npz `file`. Raises ModelError where it is damaged."""
    try:
        with np.load(file) as arrays:
            return [arrays[name] for name in arrays.files]
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise ModelError(f"{file}: {error}, expected predictions that a study wrote; delete the file") from None
