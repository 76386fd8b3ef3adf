"""Train the learned clock to predict the share of the output that changes between two frames (thesis §3.3.3)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.data.prepared import PreparedSplit
from pixelwise.families.clockwork.change import Change
from pixelwise.families.clockwork.frame_pairs import draw_frame_pairs
from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.params import TrainParams
from pixelwise.nets.pixel_labeller import assemble_input
from pixelwise.progress import progress
from pixelwise.training.devices import make_fabric


@torch.inference_mode()
def observe_pairs(
    net: Clockwork, split: PreparedSplit, pairs: int, seed: int
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Return the clock's inputs for pairs of frames (now, then; (1, C, h, w) each) and the changed shares, (pairs,)."""
    first, device = net.make_stages()[0], next(net.parameters()).device
    features: list[list[Tensor]] = [[], []]
    shares = []
    for pair in progress(draw_frame_pairs(split, pairs, seed), "pairs", total=pairs):
        labels = []
        for image, maps in zip(pair, features, strict=True):
            frame = torch.from_numpy(np.ascontiguousarray(image))[None].to(device)
            maps.append(first(frame)[0].clone())
            labels.append(net(assemble_input({"image": frame})).argmax(dim=1))
        shares.append((labels[0] != labels[1]).float().mean())
    return features[1], features[0], torch.stack(shares)


def teach(clock: Change, now: list[Tensor], then: list[Tensor], share: Tensor, params: TrainParams) -> float:
    """Fit `clock` to the shares, on the device and in the precision of `params`, and return the last loss."""
    fabric = make_fabric(params)
    model, optimiser = fabric.setup(clock, torch.optim.AdamW(clock.parameters(), params.learning_rate))
    rng, loss = np.random.default_rng(params.seed), torch.zeros(())
    for _ in progress(range(params.steps), "clock"):
        index = int(rng.integers(len(now)))
        # Clones, because autograd refuses tensors that were made in inference mode.
        guess = model(now[index].clone(), then[index].clone()).float().clamp(1e-6, 1 - 1e-6)
        loss = F.binary_cross_entropy(guess, share[index : index + 1].clone())
        optimiser.zero_grad()
        fabric.backward(loss)
        optimiser.step()
    return float(loss.detach())
