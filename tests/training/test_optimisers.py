"""Optimiser, schedule and weight average."""

import math

import pytest
import torch
from torch import Tensor, nn

from pixelwise.training.checkpoints import flatten_optimiser, load_tensors, restore_optimiser, save_tensors
from pixelwise.training.optimisers import (
    WeightAverage,
    compute_equivalent_momentum,
    compute_poly_factor,
    compute_warmup_factor,
    make_adamw,
    make_sgd,
    set_learning_rate,
)


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_the_rate_warms_up_linearly_and_falls_to_almost_nothing():
    rates = [compute_poly_factor(step, steps=100, warmup=10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[4] == pytest.approx(0.5 * 0.96**0.9)
    assert rates[10:] == pytest.approx([(1 - step / 100) ** 0.9 for step in range(10, 100)])
    assert max(rates) <= 1
    assert 0 < rates[-1] < 0.02
    assert compute_poly_factor(100, 100, 10) == 0


def test_without_a_warm_up_the_rate_starts_in_full():
    assert compute_poly_factor(0, 100, 0) == 1


def test_after_the_warm_up_the_fixed_rate_stays():
    rates = [compute_warmup_factor(step, warmup=4) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 7)
    assert compute_warmup_factor(0, warmup=0) == 1


def test_setting_the_rate_reaches_every_group():
    optimiser = make_adamw(small_net(), 1e-3, 0.1)
    set_learning_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]


def test_biases_and_norms_are_not_decayed_and_frozen_weights_are_left_out():
    net = small_net()
    net[0].weight.requires_grad_(False)
    decayed, kept = make_adamw(net, 1e-3, 0.1).param_groups
    assert decayed["params"] == []
    assert kept["weight_decay"] == 0
    assert [id(p) for p in kept["params"]] == [id(net[0].bias), id(net[1].weight), id(net[1].bias)]
    decayed, _ = make_adamw(small_net(), 1e-3, 0.1).param_groups
    assert decayed["weight_decay"] == 0.1
    assert [p.ndim for p in decayed["params"]] == [4]


def test_without_a_gradient_decay_shrinks_matrices_only():
    net = small_net()
    before = [p.detach().clone() for p in net.parameters()]
    optimiser = make_adamw(net, learning_rate=0.1, weight_decay=0.5)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    for p, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(p.detach(), old * 0.95 if p.ndim > 1 else old)


def learn(net: nn.Module, optimiser: torch.optim.Optimizer, steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        net(torch.randn(2, 3, 8, 8, generator=generator)).square().sum().backward()
        optimiser.step()


def test_sgd_follows_its_formula_with_biases_at_their_own_rate_and_not_decayed():
    rate, momentum, decay, bias_rate = 0.1, 0.9, 0.01, 2.0
    net = nn.Linear(3, 2)
    optimiser = make_sgd(net, rate, momentum, decay, bias_rate)
    weight, bias = (p.detach().clone() for p in (net.weight, net.bias))
    slopes = torch.zeros_like(weight), torch.zeros_like(bias)
    for step in range(5):
        gradients = torch.full_like(weight, 1.0 + step), torch.full_like(bias, 2.0 - step)
        net.weight.grad, net.bias.grad = (g.clone() for g in gradients)
        optimiser.step()
        slopes = (momentum * slopes[0] + gradients[0] + decay * weight, momentum * slopes[1] + gradients[1])
        weight, bias = weight - rate * slopes[0], bias - bias_rate * rate * slopes[1]
    torch.testing.assert_close(net.weight.detach(), weight)
    torch.testing.assert_close(net.bias.detach(), bias)


def test_sgd_moves_norms_at_the_plain_rate_without_decay_and_leaves_frozen_weights_out():
    net = nn.Sequential(*small_net(), nn.Conv2d(4, 4, 1))
    net[0].weight.requires_grad_(False)
    net[0].bias.requires_grad_(False)
    weights, scales, biases = make_sgd(net, 0.5, 0.9, 0.1, 2.0).param_groups
    assert [id(p) for p in weights["params"]] == [id(net[2].weight)]
    assert [id(p) for p in scales["params"]] == [id(net[1].weight)]
    assert [id(p) for p in biases["params"]] == [id(net[1].bias), id(net[2].bias)]
    assert [group["weight_decay"] for group in (weights, scales, biases)] == [0.1, 0, 0]
    assert [group["lr"] for group in (weights, scales, biases)] == [0.5, 0.5, 1.0]


def test_setting_the_rate_keeps_the_multiple_of_biases():
    optimiser = make_sgd(small_net(), 0.5, 0.9, 0.1, 2.0)
    for rate in (0.25, 0.125):
        set_learning_rate(optimiser, rate)
        assert [group["lr"] for group in optimiser.param_groups] == [rate, rate, 2 * rate]


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_sgd_put_back_goes_on_to_the_same_weights_with_its_momentum(tmp_path, momentum):
    nets = [small_net(), small_net()]
    optimisers = [make_sgd(net, 1e-4, momentum, 0.01, 2.0) for net in nets]
    learn(nets[0], optimisers[0], steps=3, seed=0)
    save_tensors(tmp_path / "o", flatten_optimiser(optimisers[0]))
    nets[1].load_state_dict(nets[0].state_dict())
    restore_optimiser(optimisers[1], load_tensors(tmp_path / "o")[0])
    for net, optimiser in zip(nets, optimisers, strict=True):
        learn(net, optimiser, steps=2, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))
    assert bool(flatten_optimiser(optimisers[1])) == (momentum > 0)


def last_step(momentum: float, batch_size: int, examples: int) -> Tensor:
    """What each example adds to the last step, the latest first: the loss of example i is the parameter's entry i."""
    net = nn.Linear(examples, 1, bias=False).double()
    optimiser = make_sgd(net, 1.0, momentum, 0.0, 1.0)
    for batch in torch.arange(examples).split(batch_size):
        before = net.weight.detach().clone()
        optimiser.zero_grad()
        net.weight[0, batch].sum().backward()
        optimiser.step()
    return (before - net.weight.detach())[0].flip(0)


@pytest.mark.parametrize(("momentum", "batch_size"), [(0.9, 20), (0.5, 4), (0.9, 1)])
def test_a_step_holds_the_example_before_the_last_by_momentum_to_the_batches_since(momentum, batch_size):
    found = last_step(momentum, batch_size, examples=200)
    expected = [momentum ** (j // batch_size) for j in range(200)]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("new_batch_size", [1, 2, 10])
def test_the_equivalent_momentum_gives_the_same_impulse_response_wherever_a_batch_ends(new_batch_size):
    other = compute_equivalent_momentum(0.9, 20, new_batch_size)
    batched, online = last_step(0.9, 20, examples=400), last_step(other, new_batch_size, examples=400)
    assert batched[::20].tolist() == pytest.approx(online[::20].tolist(), abs=1e-9)
    # Between the ends of batches the floor holds an example longer, by at most one batch's momentum.
    ratios = online / batched
    assert ratios.max() <= 1 + 1e-9
    assert ratios.min() > 0.9


def test_under_a_constant_gradient_the_equivalent_momentum_takes_about_the_same_steps():
    batched, online = (last_step(p, k, examples=2000).sum().item() for p, k in [(0.9, 20), (0.9 ** (1 / 20), 1)])
    assert batched == pytest.approx(20 / (1 - 0.9), rel=1e-3)
    assert online == pytest.approx(batched, rel=0.06)


def test_the_thesis_momenta_are_equivalent_to_its_batches():
    assert compute_equivalent_momentum(0.9, 20, 1) == pytest.approx(0.9947, abs=1e-4)
    assert compute_equivalent_momentum(0.9, math.log(0.9) / math.log(0.99), 1) == pytest.approx(0.99)
    assert math.log(0.9) / math.log(0.99) == pytest.approx(10.5, abs=0.05)
    assert compute_equivalent_momentum(0.9, 7, 7) == 0.9
    assert compute_equivalent_momentum(compute_equivalent_momentum(0.9, 20, 1), 1, 20) == pytest.approx(0.9)


def test_the_average_follows_its_formula_and_copies_counters():
    net = small_net()
    average = WeightAverage(net, decay=0.8)
    expected = net[0].weight.detach().clone()
    for step in range(40):
        with torch.no_grad():
            net[0].weight.add_(1.0)
            net[1].running_mean.add_(1.0)
            net[1].num_batches_tracked.add_(1)
        average.update(net, step)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    torch.testing.assert_close(average.net[0].weight, expected)
    assert 30 < average.net[1].running_mean[0] < 40
    assert average.net[1].num_batches_tracked == 40


def test_the_average_neither_learns_nor_shares_memory_with_the_net():
    net = small_net()
    average = WeightAverage(net, decay=0.9)
    assert not average.net.training
    assert not any(p.requires_grad for p in average.net.parameters())
    assert all(p.requires_grad for p in net.parameters())
    nn.init.zeros_(net[0].weight)
    assert average.net[0].weight.any()
