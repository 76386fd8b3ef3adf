"""The generalised clockwork equation of a state (thesis §3.3, equation 3.1), for recurrent and staged nets.

State, input and output are arrays or a stage's maps, as the functions take and return them. A clock is 0 or 1 for the
whole state, or an array with one value per unit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[Any], Any]
Clock = float | np.ndarray


def identity(value: Any) -> Any:
    """Return `value` unchanged."""
    return value


def advance(
    state: Any,
    given: Any,
    f_input: Function,
    f_hidden: Function,
    f_transition: Function,
    input_clock: Clock,
    hidden_clock: Clock,
) -> Any:
    """Return the next state, y_H(t) = f_T(C_H ⊙ f_H(y_H(t − 1)) + C_I ⊙ f_I(x(t))) (equation 3.1).

    A function whose clock is off is not called, so a stage that does not fire costs nothing. Units with both clocks off
    keep their state, like idle modules of the clockwork RNN; the equation taken literally gives f_T(0).
    """
    hidden, fresh = apply_gate(hidden_clock, f_hidden, state), apply_gate(input_clock, f_input, given)
    if hidden is None and fresh is None:
        return state
    moved = f_transition(fresh if hidden is None else hidden if fresh is None else hidden + fresh)
    idle = np.logical_not(hidden_clock) & np.logical_not(input_clock)
    return np.where(idle, state, moved) if np.any(idle) else moved


def apply_gate(clock: Clock, function: Function, value: Any) -> Any:
    """Return C ⊙ f(x), or None without calling f if the clock is off for all units."""
    if not np.any(clock):
        return None
    found = function(value)
    return found if np.all(clock) else clock * found
