"""A minimum within bounds, by Newton's method with damping."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from autodiff_tutorial.hep_fits.structure import curvatures, dense, flat
from autodiff_tutorial.solvers.problems import largest


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


def minimize(value, y, lower, upper, max_steps, structure=None, damping=0.0) -> Minimum:
    """Find a minimum of a function of a vector, with exact derivatives.

    A step solves (H + damping D) step = -g for what is free, and is cut off at the bounds. The damping is 0 near the
    minimum; it grows until H + damping D is positive definite and the value falls.

    With y of shape (p, n), and as many values, n searches go side by side; each is as it would be alone. The Hessian
    is that of its `structure`, by default dense.
    """
    structure = dense(len(y)) if structure is None else structure
    eps = float(jnp.finfo(y.dtype).eps)
    tolerance = eps**0.5
    lanes = y.shape[1:]

    def look(y):
        """Return all that a step needs; gradients are in units of 1 / sqrt(H_ii), the width of its parabola."""

        def slope(y):
            f, pull = jax.vjp(value, y)
            return pull(jnp.ones_like(f))[0], f

        gradient, hvp, f = jax.linearize(slope, y, has_aux=True)
        hessian = structure.products(hvp, y)
        slopes = gradient / jnp.sqrt(curvatures(structure.diagonal(hessian)))
        free = ~held(slopes, y)
        return f, gradient, hessian, free, largest(jnp.where(free, slopes, 0), axis=0)

    def held(slopes, y):
        return (lower == upper) | (y <= lower) & (slopes > tolerance) | (y >= upper) & (slopes < -tolerance)

    def unfinished(state):
        _, (_, _, _, _, slope), _, _, _, k, alive = state
        return ~(slope <= tolerance) & (k <= max_steps) & alive

    def step(state):
        y, here, new, promised, damping, k, alive = state
        going = unfinished(state)
        there = look(new)
        gain = here[0] - there[0]
        # Near the minimum values are too close to tell, and the slope is asked.
        level = (abs(gain) <= tolerance * jnp.maximum(1, abs(there[0]))) & (there[4] <= here[4] / 2)
        finite = jnp.isfinite(there[0]) & jnp.all(jnp.isfinite(there[2]), axis=0)
        better = finite & ((gain > 0) & (gain >= 1e-4 * promised) | level)
        good = level | (gain >= promised / 4)
        smaller = jnp.where(good, jnp.where(damping < 1e-3, 0, damping / 10), damping)
        tried = jnp.where(better, smaller, jnp.maximum(10 * damping, 1e-2))
        # What has finished stays as it is while others go on.
        better &= going
        y = jnp.where(better, new, y)
        here = jax.tree.map(partial(jnp.where, better), there, here)
        f, gradient, hessian, free, _ = here
        delta, tried = _made_positive(structure, hessian, gradient, free, tried)
        new = jnp.clip(y + delta, lower, upper)
        delta = new - y
        promised = -jnp.sum(gradient * delta, axis=0) - structure.quadratic(hessian, delta) / 2
        damping = jnp.where(going, tried, damping)
        return y, here, new, promised, damping, k + going, jnp.where(going, jnp.isfinite(f), alive)

    # Before the first look there is nothing that it could not improve on.
    zero = jnp.zeros(lanes, y.dtype)
    nothing = jnp.zeros((structure.seeds.size, *lanes), y.dtype)
    here = zero + jnp.inf, jnp.zeros_like(y), nothing, jnp.broadcast_to(lower < upper, y.shape), zero + jnp.inf
    start = y, here, y, zero, zero + damping, jnp.zeros(lanes, int), jnp.ones(lanes, bool)
    state = jax.lax.while_loop(lambda state: jnp.any(unfinished(state)), step, start)
    y, (f, gradient, hessian, free, slope), _, _, _, k, _ = state
    # A saddle is level as well. What is flat may have a curvature of either sign from what is left of the slope.
    lowest = structure.solve(hessian, free, gradient[:, None])[1] > -tolerance
    converged = (slope <= tolerance) & jnp.isfinite(f) & lowest
    return Minimum(y, converged, k - 1, slope, free, f, gradient, hessian)


def no_lower(value, lowest):
    """Tell whether a value is no lower than the lowest, but for rounding; else that was a local minimum only."""
    return value - lowest > -(jnp.finfo(value.dtype).eps ** 0.5) * jnp.maximum(1, abs(lowest))


@jax.custom_jvp
def inverse(hessian, free, slope):
    """Return the inverse of a Hessian of free parameters, with zeros for the others; NaN if it is singular.

    The slope that is left, in the units of `minimize`, is about what the curvature may be off by.
    """
    n = free.size
    found, least = dense(n).solve(hessian.reshape(n**2), free, jnp.eye(n, dtype=hessian.dtype))
    return jnp.where(least > flat(hessian, n, slope), (found + found.T) / 2, jnp.nan)


@inverse.defjvp
def _(primals, tangents):
    found = inverse(*primals)
    products = partial(jnp.matmul, precision="highest")
    return found, -products(products(found, tangents[0]), found)


def _made_positive(structure, hessian, gradient, free, damping):
    """Return the step with the least damping, of those tried, that makes the Hessian positive definite."""

    def indefinite(state):
        return ~(state[1] > 0) & (state[2] < 1e12)

    def more(state):
        step, least, damping, tried = state
        still = indefinite(state)
        found, pivot = structure.solve(hessian, free, gradient[:, None], tried)
        step, least = jnp.where(still, -found[:, 0], step), jnp.where(still, pivot, least)
        return step, least, jnp.where(still, tried, damping), jnp.maximum(10 * tried, 1e-2)

    start = gradient, jnp.zeros_like(damping), jnp.zeros_like(damping), damping
    step, _, damping, _ = jax.lax.while_loop(lambda state: jnp.any(indefinite(state)), more, start)
    return step, damping
