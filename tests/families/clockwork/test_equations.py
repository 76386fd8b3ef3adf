"""The generalised clockwork equations recover the three networks of thesis table 3.2."""

import numpy as np
import torch

from pixelwise.families.clockwork.runtime.equations import advance, identity

STEPS, INPUTS, UNITS = 12, 5, 8


def test_with_all_clocks_on_it_is_the_simple_recurrent_net():
    torch.manual_seed(0)
    net = torch.nn.RNN(INPUTS, UNITS, nonlinearity="tanh", bias=False).double()
    given = torch.randn(STEPS, INPUTS, dtype=torch.float64)
    expected = net(given)[0].detach().numpy()
    inward, hidden = net.weight_ih_l0.detach().numpy(), net.weight_hh_l0.detach().numpy()
    state = np.zeros(UNITS)
    for x, wanted in zip(given.numpy(), expected, strict=True):
        state = advance(state, x, lambda x: inward @ x, lambda y: hidden @ y, np.tanh, 1, 1)
        np.testing.assert_allclose(state, wanted, rtol=0, atol=1e-12)


def test_with_exponential_clocks_it_is_the_clockwork_recurrent_net_whose_idle_modules_hold():
    rng = np.random.default_rng(0)
    periods = np.array([1, 1, 2, 2, 4, 4, 8, 8])
    inward, hidden = rng.normal(size=(UNITS, INPUTS)), rng.normal(size=(UNITS, UNITS)) / 3
    # A module is connected to itself and all slower ones.
    hidden *= periods[None] >= periods[:, None]
    found = expected = rng.normal(size=UNITS)
    for t in range(STEPS):
        x, clock = rng.normal(size=INPUTS), (t % periods == 0).astype(float)
        found = advance(found, x, lambda x: inward @ x, lambda y: hidden @ y, np.tanh, clock, clock)
        # Independently: module by module, as Koutník et al. write it.
        after = expected.copy()
        for unit in range(UNITS):
            if t % periods[unit] == 0:
                after[unit] = np.tanh(sum(hidden[unit, k] * expected[k] for k in range(UNITS)) + inward[unit] @ x)
        expected = after
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_with_one_clock_and_its_counter_clock_it_computes_or_caches():
    calls = []

    def layers(x):
        calls.append(x)
        return np.maximum(x - 1, 0)

    state = np.zeros(3)
    for t in range(6):
        fires = float(t % 3 == 0)
        state = advance(state, np.full(3, t), layers, identity, identity, fires, 1 - fires)
        assert np.array_equal(state, np.full(3, max(3 * (t // 3) - 1, 0)))
    # What does not fire is not computed at all.
    assert [int(x[0]) for x in calls] == [0, 3]
