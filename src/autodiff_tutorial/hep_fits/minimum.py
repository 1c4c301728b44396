"""A minimum within bounds, by Newton's method with damping."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Minimum(NamedTuple):
    """Where the search ended: `free` marks what is neither fixed nor held by a bound."""

    y: jax.Array
    converged: jax.Array
    n_steps: jax.Array
    residual: jax.Array
    free: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array


def minimize(value, y, lower, upper, max_steps) -> Minimum:
    """Find a minimum of a function of a vector, with exact derivatives.

    A step solves (H + damping D) step = -g for what is free, and is cut off at the bounds. The damping is 0 near the
    minimum; it grows until H + damping D is positive definite and the value falls.
    """
    eps = float(jnp.finfo(y.dtype).eps)
    tolerance = eps**0.5

    def look(y):
        """Return all that a step needs; gradients are in units of 1 / sqrt(H_ii), the width of its parabola."""
        gradient, hvp, f = jax.linearize(lambda y: jax.value_and_grad(value)(y)[::-1], y, has_aux=True)
        hessian = jax.vmap(hvp)(jnp.eye(y.size, dtype=y.dtype))
        slopes = gradient / jnp.sqrt(curvatures(hessian))
        free = ~held(slopes, y)
        return f, gradient, hessian, free, jnp.max(jnp.where(free, abs(slopes), 0))

    def held(slopes, y):
        return (lower == upper) | (y <= lower) & (slopes > tolerance) | (y >= upper) & (slopes < -tolerance)

    def unfinished(state):
        _, (_, _, _, _, slope), _, _, _, k, alive = state
        return ~(slope <= tolerance) & (k <= max_steps) & alive

    def step(state):
        y, here, new, promised, damping, k, _ = state
        there = look(new)
        gain = here[0] - there[0]
        # Near the minimum values are too close to tell, and the slope is asked.
        flat = (abs(gain) <= tolerance * jnp.maximum(1, abs(there[0]))) & (there[4] <= here[4] / 2)
        finite = jnp.isfinite(there[0]) & jnp.all(jnp.isfinite(there[2]))
        better = finite & ((gain > 0) & (gain >= 1e-4 * promised) | flat)
        good = flat | (gain >= promised / 4)
        smaller = jnp.where(good, jnp.where(damping < 1e-3, 0, damping / 10), damping)
        damping = jnp.where(better, smaller, jnp.maximum(10 * damping, 1e-2))
        y = jnp.where(better, new, y)
        here = jax.tree.map(partial(jnp.where, better), there, here)
        f, gradient, hessian, free, _ = here
        delta, damping = _made_positive(hessian, gradient, free, damping)
        new = jnp.clip(y + delta, lower, upper)
        delta = new - y
        promised = -(gradient @ delta) - delta @ hessian @ delta / 2
        return y, here, new, promised, damping, k + 1, jnp.isfinite(f)

    # Before the first look there is nothing that it could not improve on.
    zero, nothing = jnp.zeros((), y.dtype), jnp.zeros((y.size, y.size), y.dtype)
    here = zero + jnp.inf, jnp.zeros_like(y), nothing, lower < upper, zero + jnp.inf
    start = y, here, y, zero, zero, 0, True
    y, (f, gradient, hessian, free, slope), _, _, _, k, _ = jax.lax.while_loop(unfinished, step, start)
    # A saddle is level as well.
    lowest = solved(hessian, free, gradient[:, None])[1] > 0
    converged = (slope <= tolerance) & jnp.isfinite(f) & lowest
    return Minimum(y, converged, k - 1, slope, free, f, gradient, hessian)


def curvatures(hessian):
    """Return the scale of each row of a Hessian: its diagonal, where that is no number to scale with, 1."""
    diagonal = abs(jnp.diagonal(hessian))
    return jnp.where(diagonal > 0, diagonal, 1)


def eliminate(A, B):
    """Solve A X = B without exchanging rows, as a positive definite A allows; return X and the least pivot.

    In place of LAPACK, whose calls for batches can wait for each other forever where JAX runs several at once on few
    cores.
    """
    n = len(A)

    def step(k, state):
        M, least = state
        pivot = M[k, k]
        row = M[k] / pivot
        M = jnp.where(jnp.arange(n)[:, None] == k, row, M - M[:, k, None] * row)
        return M, jnp.minimum(least, pivot)

    M, least = jax.lax.fori_loop(0, n, step, (jnp.concatenate([A, B], axis=1), jnp.full((), jnp.inf, A.dtype)))
    return M[:, n:], least


def solved(hessian, free, B, damping=0.0):
    """Solve for the free parameters, with a Hessian damped on its diagonal; return the least scaled pivot as well."""
    # What is positive semidefinite stays so under rounding.
    damping = damping + 10 * free.size * jnp.finfo(hessian.dtype).eps
    scale = jnp.sqrt(curvatures(hessian))
    both = free[:, None] & free
    scaled = jnp.where(both, hessian / (scale * scale[:, None]), 0)
    scaled += jnp.diag(jnp.where(free, damping, 1).astype(hessian.dtype))
    found, least = eliminate(scaled, jnp.where(free, 1 / scale, 0)[:, None] * B)
    return jnp.where(free, 1 / scale, 0)[:, None] * found, least


@jax.custom_jvp
def inverse(hessian, free):
    """Return the inverse of a Hessian of free parameters, with zeros for the others; NaN if it is singular."""
    found, least = solved(hessian, free, jnp.eye(free.size, dtype=hessian.dtype))
    sound = least > 100 * free.size * jnp.finfo(hessian.dtype).eps
    return jnp.where(sound, (found + found.T) / 2, jnp.nan)


@inverse.defjvp
def _(primals, tangents):
    found = inverse(*primals)
    products = partial(jnp.matmul, precision="highest")
    return found, -products(products(found, tangents[0]), found)


def _made_positive(hessian, gradient, free, damping):
    """Return the step with the least damping, of those tried, that makes the Hessian positive definite."""

    def indefinite(state):
        return ~(state[1] > 0) & (state[3] < 1e12)

    def more(state):
        damping = state[3]
        found, least = solved(hessian, free, gradient[:, None], damping)
        return -found[:, 0], least, damping, jnp.maximum(10 * damping, 1e-2)

    nothing = jnp.zeros_like(damping)
    step, _, damping, _ = jax.lax.while_loop(indefinite, more, (gradient, nothing, nothing, damping))
    return step, damping
