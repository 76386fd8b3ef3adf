"""Optimiser, schedule and weight average."""

import pytest
import torch
from torch import nn

from components.learning.optimisers import WeightAverage, adamw, poly_rate, set_rate


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_the_rate_warms_up_linearly_and_falls_to_almost_nothing():
    rates = [poly_rate(step, steps=100, warmup=10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[4] == pytest.approx(0.5 * 0.96**0.9)
    assert rates[10:] == pytest.approx([(1 - step / 100) ** 0.9 for step in range(10, 100)])
    assert max(rates) <= 1
    assert 0 < rates[-1] < 0.02
    assert poly_rate(100, 100, 10) == 0


def test_without_a_warm_up_the_rate_starts_in_full():
    assert poly_rate(0, 100, 0) == 1


def test_setting_the_rate_reaches_every_group():
    optimiser = adamw(small_net(), 1e-3, 0.1)
    set_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]


def test_biases_and_norms_are_not_decayed_and_frozen_weights_are_left_out():
    net = small_net()
    net[0].weight.requires_grad_(False)
    decayed, kept = adamw(net, 1e-3, 0.1).param_groups
    assert decayed["params"] == []
    assert kept["weight_decay"] == 0
    assert [id(p) for p in kept["params"]] == [id(net[0].bias), id(net[1].weight), id(net[1].bias)]
    decayed, _ = adamw(small_net(), 1e-3, 0.1).param_groups
    assert decayed["weight_decay"] == 0.1
    assert [p.ndim for p in decayed["params"]] == [4]


def test_without_a_gradient_decay_shrinks_matrices_only():
    net = small_net()
    before = [p.detach().clone() for p in net.parameters()]
    optimiser = adamw(net, learning_rate=0.1, weight_decay=0.5)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    for p, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(p.detach(), old * 0.95 if p.ndim > 1 else old)


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
