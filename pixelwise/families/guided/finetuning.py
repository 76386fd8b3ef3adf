"""Fine-tuning on the support: the baseline that optimises where guidance only reads (thesis §4.4)."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.families.guided.family import build
from pixelwise.families.guided.measure.categories import Floor, Told
from pixelwise.families.guided.net import FINE, GuidedNet
from pixelwise.families.guided.params import NetworkParams
from pixelwise.families.guided.runtime.session import Features, label
from pixelwise.families.trained import read_description
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.nets.upsampling import upsample_by_products
from pixelwise.params import parse
from pixelwise.training.checkpoints import load_weights

RATE = 1e-3
UNKNOWN = -100


class FineTuning:
    """Foreground–background of a trained guided net, tuned anew to every support by so many `steps` of AdamW.

    The encoder keeps its weights, as it does in training, and norms their statistics. checkpoint: what train wrote.
    Raises ModelError where that is another family's, or a guide without such a scorer.
    """

    def __init__(self, checkpoint: Path, steps: int) -> None:
        self.net, self.steps = load_net(checkpoint), steps

    def __call__(self, support: Sequence[Told]) -> Floor:
        """What labels other pictures after tuning to the annotated `support`."""
        net = self.tuned(support)

        @torch.inference_mode()
        def segment(features: Features) -> np.ndarray:
            return label(logits_of(net, features)[0].numpy())

        return segment

    def tuned(self, support: Sequence[Told]) -> GuidedNet:
        """The net tuned to the annotated `support`; the trained one stays as it was."""
        net = copy.deepcopy(self.net)
        optimiser = torch.optim.AdamW(net.objects.parameters(), lr=RATE)
        for _ in range(self.steps):
            optimiser.zero_grad()
            for features, annotation in support:
                (support_loss(logits_of(net, features), annotation) / len(support)).backward()
            optimiser.step()
        return net


def load_net(checkpoint: Path) -> GuidedNet:
    """The net that train wrote to `checkpoint`, ready to infer. Raises ModelError as FineTuning says."""
    described = read_description(checkpoint)
    if described["family"] != "guided":
        raise ModelError(f"{checkpoint}: found family {described['family']}, expected guided")
    net = build(parse(NetworkParams, described["network"], f"{checkpoint}: network"), 2, pretrained=False)
    if not isinstance(net, GuidedNet):
        raise ModelError(f"{checkpoint}: found {type(net).__name__}, expected a guide by late fusion to fine-tune")
    load_weights(net, checkpoint / WEIGHTS_FILE)
    return net.eval()


def logits_of(net: GuidedNet, features: Features) -> Tensor:
    """Logits (1, 2, H, W) of background and object, by the scorer that is told nothing."""
    scores = net.foreground(torch.from_numpy(features.embedding), torch.from_numpy(features.fine))
    return upsample_by_products(scores, FINE, features.size)


def support_loss(logits: Tensor, annotation: np.ndarray) -> Tensor:
    """Cross-entropy of the annotated pixels; annotation: (2, H, W) in 0–1, negative first."""
    truth = np.where(annotation.any(axis=0), annotation[1] > 0, UNKNOWN).astype(np.int64)
    return F.cross_entropy(logits, torch.from_numpy(truth)[None], ignore_index=UNKNOWN)
