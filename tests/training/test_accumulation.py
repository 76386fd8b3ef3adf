"""Steps of several batches, and of one with heavy momentum: what they add up to, and which learns faster."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.regressions import (
    PARAMS,
    STEPS,
    Dozen,
    KilledError,
    Noise,
    assert_close,
    assert_same,
    train,
    train_plainly,
)
from torch import nn

from pixelwise.training.loop import fit, load_batches
from pixelwise.training.objectives import compute_pixel_loss


@pytest.mark.parametrize("schedule", ["poly", "fixed"])
@pytest.mark.parametrize("is_summed", [False, True])
def test_four_batches_of_one_accumulated_are_one_batch_of_four(tmp_path, is_summed, schedule):
    task = Dozen(is_summed=is_summed)
    at_once, first = train_plainly(tmp_path / "a", task, schedule=schedule)
    in_parts, second = train_plainly(tmp_path / "b", task, batch_size=1, accumulate=4, schedule=schedule)
    assert_close(in_parts, at_once)
    assert [row["learning_rate"] for row in first] == [row["learning_rate"] for row in second]
    share = 4 if is_summed else 1
    assert [share * row["train/loss"] for row in second] == pytest.approx([row["train/loss"] for row in first])


@pytest.mark.parametrize("is_summed", [False, True])
def test_summed_losses_add_and_mean_ones_average_up_to_a_last_step_of_what_is_left(tmp_path, is_summed):
    task = Dozen(is_summed=is_summed)
    changes = {"batch_size": 2, "momentum": 0.0, "weight_decay": 0.0, "schedule": "fixed", "warmup_steps": 0}
    found, _ = train_plainly(tmp_path, task, epochs=1, accumulate=4, **changes)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.from_numpy(np.concatenate([b["x"] for b in load_batches(task, PARAMS, 0, STEPS, 0, 1)]))
    for part in (x[:8], x[8:]):
        loss = task.loss(net, {"x": part})
        for p, gradient in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True):
            p.data -= 0.01 * gradient
    assert_close(found, net)


def test_the_fixed_schedule_keeps_the_rate_after_the_warm_up_and_counts_steps_of_the_optimiser(tmp_path):
    changes = {"schedule": "fixed", "learning_rate": 0.5, "warmup_steps": 5, "batch_size": 1, "accumulate": 6}
    _, history = train_plainly(tmp_path, Dozen(), **changes)
    assert [row["learning_rate"] for row in history] == pytest.approx([0.2, 0.4, 0.5, 0.5])
    _, history = train_plainly(tmp_path / "poly", Dozen(), **{**changes, "schedule": "poly", "warmup_steps": 0})
    expected = [0.5 * (1 - step / 8) ** 0.9 for step in (1, 3, 5, 7)]
    assert [row["learning_rate"] for row in history] == pytest.approx(expected)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kill_at", [1, 4, 8, 11])
def test_sgd_killed_at_any_batch_resumes_to_the_same_weights_and_curves(tmp_path, accumulate, kill_at):
    changes = {"optimiser": "sgd", "learning_rate": 0.05, "bias_rate": 2.0, "accumulate": accumulate}
    expected = train(tmp_path / "whole", **changes)
    with pytest.raises(KilledError):
        train(tmp_path / "killed", Noise(kill_at=kill_at), **changes)
    assert_same(train(tmp_path / "killed", **changes), expected)
    without = train(tmp_path / "without", **changes, momentum=0.0)
    assert not torch.equal(without[0][0].weight, expected[0][0].weight)


@dataclass
class Pictures:
    """Label the pixels of small pictures that show two of four classes, under a light of their own."""

    seed: int
    is_summed = True

    def __post_init__(self):
        self.seen = []

    def __len__(self):
        return 200

    def sample(self, seed, epoch, index):
        rng = np.random.default_rng((self.seed, index))
        label = rng.choice(rng.choice(4, 2, replace=False), (6, 6))
        colours = np.random.default_rng(self.seed).normal(size=(4, 3))
        image = colours[label] + rng.normal(0, 0.5, 3) + rng.normal(0, 0.7, (6, 6, 3))
        return {"image": image.transpose(2, 0, 1).astype(np.float32), "label": label, "index": np.array(index)}

    def loss(self, net, batch):
        self.seen.append(batch["index"].item())
        return compute_pixel_loss(net(batch["image"]), batch["label"], reduction="sum")

    @torch.inference_mode()
    def score(self, net):
        others = [self.sample(0, 0, index) for index in range(1000, 1100)]
        image, label = (torch.from_numpy(np.stack([other[name] for other in others])) for name in ("image", "label"))
        return {"val/score": -compute_pixel_loss(net(image), label).item()}


@pytest.mark.parametrize("seed", [1, 2])
def test_on_the_same_pictures_online_learning_beats_accumulation_and_heavy_momentum_both(tmp_path, seed):
    """Table 2.2 of the thesis in small: summed loss, one rate, and too few pictures to converge."""
    common = {"optimiser": "sgd", "schedule": "fixed", "learning_rate": 1e-5, "weight_decay": 5e-4, "bias_rate": 2.0}
    common |= {"epochs": 2, "batch_size": 1, "warmup_steps": 0, "average_decay": 0.0, "validate_every": 1}
    regimes = {"accum": (20, 0.9), "online": (1, 0.9), "heavy": (1, 0.99)}
    gain, seen = {}, {}
    for name, (accumulate, momentum) in regimes.items():
        task, net = Pictures(seed), nn.Conv2d(3, 4, kernel_size=1)
        for p in net.parameters():
            nn.init.zeros_(p)
        params = PARAMS.model_copy(update={**common, "accumulate": accumulate, "momentum": momentum})
        history = fit(net, task, params, tmp_path / name, lambda row, epoch: None)
        gain[name], seen[name] = math.log(4) + max(row["val/score"] for row in history), task.seen
    assert seen["accum"] == seen["online"] == seen["heavy"]
    assert 0 < 1.1 * gain["accum"] < gain["online"] < gain["heavy"] / 1.1
