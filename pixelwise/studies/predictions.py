"""Predictions of trained nets for a few validation pictures, cached beside the weights: a page needs no net."""

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
    places = (np.arange(min(PICTURES, images)) + 0.5) * images / min(PICTURES, images)
    return [int(place) for place in places]


def trained_net(kind: Family, weights: Path, params: Any, classes: int) -> nn.Module:
    """The net of `params` with trained weights, on CUDA where there is one. Raises ModelError where they do not fit."""
    net = kind.build(params.network, classes, pretrained=False)
    load_weights(net, weights)
    return net.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@torch.inference_mode()
def predict(kind: Family, net: nn.Module, data: PreparedData, params: Any) -> list[np.ndarray]:
    """Predict labels (H, W) uint8 of the shown pictures, with the masking and the layers of `params`."""
    task, device = kind.task_of(data, params), next(net.parameters()).device
    (graph,) = kind.graphs(net, params.network, len(data.classes))
    predictions = []
    for index in choose_indices(len(task.val)):
        maps = task.read_maps(task.val, index)
        inputs = [torch.from_numpy(maps[name].astype(INPUT_DTYPES[name]))[None].to(device) for name in graph.dynamic]
        found = graph.module(*inputs)
        predictions.append((found[0] if isinstance(found, tuple) else found)[0].cpu().numpy())
    return predictions


def keep(predictions: Sequence[np.ndarray], file: Path) -> None:
    """Write predictions to an npz `file`."""
    with write_atomically(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, *predictions)


def read(file: Path) -> list[np.ndarray]:
    """Read the predictions in an npz `file`. Raises ModelError where it is damaged."""
    try:
        with np.load(file) as kept:
            return [kept[name] for name in kept.files]
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise ModelError(f"{file}: {error}, expected predictions that a study kept; delete it") from None
