"""Bisection, of many intervals at once."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from autodiff_tutorial.solvers.problems import Solution, described, is_number, largest, problem, relative, tolerances


def bisection(
    fn: Callable,
    lower: Any,
    upper: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 200,
) -> Solution:
    r"""Find where fn changes sign, by halving an interval; for arrays, each element by itself.

    It ends when the interval is at most :math:`\mathrm{atol} + \mathrm{rtol}\, |y|` long, or cannot be halved. Each of
    the about 50 steps costs one call of fn.

    Parameters
    ----------
    fn : callable
        Takes an array or a pytree of floats and returns the same; element i of the result depends on element i alone.
    lower, upper : array_like or pytree of floats
        The ends of the intervals, in this order or the other.
    rtol, atol : float, optional
        Tolerances; by default four machine epsilons.
    max_steps : int
        How many steps are taken at most.

    Returns
    -------
    Solution
        `y` is the middle of the last interval. It has not converged where the ends have the same sign (under
        `jax.jit`, where no error can be raised), where fn is NaN, or at a pole or a jump, where it does not shrink
        (against its values at the ends: a wide bracket hides a small jump).

    Raises
    ------
    TypeError
        If the ends hold other than floats of one dtype, or differ in structure, or fn returns another structure.
    ValueError
        If fn has the same sign at both ends of an interval, an end is not finite, or an option is wrong.

    Examples
    --------
    >>> found = bisection(lambda y: y**2 - jnp.array([2.0, 3.0]), jnp.zeros(2), jnp.full(2, 2.0))
    >>> print(found.y.round(4))
    [1.4142 1.7321]
    """
    call = "solvers.bisection"
    f, a, unravel = problem(call, fn, lower, name="lower")
    upper = jax.tree.map(lambda end: jnp.asarray(end) if is_number(end) else end, upper)
    wanted, got = described(unravel(a)), described(upper)
    if got != wanted:
        raise TypeError(f"`{call}(upper=...)` should be like lower, {wanted}. Got {got}.")
    b = ravel_pytree(upper)[0]
    finest = 4 * float(jnp.finfo(a.dtype).eps)
    rtol, atol, max_steps = tolerances(call, a.dtype, rtol, atol, max_steps, default=finest)
    at_a, at_b = f(a), f(b)
    changes = jnp.isfinite(a) & jnp.isfinite(b) & (jnp.sign(at_a) * jnp.sign(at_b) <= 0)
    _check_ends(call, changes, (a, b, at_a, at_b))
    # Where an end is infinite, a point inside tells how large fn is.
    sizes = [jnp.where(jnp.isfinite(value), abs(value), 0) for value in (at_a, at_b, f(0.6 * a + 0.4 * b))]
    highest = jnp.maximum(*sizes[:2])
    highest = jnp.where(jnp.isfinite(at_a) & jnp.isfinite(at_b), highest, jnp.maximum(highest, sizes[2]))
    b = jnp.where(at_a == 0, a, b)
    a = jnp.where(at_b == 0, b, a)

    def middle_of(a, b):
        return a / 2 + b / 2

    def left_over(a, b):
        y = middle_of(a, b)
        return relative(jnp.where((y == a) | (y == b), 0, b - a), y, rtol, atol)

    def unfinished(state):
        a, b, k, _ = state
        return (left_over(a, b) > 1) & (k < max_steps)

    def step(state):
        a, b, k, defined = state
        middle = middle_of(a, b)
        at_middle = f(middle)
        moves_a, moves_b = (jnp.sign(at_middle) != jnp.sign(other) for other in (at_b, at_a))
        defined &= ~jnp.isnan(at_middle).any()
        return jnp.where(moves_a, middle, a), jnp.where(moves_b, middle, b), k + 1, defined

    a, b, k, defined = jax.lax.while_loop(unfinished, step, (a, b, jnp.asarray(0), True))
    y = middle_of(a, b)
    at_y = f(y)
    # Near a root fn shrinks with the distance, at least as its fourth root, down to rounding; near a jump it does not.
    shrunk = abs(at_y) <= jnp.maximum(2.0 ** (-k / 4), jnp.finfo(y.dtype).eps ** 0.5) * highest
    arrived = (left_over(a, b) <= 1) & (shrunk & jnp.isfinite(at_y)).all()
    return Solution(unravel(y), jnp.all(changes) & defined & arrived, k, largest(at_y))


def _check_ends(call, changes, ends):
    """Raise an error where there are numbers to look at, and an interval without a change of sign between its ends."""
    if isinstance(changes, jax.core.Tracer) or changes.all():
        return
    i = int(jnp.argmin(changes))
    a, b, at_a, at_b = (float(end[i]) for end in ends)
    for name, end in ("lower", a), ("upper", b):
        if not math.isfinite(end):
            raise ValueError(f"`{call}({name}=...)` should be finite. Got {end}.")
    raise ValueError(
        f"`{call}(lower=..., upper=...)` should be points between which fn changes sign. "
        f"Got {at_a:.6g} at {a:.6g} and {at_b:.6g} at {b:.6g}."
    )
