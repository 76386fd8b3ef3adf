"""The FCN family: every pixel of a still image (thesis chapter 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn

from components.datasets.prepared import PreparedData, PreparedSplit
from components.datasets.transforms import AugmentParams, random_view
from components.families import Graph
from components.learning.loop import Arrays, History, LoopParams, Recorder
from components.learning.loop import fit as fit_loop
from components.learning.objectives import class_weights, cross_entropy, lovasz_softmax
from components.measures.confusion import ConfusionMatrix
from components.networks.fcn import FCN, PixelLabels
from components.networks.probes import pictures
from components.params import Params


class NetworkParams(Params):
    """The net."""

    backbone: str = Field("efficientnet_lite0", description="timm model")
    strides: tuple[int, ...] = Field((32, 16, 8), description="strides that are scored: 32 is FCN-32s, 32 16 8 FCN-8s")
    width: NonNegativeInt = Field(0, description="channels of the top-down features; 0 scores the backbone's own")
    scale: float = Field(1.0, gt=0, le=4, description="how much the net enlarges the picture before its first layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels dropped before scoring")
    frozen_stride: NonNegativeInt = Field(
        0, description="the backbone keeps its weights up to this stride; 0 keeps none"
    )


class ObjectiveParams(Params):
    """The loss."""

    balance: NonNegativeFloat = Field(
        0.4, description="classes count by frequency to minus this power; 0 is unweighted"
    )
    lovasz: NonNegativeFloat = Field(0.0, description="weight of the Lovász-softmax loss beside cross-entropy")
    lovasz_samples: int = Field(50_000, gt=0, description="pixels a batch that the Lovász loss sorts")


class TrainParams(LoopParams):
    """Training of an FCN."""

    train_split: str = Field("train", description="split to learn from")
    val_split: str = Field("val", description="split that chooses the weights")
    network: NetworkParams = NetworkParams()
    objective: ObjectiveParams = ObjectiveParams()
    augment: AugmentParams = AugmentParams()


class StillImages:
    """Learn from random views of labelled pictures; score whole pictures."""

    def __init__(self, train: PreparedSplit, val: PreparedSplit, classes: int, params: TrainParams) -> None:
        self.train, self.val, self.classes, self.params = train, val, classes, params
        pixels = np.sum([row["pixels"] for row in train.rows], axis=0)
        self.weights = class_weights(torch.from_numpy(pixels).float(), params.objective.balance)
        # Rarer than half their even share: the classes whose IU is limited by how seldom they are seen.
        self.rare = np.flatnonzero(pixels < 0.5 * pixels.sum() / classes)

    def __len__(self) -> int:
        return len(self.train)

    def sample(self, seed: int, epoch: int, index: int) -> Arrays:
        """A random view of picture `index`."""
        found = self.train[index]
        rng = np.random.default_rng((seed, epoch, index))
        image, label = random_view(found.image, found.label, rng, self.params.augment, self.rare)
        return {"image": image, "label": label}

    def loss(self, net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Weighted cross-entropy, and the Lovász loss where it is asked for."""
        objective = self.params.objective
        logits, label = net(to_nchw(batch["image"])), batch["label"]
        loss = cross_entropy(logits, label, self.weights.to(logits.device))
        if objective.lovasz:
            loss = loss + objective.lovasz * lovasz_softmax(logits, label, objective.lovasz_samples)
        return loss

    @torch.inference_mode()
    def score(self, net: nn.Module) -> dict[str, float]:
        """The four scores over the validation split."""
        device = next(net.parameters()).device
        counts = ConfusionMatrix(self.classes)
        for sample in self.val:
            logits = net(to_nchw(torch.from_numpy(sample.image).unsqueeze(0).to(device)))
            counts.add(sample.label, logits.argmax(dim=1)[0].to(torch.uint8).cpu().numpy())
        scores = counts.scores()
        return {
            "val/mean_iu": scores.mean_iu,
            "val/pixel_accuracy": scores.pixel_accuracy,
            "val/mean_accuracy": scores.mean_accuracy,
            "val/frequency_weighted_iu": scores.frequency_weighted_iu,
        }


def to_nchw(image: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float in channels-last memory: the permuted view already lies so."""
    return image.permute(0, 3, 1, 2).float()


def build(network: NetworkParams, classes: int, pretrained: bool = True) -> FCN:
    """The untrained net."""
    net = FCN(
        network.backbone, classes, network.strides, network.width, network.scale, network.dropout, pretrained=pretrained
    )
    net.backbone.freeze(network.frozen_stride)
    return net


def fit(net: nn.Module, data: PreparedData, params: TrainParams, state: Path, record: Recorder) -> History:
    """Train on still images."""
    task = StillImages(data.split(params.train_split), data.split(params.val_split), len(data.classes), params)
    return fit_loop(net, task, params, state, record)


def graphs(net: nn.Module) -> Sequence[Graph]:
    """One graph: pictures in, labels out."""
    dynamic = {0: "batch", 1: "height", 2: "width"}
    return [
        Graph(
            name="model",
            module=PixelLabels(net).eval(),
            example=lambda batch, height, width: {"image": pictures(batch, height, width)},
            outputs=["prediction"],
            dynamic={"image": dynamic},
            traced=(2, 96, 128),
            probes=[(1, 360, 480), (1, 97, 131), (3, 65, 203), (1, 33, 40), (3, 192, 256)],
        )
    ]
