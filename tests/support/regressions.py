"""Regressions that the training loop learns in no time, and trainings of them to compare."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pixelwise.training.loop import fit
from pixelwise.training.params import LoopParams

STEPS = 3
PARAMS = LoopParams(epochs=4, batch_size=4, warmup_steps=2, validate_every=2, device="cpu", average_decay=0.9)


class KilledError(Exception):
    """Stands for a kill."""


@dataclass
class Noise:
    """A regression on seeded noise, with dropout so that torch's own stream matters; `kill_at` counts losses."""

    is_summed = False
    scores: tuple[float, ...] = ()
    kill_at: int = -1
    calls: int = 0
    validations: int = 0

    def __len__(self) -> int:
        return 13

    def sample(self, seed, epoch, index):
        rng = np.random.default_rng((seed, epoch, index))
        return {"x": rng.normal(size=5).astype(np.float32), "index": np.array(index)}

    def loss(self, net, batch):
        if self.calls == self.kill_at:
            raise KilledError
        self.calls += 1
        return (net(batch["x"]) - batch["x"].sum(dim=1, keepdim=True)).square().mean()

    def score(self, net):
        self.validations += 1
        if self.scores:
            return {"val/score": self.scores[self.validations - 1]}
        x = torch.from_numpy(np.random.default_rng(99).normal(size=(20, 5)).astype(np.float32))
        with torch.inference_mode():
            return {"val/score": -(net(x) - x.sum(dim=1, keepdim=True)).square().mean().item()}


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))


def train(state, task=None, record=lambda row, epoch: None, **changes):
    net = linear()
    history = fit(net, task or Noise(), PARAMS.model_copy(update=changes), state, record)
    return net, history


def timeless(history):
    clocked = {"images_per_second", "seconds"}
    return [{key: value for key, value in row.items() if key not in clocked} for row in history]


def assert_same(found, expected):
    assert timeless(found[1]) == timeless(expected[1])
    for name, value in expected[0].state_dict().items():
        assert torch.equal(found[0].state_dict()[name], value), name


@dataclass
class Dozen(Noise):
    """A regression on twelve samples, as many in every batch, whose loss is a mean or a sum over the batch."""

    is_summed: bool = False

    def __len__(self):
        return 12

    def loss(self, net, batch):
        squares = (net(batch["x"]) - batch["x"].sum(dim=1, keepdim=True)).square()
        return squares.sum() if self.is_summed else squares.mean()


def train_plainly(state, task, **changes):
    """SGD on a net without dropout and norms, whose last weights are returned."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    chosen = {"optimiser": "sgd", "learning_rate": 0.01, "average_decay": 0.0, "validate_every": 4} | changes
    history = fit(net, task, PARAMS.model_copy(update=chosen), state, lambda row, epoch: None)
    return net, history


def assert_close(found, expected, tolerance=1e-6):
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=tolerance)
