"""Roots, fixed points and minima as functions of what their equations depend on."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from autodiff_tutorial import solvers
from autodiff_tutorial.implicit.rule import as_program, check_args, differentiable, told
from autodiff_tutorial.solvers import Solution
from autodiff_tutorial.solvers.linear_systems import check_linear_solve
from autodiff_tutorial.solvers.problems import check_function, problem


def root(
    fn: Callable,
    y0: Any,
    args: Any,
    *,
    method: Literal["newton", "bisection"] = "newton",
    bracket: tuple | None = None,
    linear_solve: str | Callable | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int | None = None,
    warn: bool = False,
) -> Solution:
    r"""Find y with fn(y, args) = 0, as a function of `args` that can be differentiated.

    Whatever the solver does, the derivative follows from the equation at the solution:

    .. math:: \dot y = -F_y^{-1} F_a\, \dot a, \qquad \bar a = -F_a^T F_y^{-T}\, \bar y .

    It costs one linear system, solved by products with :math:`F_y` or :math:`F_y^T`, and one product with
    :math:`F_a` or :math:`F_a^T`; memory does not grow with the number of steps. Both modes work, to any order.

    Parameters
    ----------
    fn : callable
        ``fn(y, args)`` returns the structure, shapes and dtype of `y`; traceable, and linearizable in y: no
        `while_loop` whose length depends on y, and `jax.custom_jvp` rather than `jax.custom_vjp`. Values that it
        closes over are differentiated as `args` are.
    y0 : array_like or pytree of floats
        Where to start; for bisection, only its structure and shapes count. It has no influence on the derivative.
    args : pytree
        What the solution depends on. Floats have derivatives, integers and booleans are data.
    method : {"newton", "bisection"}
        `solvers.newton`, or `solvers.bisection`, for which each element of fn depends on the same element of y alone.
    bracket : tuple of two, optional
        For bisection: the ends of the intervals, each like `y0`, or a number for all.
    linear_solve : str or callable, optional
        How linear systems are solved, in Newton's steps and in the derivative, as in `solvers.solve_linear`: "gmres"
        by default, "diagonal" for bisection.
    rtol, atol, max_steps : optional
        As in the solver, with its defaults.
    warn : bool
        Outside of `jax.jit` and `jax.vmap`, a failure is a RuntimeWarning. With `warn`, it is one inside as well, by a
        callback.

    Returns
    -------
    Solution
        `y`, `converged`, `n_steps`, `residual`. Where it has not converged, the derivatives of `y` are NaN; so they
        are where :math:`F_y` is singular, unless the linear system of a derivative has a solution all the same, of
        which an iterative method finds one. The other fields have none. By bisection, a root where the slope of fn is
        zero, or changes by a tenth within the tolerance as at a kink, has not converged.

    Raises
    ------
    TypeError, ValueError
        If `y0` is empty or holds other than floats of one dtype, fn returns another structure, an option is wrong, or
        fn does not change sign in the bracket.

    Notes
    -----
    Outside of `jax.jit`, each call compiles its loops anew. Compile the function that calls it, and call that.
    Iterative methods measure an error by the largest equation: scale equations alike, or take `linear_solve="dense"`.

    References
    ----------
    Blondel and others (2022), Efficient and modular implicit differentiation, NeurIPS; Griewank and Walther (2008),
    Evaluating Derivatives, chapter 15.

    Examples
    --------
    >>> def sqrt(a):
    ...     return root(lambda y, a: y**2 - a, 1.0, a).y
    >>> print(sqrt(4.0), jax.grad(sqrt)(4.0), jax.grad(jax.grad(sqrt))(4.0))
    2.0 0.25 -0.03125
    """
    call = "implicit.root"
    if method not in ("newton", "bisection"):
        raise ValueError(f"`{call}(method=...)` should be one of 'newton', 'bisection'. Got {method!r}.")
    if (bracket is None) != (method == "newton"):
        way = "needs bracket=(lower, upper)" if bracket is None else "takes no bracket"
        raise ValueError(f"`{call}(bracket=...)` should go with method='bisection'. {method!r} {way}.")
    if bracket is not None and not (isinstance(bracket, tuple | list) and len(bracket) == 2):
        raise ValueError(f"`{call}(bracket=...)` should be a pair, (lower, upper). Got {bracket!r}.")
    options = _options(rtol=rtol, atol=atol, max_steps=max_steps)
    if method == "newton":
        linear_solve = "gmres" if linear_solve is None else linear_solve
        return _solved(
            call,
            fn,
            y0,
            args,
            warn,
            linear_solve,
            lambda f, y: solvers.newton(f, y, linear_solve=linear_solve, **options),
        )

    def halve(f, y):
        try:
            lower, upper = (jax.tree.map(jnp.full_like, y, jax.tree.broadcast(end, y)) for end in bracket)
        except (TypeError, ValueError) as error:
            way = "be two numbers, or two ends like y0"
            raise ValueError(f"`{call}(bracket=...)` should {way}. Got {bracket!r}.") from error
        found = solvers.bisection(f, *jax.lax.stop_gradient((lower, upper)), **options)
        return found._replace(converged=found.converged & _has_slope(f, found.y, rtol, atol))

    return _solved(call, fn, y0, args, warn, "diagonal" if linear_solve is None else linear_solve, halve)


def fixed_point(
    fn: Callable,
    y0: Any,
    args: Any,
    *,
    method: Literal["anderson", "newton", "picard"] = "anderson",
    linear_solve: str | Callable = "gmres",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int | None = None,
    warn: bool = False,
) -> Solution:
    r"""Find y with y = fn(y, args), as a function of `args` that can be differentiated.

    .. math:: \dot y = (I - f_y)^{-1} f_a\, \dot a, \qquad \bar a = f_a^T (I - f_y)^{-T}\, \bar y .

    The cost, and what holds of both modes and higher orders, is as for `root`.

    Parameters
    ----------
    fn : callable
        ``fn(y, args)`` returns the structure, shapes and dtype of `y`; traceable.
    y0, args, linear_solve, rtol, atol, max_steps, warn
        As in `root`.
    method : {"anderson", "newton", "picard"}
        `solvers.anderson`, `solvers.newton` for fn(y, args) - y, or `solvers.picard`. Newton's method finds fixed
        points from which the others are driven away.

    Returns
    -------
    Solution
        As for `root`; its `residual` is the largest element of fn(y, args) - y.

    Raises
    ------
    TypeError, ValueError
        As `root`.

    Examples
    --------
    >>> def z(a):
    ...     return fixed_point(lambda z, a: a * jnp.cos(z), 0.5, a).y
    >>> print(f"{z(1.0):.4f} {jax.grad(z)(1.0):.4f}")
    0.7391 0.4416
    """
    call = "implicit.fixed_point"
    options = _options(rtol=rtol, atol=atol, max_steps=max_steps)
    match method:
        case "anderson" | "picard":
            solver = getattr(solvers, method)
        case "newton":

            def solver(f, y, **options):
                return solvers.newton(lambda y: _minus(f(y), y), y, linear_solve=linear_solve, **options)
        case _:
            raise ValueError(f"`{call}(method=...)` should be one of 'anderson', 'newton', 'picard'. Got {method!r}.")
    return _solved(
        call,
        fn,
        y0,
        args,
        warn,
        linear_solve,
        lambda f, y: solver(f, y, **options),
        equation=lambda f, y: _minus(f(y), y),
    )


def argmin(
    fn: Callable,
    y0: Any,
    args: Any,
    *,
    linear_solve: str | Callable = "cg",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int | None = None,
    warn: bool = False,
) -> Solution:
    r"""Find a local minimum of fn(y, args) over y, as a function of `args` that can be differentiated.

    The gradient vanishes there, and stays so. With the Hessian :math:`H = f_{yy}`,

    .. math:: \dot y = -H^{-1} f_{ya}\, \dot a .

    The minimum is found by `solvers.newton_cg`; the cost, and what holds of both modes and higher orders, is as for
    `root`, with Hessian-vector products in place of products.

    Parameters
    ----------
    fn : callable
        ``fn(y, args)`` returns one number in the dtype of `y`; traceable, and twice differentiable.
    y0, args, rtol, atol, max_steps, warn
        As in `root`.
    linear_solve : str or callable
        How the system of the derivative is solved: "cg" by default, for a Hessian that is positive definite.

    Returns
    -------
    Solution
        As for `root`; its `residual` is the largest element of the gradient. It may be a saddle, if the way down met
        one exactly.

    Raises
    ------
    TypeError, ValueError
        As `root`, or if fn returns more than one number.

    Examples
    --------
    >>> def best(a):
    ...     return argmin(lambda y, a: jnp.cosh(y) - a * y, 0.0, a).y  # sinh(y) = a
    >>> print(f"{best(1.0):.4f} {jax.grad(best)(1.0):.4f}")
    0.8814 0.7071
    """
    options = _options(rtol=rtol, atol=atol, max_steps=max_steps)
    return _solved(
        "implicit.argmin",
        fn,
        y0,
        args,
        warn,
        linear_solve,
        lambda f, y: solvers.newton_cg(f, y, **options),
        equation=lambda f, y: jax.grad(f)(y),
        scalar=True,
    )


def _solved(call, fn, y0, args, warn, linear_solve, solver, equation=None, scalar=False):
    """Solve with what fn depends on held fixed, and let the solution change with it by the equation."""
    check_linear_solve(call, linear_solve)
    check_function(call, fn, "y and args")
    check_args(call, args)
    _, flat, unravel = problem(call, lambda y: fn(y, args), y0, scalar=scalar)
    y0 = unravel(jax.lax.stop_gradient(flat))
    program, operands = as_program(call, fn, y0, args)
    fixed = jax.lax.stop_gradient(operands)
    solution = told(call, solver(lambda y: program(y, *fixed), y0), warn)

    def residual(flat, *operands):
        y = unravel(flat)
        if equation is None:
            return ravel_pytree(program(y, *operands))[0]
        return ravel_pytree(equation(lambda y: program(y, *operands), y))[0]

    return differentiable(residual, solution, operands, linear_solve)


def _has_slope(f, y, rtol, atol):
    """Tell whether slopes change by less than a tenth within what is tolerated of y, elementwise."""
    finest = 4 * float(jnp.finfo(jax.tree.leaves(y)[0].dtype).eps)
    rtol, atol = (finest if tolerance is None else tolerance for tolerance in (rtol, atol))

    def slope(side):
        there = jax.tree.map(lambda y: y + side * (atol + rtol * abs(y)), y)
        return ravel_pytree(jax.jvp(f, (there,), (jax.tree.map(jnp.ones_like, y),))[1])[0]

    return jnp.all(10 * abs(slope(1) - slope(-1)) < abs(slope(0)))


def _minus(x, y):
    return jax.tree.map(jnp.subtract, x, y)


def _options(**options):
    return {name: value for name, value in options.items() if value is not None}
