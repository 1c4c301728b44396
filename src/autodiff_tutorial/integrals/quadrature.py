"""Integrals of a function of one variable, over many intervals at once."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import is_traced
from autodiff_tutorial.integrals import rules
from autodiff_tutorial.integrals.intervals import integrals
from autodiff_tutorial.linear_maps.checking import checked_size, kind_of
from autodiff_tutorial.solvers.problems import described, is_number, tolerances, tracing

METHODS = {"gauss_kronrod": 15, "gauss_legendre": 16, "tanh_sinh": 101}


class Integral(NamedTuple):
    """Integrals, one an interval.

    Attributes
    ----------
    value : array
        The integrals.
    error : array
        Estimates of their absolute errors.
    converged : array of bool
        Whether the estimate is within the tolerance.
    """

    value: jax.Array
    error: jax.Array
    converged: jax.Array


def integrate(
    f: Callable,
    a: ArrayLike,
    b: ArrayLike,
    args: tuple = (),
    *,
    n: int | None = None,
    method: Literal["gauss_kronrod", "gauss_legendre", "tanh_sinh"] = "gauss_kronrod",
    rtol: float | None = None,
    atol: float | None = None,
    max_intervals: int = 100,
) -> Integral:
    r"""Integrate f over intervals, as a function of their ends and of what f depends on, that can be differentiated.

    .. math:: I(a, b, \theta) = \int_a^b f(x, \theta)\, dx, \qquad
              \dot I = f(b)\, \dot b - f(a)\, \dot a + \sum_k \Bigl(\int_a^b f_{\theta_k} dx\Bigr) \dot \theta_k .

    Every interval gets one rule of n nodes, all of them in one fused program. Where the error is not within
    :math:`\mathrm{atol} + \mathrm{rtol}\, |I|`, the interval is halved, and of its parts again the one with the largest
    error, up to `max_intervals` parts; up to 1024 intervals are all halved to begin with. A jump or a peak between the
    nodes can be missed: make such points ends. A derivative costs two calls of f, and one integral a parameter that
    moves, with an error estimate of its own. Both modes work, to any order, where f is continuous in what moves, and
    for a second derivative its slope, too: a kink that moves is not seen by that. Make such points ends.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` takes numbers and returns one; traceable.
    a, b : array_like of floats
        The ends of the intervals, in this order or the other, finite or infinite; they broadcast.
    args : tuple of array_like
        What f depends on; each broadcasts with a and b. Floats have derivatives, integers are data.
    n : int, optional
        How many nodes the rule has; 15 for "gauss_kronrod" (odd), 16 for "gauss_legendre", 101 for "tanh_sinh" (odd).
    method : {"gauss_kronrod", "gauss_legendre", "tanh_sinh"}
        "tanh_sinh" is for integrands that are singular at an end of the interval, best at 0, where floats are dense.
    rtol, atol : float, optional
        Tolerances; by default the machine epsilon to the power 2/3: 4e-11 in float64, 2e-5 in float32.
    max_intervals : int
        Into how many parts a hard interval is divided at most; 1 for none.

    Returns
    -------
    Integral
        `value`, `error`, `converged`, in the shape that a, b and args broadcast to. Where an integral that a derivative
        needs has not converged, the derivative is NaN.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not broadcast, an end is NaN or no number, f does not return one number, or an option is wrong.

    References
    ----------
    Piessens and others (1983), QUADPACK, Springer, for the error estimate.

    Examples
    --------
    >>> found = integrate(lambda x, y: x**2 + y**2, 0.0, jnp.array([1.0, 2.0]), (3.0,))
    >>> print(found.value.round(4))
    [ 9.3333 20.6667]
    >>> print(f"{integrate(lambda x: jnp.exp(-(x**2)), -jnp.inf, jnp.inf).value ** 2:.6f}")
    3.141593
    """
    call = "integrals.integrate"
    (a, b, *args), dtype = _operands(call, a, b, args)
    options = _rule(call, method, n, dtype), *tolerances(call, dtype, rtol, atol, max_intervals, count="max_intervals")
    shape = a.shape
    a, b, *args = (operand.reshape(-1) for operand in (a, b, *args))
    f = checked_integrand(call, f, *(jax.ShapeDtypeStruct((), operand.dtype) for operand in (a, *args)))
    g, consts = jax.closure_convert(f, jnp.zeros((), dtype), *(jnp.zeros((), arg.dtype) for arg in args))
    # Traced once, for all nodes.
    found = _differentiable(call, jax.jit(g), a, b, args, consts, options)
    return Integral(*(part.reshape(shape) for part in found))


def _differentiable(call, g, a, b, args, consts, options):
    """Return the integrals of g(x, *args, *consts) for vectors a, b and args, by Leibniz' rule in each of these."""
    value, error, converged = integrals(g, *jax.lax.stop_gradient((a, b, args, consts)), *options)

    @jax.custom_jvp
    def integral(value, a, b, args, consts):
        return value

    def rule(primals, tangents):
        (_, a, b, args, consts), (_, a_dot, b_dot, args_dot, consts_dot) = primals, tangents
        if any(_moves(dot) for dot in consts_dot):
            raise TypeError(f"`{call}(f=...)` should have what is differentiated in args. Got f that closes over it.")
        at = jax.vmap(g, (0,) * (1 + len(args)) + (None,) * len(consts))
        tangent = jnp.zeros_like(value)
        for sign, end, dot in (1, b, b_dot), (-1, a, a_dot):
            if _moves(dot):
                finite = jnp.isfinite(end)
                there = at(jnp.where(finite, end, 0), *args, *consts)
                tangent += jnp.where(finite, sign * there * dot, 0)
        for k, dot in enumerate(args_dot):
            if _moves(dot):
                part = _differentiable(call, jax.jit(_partial(g, k)), a, b, args, consts, options)
                tangent += jnp.where(part.converged, part.value, jnp.nan) * dot
        return integral(*primals), tangent

    integral.defjvp(rule, symbolic_zeros=True)
    return Integral(integral(value, a, b, args, consts), error, converged)


def _moves(dot):
    return not isinstance(dot, SymbolicZero)


def _partial(g, k):
    """Return the derivative of g by its parameter k."""

    def partial(x, *operands):
        def along(theta):
            return g(x, *operands[:k], theta, *operands[k + 1 :])

        return jax.jvp(along, (operands[k],), (jnp.ones_like(operands[k]),))[1]

    return partial


def _operands(call, a, b, args):
    """Return a, b and args as arrays of one shape, and the dtype of those that are floats."""
    given = {"a": a, "b": b} | {f"args[{k}]": arg for k, arg in enumerate(checked_args(call, args))}
    arrays = {}
    for name, array in given.items():
        dtype = jnp.result_type(array) if is_number(array) else _array(array).dtype
        if dtype.kind not in "biuf":
            raise TypeError(f"`{call}({name}=...)` should hold real numbers. Got {array!r}.")
        arrays[name] = jnp.asarray(array)
    floats = {name: array for name, array in arrays.items() if name in "ab" or array.dtype.kind == "f"}
    dtype = jnp.result_type(float, *(array for array in floats.values() if array.dtype.kind == "f"))
    for name, array in floats.items():
        if name in "ab" and not is_traced(array) and bool(jnp.isnan(array).any()):
            raise ValueError(f"`{call}({name}=...)` should have no NaN. Got {int(jnp.isnan(array).sum())} of them.")
        arrays[name] = array.astype(dtype)
    try:
        return jnp.broadcast_arrays(*arrays.values()), dtype
    except ValueError as error:
        got = ", ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())
        raise ValueError(f"`{call}(a, b, args)` should have shapes that broadcast. Got {got}.") from error


def _array(values):
    try:
        return np.asarray(values)
    except ValueError:
        return np.asarray(None)


def _rule(call, method, n, dtype):
    if method not in METHODS:
        raise ValueError(f"`{call}(method=...)` should be one of {', '.join(map(repr, METHODS))}. Got {method!r}.")
    n = METHODS[method] if n is None else checked_size("n", n, call)
    if method == "gauss_legendre":
        if n < 3:
            raise ValueError(f"`{call}(n=...)` should be at least 3 for 'gauss_legendre'. Got {n}.")
        return rules.gauss_legendre(n)
    if n < 7 or n % 2 == 0:
        raise ValueError(f"`{call}(n=...)` should be odd, and at least 7, for {method!r}. Got {n}.")
    if method == "gauss_kronrod":
        return rules.gauss_kronrod(n)
    return rules.tanh_sinh(n, 1e-140 if dtype == jnp.float64 else 1e-18)


def checked_args(call, args):
    if not isinstance(args, tuple | list):
        raise TypeError(f"`{call}(args=...)` should be a tuple; write (x,) for one. Got {kind_of(args)}.")
    return tuple(args)


def check_float(call, name, program, *args):
    """Check that a program returns one float, without running it."""
    with tracing(call, name):
        found = jax.eval_shape(program, *args)
    if getattr(found, "shape", None) != () or found.dtype.kind != "f":
        raise TypeError(f"`{call}({name}=...)` should return one float. Got {described(found)}.")


def checked_integrand(call, f, x, *args):
    """Return f with its value in the dtype of x, after a look at what it returns."""
    if not callable(f):
        raise TypeError(f"`{call}(f=...)` should be a function of x and args. Got {f!r}.")
    check_float(call, "f", f, x, *args)
    return lambda *operands: jnp.asarray(f(*operands), x.dtype)
