"""Newton's method: for roots, and for minima, by products with the derivative only."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from autodiff_tutorial.solvers.linear_systems import linear_method, solved
from autodiff_tutorial.solvers.problems import Solution, largest, problem, relative, tolerances


def newton(
    fn: Callable,
    y0: Any,
    *,
    linear_solve: str | Callable = "gmres",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 50,
) -> Solution:
    r"""Find a root of fn by Newton's method.

    .. math:: y_{k+1} = y_k + \delta_k, \qquad \partial f(y_k)\, \delta_k = -f(y_k) .

    It ends when :math:`|\delta| \le \mathrm{atol} + \mathrm{rtol}\, |y|`, elementwise; as convergence is quadratic, the
    error is then far smaller. At a root where the derivative is singular, steps only halve: that is told by their
    ratios, and counts as not converged, unless the start is such a root. A step costs a linearization of fn and a
    linear system.

    Parameters
    ----------
    fn : callable
        Takes an array or a pytree, and returns the same structure, shapes and dtype; traceable and linearizable, so
        without a `while_loop` whose length depends on y, or `jax.custom_vjp`.
    y0 : array_like or pytree of floats
        Where to start.
    linear_solve : str or callable
        As in `solve_linear`.
    rtol, atol : float, optional
        Tolerances; by default the machine epsilon to the power 2/3: 4e-11 in float64, 2e-5 in float32.
    max_steps : int
        How many steps are taken at most.

    Returns
    -------
    Solution
        Where a step is not finite, `y` is the last iterate before it. Where the system of the last step is not solved
        to a tenth, it has not converged.

    Raises
    ------
    TypeError, ValueError
        If `y0` is empty or holds other than floats of one dtype, fn returns another structure, or an option is wrong.

    Examples
    --------
    >>> found = newton(lambda y: y**3 - 2, 1.0)
    >>> print(f"{found.y:.5f}", found.converged)
    1.25992 True
    """
    call = "solvers.newton"
    f, y, unravel = problem(call, fn, y0)
    rtol, atol, max_steps = tolerances(call, y.dtype, rtol, atol, max_steps)
    # Steps that are right to a few digits converge nearly as fast, and cost far fewer products.
    solve = linear_method(call, linear_solve, y.size, float(jnp.finfo(y.dtype).eps) ** 0.25)

    def unfinished(state):
        _, _, size, _, k, sound = state
        return (size > 1) & (k < max_steps) & sound

    def step(state):
        y, last, _, halvings, k, _ = state
        value, matvec = jax.linearize(f, y)
        delta = solve(matvec, -value)
        finite = jnp.all(jnp.isfinite(y + delta))
        new = jnp.where(finite, y + delta, y)
        size, last_size = (relative(change, new, rtol, atol) for change in (delta, last))
        crept, halvings = _creeping(size, last_size, halvings)
        # A step is short at the solution, and where its system is not solved.
        found = jax.lax.cond(size <= 1, lambda: solved(matvec(delta), -value, 0.1), lambda: jnp.asarray(True))
        return new, delta, size, halvings, k + 1, finite & found & ~crept

    infinity = jnp.asarray(jnp.inf, y.dtype)
    start = y, jnp.full_like(y, jnp.inf), infinity, 0, jnp.asarray(0), True
    y, _, size, _, k, sound = jax.lax.while_loop(unfinished, step, start)
    residual = largest(f(y))
    return Solution(unravel(y), (size <= 1) & sound & jnp.isfinite(residual), k, residual)


def _creeping(size, last_size, halvings):
    """Tell whether steps have ended that only halved, as they do where the derivative is singular; count them."""
    # Rounding may end abruptly what halving began, so the ratios before the last count as well.
    ratio = size / last_size
    halved = (ratio > 0.45) & (ratio < 1)
    return (size <= 1) & (halved | (halvings >= 3)), jnp.where(halved, halvings + 1, 0)


def newton_cg(
    fn: Callable, y0: Any, *, rtol: float | None = None, atol: float | None = None, max_steps: int = 100
) -> Solution:
    r"""Find a local minimum of a scalar function by Newton's method, its systems solved by conjugate gradients.

    .. math:: y_{k+1} = y_k + t \delta_k, \qquad \nabla^2 f(y_k)\, \delta_k = -\nabla f(y_k) .

    Where :math:`\delta` does not point downhill, it is replaced by :math:`-\nabla f`; t is 1, or halved until f falls
    by at least :math:`10^{-4}` of what its slope promises, or, where values are too close to tell, until the slope is
    at most half as steep. It ends when :math:`|\delta| \le \mathrm{atol} + \mathrm{rtol}\, |y|` for a Newton step,
    elementwise. A step costs up to n Hessian-vector products. On its way down it may stop at a saddle that it meets
    exactly; at a maximum it has not converged.

    Parameters
    ----------
    fn : callable
        Takes an array or a pytree of floats, and returns one number in the same dtype; twice differentiable.
    y0 : array_like or pytree of floats
        Where to start.
    rtol, atol : float, optional
        Tolerances, as in `newton`.
    max_steps : int
        How many steps are taken at most.

    Returns
    -------
    Solution
        Its `residual` is the largest element of the gradient.

    Raises
    ------
    TypeError, ValueError
        As `newton`, or if fn returns more than one number.

    Examples
    --------
    >>> found = newton_cg(lambda y: (y[0] - 1) ** 2 + (y[0] - y[1]) ** 4 + y[1] ** 2, jnp.zeros(2))
    >>> print(f"{found.y[0]:.3f} {found.y[1]:.3f}", found.converged)
    0.750 0.250 True
    """
    call = "solvers.newton_cg"
    f, y, unravel = problem(call, fn, y0, scalar=True)
    rtol, atol, max_steps = tolerances(call, y.dtype, rtol, atol, max_steps)
    eps = float(jnp.finfo(y.dtype).eps)
    solve = linear_method(call, "cg", y.size, eps**0.25)

    def unfinished(state):
        _, _, size, _, k, sound, _ = state
        return (size > 1) & (k < max_steps) & sound

    def step(state):
        y, last, _, halvings, k, _, highest = state
        value = f(y)
        highest = jnp.maximum(highest, abs(value))
        gradient, matvec = jax.linearize(jax.grad(f), y)
        # Where the gradient is zero, a minimum curves upwards in any direction: here is one.
        level = jnp.all(gradient == 0)
        delta = jnp.where(level, jnp.cos(jnp.arange(y.size, dtype=y.dtype)), solve(matvec, -gradient))
        upwards = delta @ matvec(delta) > 0
        downhill = upwards & (level | (gradient @ delta < 0))
        delta = jnp.where(level, 0, jnp.where(downhill, delta, -gradient))
        slope = gradient @ delta

        def too_long(t):
            there, gradient_there = jax.value_and_grad(f)(y + t * delta)
            enough = there <= value + 1e-4 * t * slope + 4 * eps * abs(value)
            # Near the minimum f is flat to the rounding of its terms, and its differences tell nothing.
            flat = abs(there - value) <= eps**0.5 * highest
            less_steep = abs(gradient_there @ delta) <= abs(slope) / 2
            return ~(enough | downhill & flat & less_steep) & (t > eps)

        t = jax.lax.while_loop(too_long, lambda t: t / 2, jnp.ones((), y.dtype))
        size, last_size = (relative(change, y + delta, rtol, atol) for change in (delta, last))
        size = jnp.where(downhill, size, jnp.inf)
        crept, halvings = _creeping(size, last_size, halvings)
        sound = (t > eps) & (downhill | ~level) & ~crept
        return jnp.where(t > eps, y + t * delta, y), delta, size, halvings, k + 1, sound, highest

    infinity = jnp.asarray(jnp.inf, y.dtype)
    start = y, jnp.full_like(y, jnp.inf), infinity, 0, jnp.asarray(0), True, jnp.zeros_like(infinity)
    y, _, size, _, k, sound, _ = jax.lax.while_loop(unfinished, step, start)
    residual = largest(jax.grad(f)(y))
    return Solution(unravel(y), (size <= 1) & sound & jnp.isfinite(residual), k, residual)
