"""Learn to label still pictures: views, losses and scores of chapter 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.data.augmentation import draw_view
from pixelwise.data.masking import mask_image
from pixelwise.data.prepared import PreparedSplit
from pixelwise.errors import DataError, ParamsError
from pixelwise.metrics.confusion import ConfusionMatrix, Scores
from pixelwise.nets.pixel_labeller import assemble_input
from pixelwise.training.loop import Arrays
from pixelwise.training.objectives import compute_class_weights, compute_lovasz_softmax, compute_pixel_loss
from pixelwise.training.params import StillImageParams


@dataclass(frozen=True)
class Head:
    """A label map that the net predicts: the map of the data that it is trained on, and its number of classes."""

    map: str
    classes: int


class StillImageTask:
    """Learn from random views of labelled pictures; score whole pictures.

    inputs: the maps that the net takes, in its order (image, depth, hha). heads: by name; the net's logits hold them
    one after the other, and the score of the first head selects the weights. Raises DataError if the data lacks a map,
    ParamsError if an input would show the masked part of the picture.
    """

    def __init__(
        self,
        train: PreparedSplit,
        val: PreparedSplit,
        params: StillImageParams,
        inputs: Sequence[str] = ("image",),
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        classes = len(train.classes)
        self.inputs, self.heads = tuple(inputs), dict(heads or {"semantic": Head("label", classes)})
        layers = [name for name in (*inputs, *(head.map for head in self.heads.values())) if name not in BASE_MAPS]
        self.train, self.val, self.params = train.with_layers(*layers), val.with_layers(*layers), params
        self.is_summed = params.objective.reduction == "sum"
        pixels = np.sum([row["pixels"] for row in train.rows], axis=0)
        self.weights = compute_class_weights(torch.from_numpy(pixels).float(), params.objective.balance)
        # Rarer than half their even share: the classes whose IU is limited by how seldom they are seen.
        self.rare = np.flatnonzero(pixels < 0.5 * pixels.sum() / classes)
        self.foreground = select_foreground(train.classes.names, params.augment.foreground)
        if params.augment.masking != "none" and self.inputs != ("image",):
            raise ParamsError(
                f"augment.masking {params.augment.masking}: found inputs {', '.join(self.inputs)}, "
                "expected image alone: depth would show what is hidden"
            )

    def __len__(self) -> int:
        return len(self.train)

    def sample(self, seed: int, epoch: int, index: int) -> Arrays:
        """A random view of picture `index`."""
        rng = np.random.default_rng((seed, epoch, index))
        return draw_view(self.read_maps(self.train, index), rng, self.params.augment, self.rare)

    def read_maps(self, split: PreparedSplit, index: int) -> dict[str, np.ndarray]:
        """The picture, masked by the parameters, its label and the required layers."""
        sample, masking = split[index], self.params.augment.masking
        image = mask_image(sample.image, sample.label, masking, self.foreground)
        return {"image": image, "label": sample.label, **sample.layers}

    def loss(self, net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum of the heads' losses (thesis §2.4), and the Lovász loss of the classes if it is enabled."""
        objective = self.params.objective
        logits_by_head = self.split_heads(net(assemble_input({name: batch[name] for name in self.inputs})))
        total = torch.zeros((), device=next(iter(logits_by_head.values())).device)
        for name, logits in logits_by_head.items():
            label = batch[self.heads[name].map]
            weights = self.weights.to(logits.device) if name == "semantic" and objective.balance else None
            total = total + compute_pixel_loss(
                logits,
                label,
                loss=objective.loss,
                reduction=objective.reduction,
                weights=weights,
                sampled_share=objective.sampled_share,
            )
            if objective.lovasz and name == "semantic":
                total = total + objective.lovasz * compute_lovasz_softmax(logits, label, objective.lovasz_samples)
        return total

    def split_heads(self, logits: Tensor) -> dict[str, Tensor]:
        """The logits (N, K, H, W) of each head."""
        logits_by_head = logits.split([head.classes for head in self.heads.values()], dim=1)
        return dict(zip(self.heads, logits_by_head, strict=True))

    def compute_logits(self, net: nn.Module, maps: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """The logits (1, K, H, W) of each head for one picture, whose `maps` are as `read_maps` returns them."""
        device = next(net.parameters()).device
        inputs = {name: torch.from_numpy(maps[name].astype(INPUT_DTYPES[name]))[None] for name in self.inputs}
        return self.split_heads(net(assemble_input({name: values.to(device) for name, values in inputs.items()})))

    @torch.inference_mode()
    def score(self, net: nn.Module) -> dict[str, float]:
        """The four scores over the validation split, and what each further head scores; the first head decides."""
        counts = {name: ConfusionMatrix(head.classes) for name, head in self.heads.items()}
        for index in range(len(self.val)):
            maps = self.read_maps(self.val, index)
            for name, head_logits in self.compute_logits(net, maps).items():
                prediction = head_logits.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
                counts[name].add(maps[self.heads[name].map], prediction)
        scores_by_head = {name: counts[name].scores() for name in self.heads}
        metrics = name_scores(next(iter(scores_by_head.values())))
        if "semantic" in scores_by_head:
            present = counts["semantic"].counts.sum(axis=1) > 0
            if (present & self.foreground).any():
                scores = counts["semantic"].scores(classes=self.foreground)
                metrics["val/foreground_mean_iu"] = scores.mean_iu
        if "geometry" in scores_by_head:
            metrics["val/geometry_accuracy"] = scores_by_head["geometry"].pixel_accuracy
        return metrics


# Maps that every picture has; all others are layers of the data set.
BASE_MAPS = ("image", "label")
# torch has no arithmetic on uint16.
INPUT_DTYPES = {"image": np.uint8, "hha": np.uint8, "depth": np.int32}


def name_scores(scores: Scores) -> dict[str, float]:
    """The scores of thesis §2.4 under the names that every family's runs share, the deciding one first."""
    return {
        "val/mean_iu": scores.mean_iu,
        "val/pixel_accuracy": scores.pixel_accuracy,
        "val/mean_accuracy": scores.mean_accuracy,
        "val/frequency_weighted_iu": scores.frequency_weighted_iu,
    }


def select_foreground(names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Which of the classes `names` count as foreground, (K,) bool: `classes`, or all but the first if it is empty.

    Raises DataError if one of `classes` is unknown.
    """
    for name in classes:
        if name not in names:
            raise DataError(f"foreground: found class {name}, expected one of: {', '.join(names)}")
    return np.array([name in classes if classes else index > 0 for index, name in enumerate(names)])
