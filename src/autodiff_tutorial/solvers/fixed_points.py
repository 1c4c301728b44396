"""Fixed points by iteration: plain, and sped up by what the last steps tell."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from autodiff_tutorial.linear_maps.checking import checked_size
from autodiff_tutorial.solvers.problems import Solution, largest, problem, relative, tolerances


def picard(
    fn: Callable, y0: Any, *, rtol: float | None = None, atol: float | None = None, max_steps: int = 10_000
) -> Solution:
    r"""Find a fixed point by repeating fn, which has to contract: :math:`y_{k+1} = f(y_k)`.

    With :math:`\delta_k = y_{k+1} - y_k` and :math:`\rho = |\delta_k| / |\delta_{k-1}|`, the way that is left is about
    :math:`\delta_k\, \rho / (1 - \rho)`. It ends when this and :math:`\delta` are at most
    :math:`\mathrm{atol} + \mathrm{rtol}\, |y|`, with the roundings of :math:`\delta` counted in, or at
    :math:`\delta = 0`.

    Parameters
    ----------
    fn : callable
        Takes an array or a pytree, and returns the same structure, shapes and dtype; traceable.
    y0 : array_like or pytree of floats
        Where to start.
    rtol, atol : float, optional
        Tolerances; by default the machine epsilon to the power 2/3: 4e-11 in float64, 2e-5 in float32.
    max_steps : int
        How many steps are taken at most, one call of fn each.

    Returns
    -------
    Solution
        Its `residual` is the largest element of fn(y) - y. Where fn does not contract, it has not converged.

    Raises
    ------
    TypeError, ValueError
        If `y0` is empty or holds other than floats of one dtype, fn returns another structure, or an option is wrong.

    Examples
    --------
    >>> found = picard(jnp.cos, 1.0)
    >>> print(f"{found.y:.4f}", found.converged)
    0.7391 True
    """
    call = "solvers.picard"
    f, y, unravel = problem(call, fn, y0)
    rtol, atol, max_steps = tolerances(call, y.dtype, rtol, atol, max_steps)
    eps = float(jnp.finfo(y.dtype).eps)

    def unfinished(state):
        _, _, left, k = state
        return (left > 1) & (k < max_steps)

    def step(state):
        y, last, _, k = state
        new = f(y)
        delta = new - y
        # Differences are known up to the rounding of what they are taken of: here is the largest ratio they allow.
        size, rounding = jnp.linalg.norm(delta), eps * jnp.linalg.norm(new)
        rho = (size + rounding) / jnp.maximum(last - rounding, 0)
        # Squares of large steps overflow, and a ratio of infinities is no number: then the loop ends.
        slow = jnp.where((rho < 1) & (last < jnp.inf), jnp.maximum(1, rho / (1 - rho)), jnp.inf)
        left = jnp.where(delta.any(), slow * relative(abs(delta) + eps * abs(new), new, rtol, atol), 0)
        left = jnp.where(jnp.isfinite(new).all(), left, jnp.nan)
        return jnp.where(jnp.isnan(left), y, new), size, left, k + 1

    infinity = jnp.asarray(jnp.inf, y.dtype)
    y, _, left, k = jax.lax.while_loop(unfinished, step, (y, infinity, infinity, jnp.asarray(0)))
    residual = largest(f(y) - y)
    return Solution(unravel(y), (left <= 1) & jnp.isfinite(residual), k, residual)


def anderson(
    fn: Callable,
    y0: Any,
    *,
    memory: int = 5,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 200,
) -> Solution:
    r"""Find a fixed point by Anderson's iteration.

    With :math:`g_k = f(y_k) - y_k`, and the last differences of y and g as the columns of :math:`\Delta Y` and
    :math:`\Delta G`,

    .. math:: y_{k+1} = y_k + g_k - (\Delta Y + \Delta G)\, \gamma, \qquad
              \gamma = \arg\min_\gamma |g_k - \Delta G\, \gamma| .

    For one number that is the secant method. It needs no derivative, converges faster than repetition, and often where
    fn does not contract. It ends when :math:`|g| \le \mathrm{atol} + \mathrm{rtol}\, |y|`, elementwise; where fn
    contracts by a factor :math:`\rho` a step, y is off by at most :math:`1 / (1 - \rho)` times that. If the next step
    would be larger than that by a factor of :math:`1 / \sqrt{\mathrm{rtol}}` or more, y runs away, and it has not
    converged. A step costs one call of fn and a least-squares problem of size (n, memory).

    Parameters
    ----------
    fn : callable
        Takes an array or a pytree, and returns the same structure, shapes and dtype; traceable.
    y0 : array_like or pytree of floats
        Where to start.
    memory : int
        How many differences are kept.
    rtol, atol : float, optional
        Tolerances, as in `picard`.
    max_steps : int
        How many steps are taken at most.

    Returns
    -------
    Solution
        Its `residual` is the largest element of fn(y) - y.

    Raises
    ------
    TypeError, ValueError
        As `picard`.

    References
    ----------
    Anderson (1965), Iterative procedures for nonlinear integral equations, J. ACM 12, 547-560; Walker and Ni (2011),
    Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49, 1715-1735.

    Examples
    --------
    >>> found = anderson(jnp.cos, 1.0)
    >>> print(f"{found.y:.4f}", found.n_steps < 8)
    0.7391 True
    """
    call = "solvers.anderson"
    f, y, unravel = problem(call, fn, y0)
    rtol, atol, max_steps = tolerances(call, y.dtype, rtol, atol, max_steps)
    memory = min(checked_size("memory", memory, call), y.size)

    def unfinished(state):
        y, g, *_, k = state
        return (relative(g, y, rtol, atol) > 1) & (k < max_steps)

    def step(state):
        y, g, change, past_y, past_g, k = state
        new = y + change
        new_g = f(new) - new
        # The newest first: a ring would be indexed by k, which under `jax.vmap` is slow to read and to write.
        past_y, past_g = (jnp.stack([d, *past[:-1]]) for d, past in ((new - y, past_y), (new_g - g, past_g)))
        # Not finite: keep y, and end with a g that is NaN.
        good = jnp.all(jnp.isfinite(new_g))
        change = new_g - _best_change(new_g, past_y, past_g)
        return jnp.where(good, new, y), jnp.where(good, new_g, jnp.nan), change, past_y, past_g, k + 1

    past, g = jnp.zeros((memory, y.size), y.dtype), f(y) - y
    y, g, change, _, _, k = jax.lax.while_loop(unfinished, step, (y, g, g, past, past, jnp.asarray(0)))
    residual = largest(f(y) - y)
    near = relative(change, y, rtol, atol) * max(rtol, float(jnp.finfo(y.dtype).eps) ** (2 / 3)) ** 0.5 <= 1
    return Solution(unravel(y), (relative(g, y, rtol, atol) <= 1) & near & jnp.isfinite(residual), k, residual)


def _best_change(g, past_y, past_g):
    """Return (dY + dG) gamma, by Gram and Schmidt from the newest difference to the oldest."""
    # A factorization from a library would do, but many small ones at once can block each other on a CPU of few cores.
    # With dG = Q R, gamma solves R gamma = Q^T g: differences of y are not touched before it is known.
    eps = jnp.finfo(g.dtype).eps
    Q, R, gamma = [], [], []
    for d in past_g:
        column = []
        for q in Q:
            column.append(q @ d)
            d -= column[-1] * q
        size = jnp.linalg.norm(d)
        # What is left of a difference that says nothing new is rounding.
        new = size > 1e3 * eps * jnp.linalg.norm(jnp.stack([*column, size]))
        size = jnp.where(new, size, 1)
        Q.append(jnp.where(new, d / size, 0))
        R.append([*column, size])
    for k in reversed(range(len(Q))):
        later = sum(R[j][k] * factor for j, factor in enumerate(gamma, k + 1))
        gamma.insert(0, (Q[k] @ g - later) / R[k][k])
    return sum(factor * (d_y + d_g) for factor, d_y, d_g in zip(gamma, past_y, past_g, strict=True))
