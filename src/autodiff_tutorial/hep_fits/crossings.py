"""Where a rising function of one number crosses zero, by Newton's method within a bracket."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Crossing(NamedTuple):
    """Where the search ended; `at_limit` if the function is still below zero at the limit, and x is that."""

    x: jax.Array
    y: Any
    converged: jax.Array
    at_limit: jax.Array


def crossing(function, x, limit, y, max_steps=60) -> Crossing:
    """Find x from 0 to limit with h(x) = 0, for a function that rises from h(0) < 0.

    `function(x, y)` returns h, its slope, y for the next call, and whether that is to be trusted.
    """
    tolerance = jnp.finfo(x.dtype).eps ** 0.5

    def unfinished(state):
        return ~state[-1] & (state[-2] < max_steps)

    def step(state):
        x, low, high, y, _, _, k, _ = state
        h, slope, y, sound = function(x, y)
        low, high = jnp.where(h < 0, x, low), jnp.where(h < 0, high, x)
        newton = x - h / slope
        middle = jnp.where(jnp.isinf(high), 2 * x, (low + high) / 2)
        new = jnp.minimum(jnp.where((newton > low) & (newton < high), newton, middle), limit)
        # Of large counts, rounding moves h by more than that, and the bracket closes first.
        found = (abs(h) <= tolerance) | (abs(h) <= tolerance**0.5) & (high - low <= tolerance * x)
        stuck = (h < 0) & (x >= limit)
        return jnp.where(found | stuck, x, new), low, high, y, found & sound, stuck & sound, k + 1, found | stuck

    no = jnp.asarray(False)
    start = jnp.minimum(x, limit), jnp.zeros_like(x), jnp.full_like(x, jnp.inf), y, no, no, 0, no
    x, _, _, y, found, stuck, _, _ = jax.lax.while_loop(unfinished, step, start)
    return Crossing(x, y, found | stuck, stuck)
