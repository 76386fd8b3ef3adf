"""Fine-tuning on the support: a baseline that optimises weights, which guidance never changes (thesis §4.4)."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.families.guided.family import build
from pixelwise.families.guided.measure.segmenters import Annotated, Baseline
from pixelwise.families.guided.net import GuidedNet
from pixelwise.families.guided.params import NetworkParams
from pixelwise.families.guided.runtime.guided_model import Features
from pixelwise.families.guided.runtime.working_size import label
from pixelwise.families.guided.two_nets import get_late_net
from pixelwise.families.trained import read_description
from pixelwise.inference.session import Provider
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.params import parse
from pixelwise.training.checkpoints import load_weights
from pixelwise.training.devices import make_fabric
from pixelwise.training.params import DeviceParams

RATE = 1e-3
UNKNOWN = -100


class FineTuning:
    """The foreground–background scorer of a trained guided net, fine-tuned to each support by `steps` of AdamW.

    The encoder's weights and all norm statistics stay fixed. checkpoint: the folder that train wrote. Raises ModelError
    if it is another family's or an early-fusion net, which has no such scorer, ProviderError if the device is missing.
    """

    def __init__(self, checkpoint: Path, steps: int, device: Provider = "auto") -> None:
        self.fabric, self.steps = make_fabric(DeviceParams(device=device)), steps
        self.net = load_net(checkpoint).to(self.fabric.device)

    def __call__(self, support: Sequence[Annotated]) -> Baseline:
        """Return a function that labels other pictures after fine-tuning to the annotated `support`."""
        net = self.tune(support)

        @torch.inference_mode()
        def segment(features: Features) -> np.ndarray:
            return label(compute_logits(net, features)[0].cpu().numpy())

        return segment

    def tune(self, support: Sequence[Annotated]) -> GuidedNet:
        """Return a copy of the net, fine-tuned to the annotated `support`."""
        net = copy.deepcopy(self.net)
        optimiser = self.fabric.setup_optimizers(torch.optim.AdamW(net.objects.parameters(), lr=RATE))
        for _ in range(self.steps):
            optimiser.zero_grad()
            for features, annotation in support:
                self.fabric.backward(compute_support_loss(compute_logits(net, features), annotation) / len(support))
            optimiser.step()
        return net


def load_net(checkpoint: Path) -> GuidedNet:
    """Load the net in `checkpoint` for inference. Raises ModelError as FineTuning does."""
    described = read_description(checkpoint)
    if described["family"] != "guided":
        raise ModelError(f"{checkpoint}: found family {described['family']}, expected guided")
    net = build(parse(NetworkParams, described["network"], f"{checkpoint}: network"), 2, pretrained=False)
    late = get_late_net(net)
    if not isinstance(late, GuidedNet):
        raise ModelError(f"{checkpoint}: found {type(net).__name__}, expected a guide by late fusion to fine-tune")
    load_weights(net, checkpoint / WEIGHTS_FILE)
    return late.eval()


def compute_logits(net: GuidedNet, features: Features) -> Tensor:
    """Return logits (1, 2, H, W) of background and object, by the scorer without guidance."""
    device = next(net.parameters()).device
    maps = (torch.from_numpy(array).to(device) for array in (features.embedding, features.fine))
    scores = net.foreground(*maps)
    return net.enlarge(scores, features.size)


def compute_support_loss(logits: Tensor, annotation: np.ndarray) -> Tensor:
    """Return the cross-entropy of the annotated pixels. annotation: (2, H, W) in 0–1, negative first."""
    truth = np.where(annotation.any(axis=0), annotation[1] > 0, UNKNOWN).astype(np.int64)
    return F.cross_entropy(logits, torch.from_numpy(truth)[None].to(logits.device), ignore_index=UNKNOWN)
