"""The loop: seeded, resumable at any instant, kept at its best."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.training.loop import BEST_FILE, STATE_FILE, fit, load_batches
from pixelwise.training.objectives import compute_pixel_loss
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def test_the_same_seed_gives_the_same_weights_and_curves_and_another_seed_gives_others(whole, tmp_path):
    assert_same(train(tmp_path / "again"), whole)
    other, _ = train(tmp_path / "other", seed=1)
    assert not torch.equal(other[0].weight, whole[0][0].weight)


def test_the_number_of_loader_threads_changes_nothing(whole, tmp_path):
    assert_same(train(tmp_path, loader_threads=1), whole)


def test_training_lowers_the_loss(tmp_path):
    _, history = train(tmp_path, epochs=20, learning_rate=0.05)
    assert history[-1]["train/loss"] < 0.7 * history[0]["train/loss"]


@pytest.mark.parametrize("kill_at", range(0, 4 * STEPS, 2))
def test_a_training_killed_at_any_step_resumes_to_the_same_weights_and_curves(whole, tmp_path, kill_at):
    with pytest.raises(KilledError):
        train(tmp_path, Noise(kill_at=kill_at))
    task = Noise()
    assert_same(train(tmp_path, task), whole)
    assert task.calls == 4 * STEPS - kill_at // STEPS * STEPS, "it began again at an epoch already finished"


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_training_killed_as_an_epoch_ends_resumes_to_the_same_weights_and_curves(whole, tmp_path, epoch):
    def kill(row, finished):
        if finished == epoch:
            raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path, record=kill)
    assert_same(train(tmp_path), whole)


def test_a_training_killed_twice_resumes_to_the_same_weights(whole, tmp_path):
    for kill_at in (4, 4):
        with pytest.raises(KilledError):
            train(tmp_path, Noise(kill_at=kill_at))
    assert_same(train(tmp_path), whole)


def test_a_finished_state_gives_its_result_again_without_a_step(whole, tmp_path):
    train(tmp_path)
    task = Noise()
    assert_same(train(tmp_path, task), whole)
    assert task.calls == task.validations == 0


def test_a_damaged_state_is_an_error_of_one_line(tmp_path):
    train(tmp_path)
    file = tmp_path / STATE_FILE
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ModelError, match=STATE_FILE):
        train(tmp_path)


def test_every_epoch_is_recorded_once_with_the_metrics_of_its_row(tmp_path):
    recorded = []
    _, history = train(tmp_path, record=lambda row, epoch: recorded.append({"epoch": epoch, **row}))
    assert recorded == history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert ["val/score" in row for row in history] == [False, True, False, True]
    # What was recorded before a kill may not have reached the store.
    resumed = []
    train(tmp_path, record=lambda row, epoch: resumed.append({"epoch": epoch, **row}))
    assert resumed == history
    assert all(row["images_per_second"] > 0 and row["learning_rate"] > 0 for row in history)
    assert [row["images_per_second"] * row["seconds"] for row in history] == pytest.approx([STEPS * 4] * 4)


def test_it_stops_when_validations_no_longer_improve_and_a_resumed_run_stops_there_too(tmp_path):
    scores = (0.1, 0.5, 0.4, 0.5, 0.3, 0.9)
    task = Noise(scores=scores)
    net, history = train(tmp_path, task, epochs=20, validate_every=1, patience=3)
    assert [row["val/score"] for row in history] == list(scores[:5])
    again = Noise()
    assert_same(train(tmp_path, again, epochs=20, validate_every=1, patience=3), (net, history))
    assert again.calls == 0


def test_the_best_averaged_weights_are_returned_not_the_last(tmp_path):
    class Keeping(Noise):
        def score(self, net):
            seen.append({name: value.clone() for name, value in net.state_dict().items()})
            return super().score(net)

    seen = []
    net, _ = train(tmp_path, Keeping(scores=(0.1, 0.9, 0.2, 0.9)), validate_every=1)
    assert all(torch.equal(value, seen[1][name]) for name, value in net.state_dict().items())
    assert not torch.equal(seen[1]["0.weight"], seen[3]["0.weight"])


def test_the_last_epoch_is_scored_whatever_the_rhythm(tmp_path):
    _, history = train(tmp_path, validate_every=3)
    assert ["val/score" in row for row in history] == [False, False, True, True]


def all_batches(params, rank=0, world=1, epoch=0):
    steps = max(1, 13 // (params.batch_size * world))
    return [
        {k: v.copy() for k, v in batch.items()} for batch in load_batches(Noise(), params, epoch, steps, rank, world)
    ]


def test_batches_are_the_same_whatever_the_number_of_threads():
    one, three = (all_batches(PARAMS.model_copy(update={"loader_threads": n})) for n in (1, 3))
    assert len(one) == STEPS
    for a, b in zip(one, three, strict=True):
        assert a["x"].shape == (4, 5)
        assert all(np.array_equal(a[name], b[name]) for name in ("x", "index"))


def test_an_epoch_shows_no_sample_twice_and_the_next_one_another_order():
    first, second = (np.concatenate([b["index"] for b in all_batches(PARAMS, epoch=epoch)]) for epoch in (0, 1))
    assert len(set(first)) == len(first) == 12
    assert first.tolist() != second.tolist()


def test_processes_share_an_epoch_without_overlap():
    params = PARAMS.model_copy(update={"batch_size": 3})
    shares = [np.concatenate([b["index"] for b in all_batches(params, rank, world=2)]) for rank in (0, 1)]
    assert [len(share) for share in shares] == [6, 6]
    assert not set(shares[0]) & set(shares[1])
    assert len(set(shares[0]) | set(shares[1])) == 12


def test_a_split_smaller_than_a_batch_still_fills_one():
    (batch,) = all_batches(PARAMS.model_copy(update={"batch_size": 20}))
    assert len(batch["index"]) == 20
    assert set(batch["index"]) == set(range(13))


def test_an_error_in_a_loader_thread_reaches_the_caller(tmp_path):
    class Broken(Noise):
        def sample(self, seed, epoch, index):
            raise ModelError("sample 7: broken")

    with pytest.raises(ModelError, match="sample 7: broken"):
        train(tmp_path, Broken())


def test_a_score_that_is_not_a_number_is_no_best(tmp_path):
    net, _ = train(tmp_path, Noise(scores=(0.1, math.nan)), epochs=4)
    assert (tmp_path / BEST_FILE).exists()
    assert all(p.isfinite().all() for p in net.parameters())


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
