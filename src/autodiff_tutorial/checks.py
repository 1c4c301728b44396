"""Checks of derivatives, by three laws that right rules obey and most wrong ones break.

The derivatives are called, however they were obtained.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from autodiff_tutorial import finite_differences


class Discrepancies(NamedTuple):
    """How far each law was missed, relative; for the first, beyond ten times the estimated error of differences."""

    finite_difference: float
    dot_product: float
    linearity: float


def check_derivatives(
    f: Callable, x: Any, *, jvp: Callable | None = None, vjp: Callable | None = None, rtol: float | None = None
) -> Discrepancies:
    r"""Check the derivatives of f at x; raise an error that names the law they break.

    With random directions :math:`\dot x, \dot x'` and :math:`\bar y`:

    1. finite difference: :math:`J \dot x` agrees with differences of f along :math:`\dot x`, whose step suits the
       size and the dtype of `x`, to ten times their estimated error;
    2. dot product: :math:`\langle \bar y, J \dot x \rangle = \langle J^T \bar y, \dot x \rangle`;
    3. linearity: :math:`J (2 \dot x - 3 \dot x') = 2 J \dot x - 3 J \dot x'`.

    The cost is 17 evaluations of f (more near an edge of its domain), three of `jvp` and one of `vjp`.

    Parameters
    ----------
    f : callable
        The function: an array or a pytree of arrays in, one out.
    x : array_like or pytree of floats
        The point. Choose one that is not special: a rule may be wrong everywhere but at 0 or 1.
    jvp : callable, optional
        ``jvp(x, x_dot)`` returns :math:`J \dot x`, shaped like ``f(x)``. By default that of JAX.
    vjp : callable, optional
        ``vjp(x, y_bar)`` returns :math:`J^T \bar y`, shaped like `x`. By default that of JAX.
    rtol : float, optional
        Relative tolerance of all three laws. By default the machine epsilon to the power 3/4: 2e-12 in float64,
        6e-6 in float32.

    Returns
    -------
    Discrepancies
        The relative differences that were found, all within their tolerances.

    Raises
    ------
    AssertionError
        If a law is broken.
    TypeError, ValueError
        If `x` or f(x) is not floating or is empty, f is not finite near `x`, or a derivative comes back in the wrong
        shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> found = check_derivatives(jnp.sin, jnp.array([0.5, 1.5]))
    >>> check_derivatives(jnp.sin, jnp.array([0.5, 1.5]), jvp=lambda x, x_dot: x_dot * jnp.sin(x))
    Traceback (most recent call last):
        ...
    AssertionError: The JVP breaks the law of finite differences: ...
    """
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(x)]
    if not leaves or not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise TypeError(
            "`checks.check_derivatives(x=...)` should hold floating point numbers only. "
            f"Got {sorted({str(leaf.dtype) for leaf in leaves})}."
        )
    flat_x, unravel = ravel_pytree(x)
    x = unravel(flat_x)
    y, unravel_y = ravel_pytree(f(x))
    if flat_x.size == 0 or y.size == 0:
        raise ValueError(
            f"`checks.check_derivatives(f=..., x=...)` should not be empty. Got {flat_x.size} numbers in, {y.size} out."
        )
    if not jnp.issubdtype(y.dtype, jnp.floating):
        raise TypeError(f"`checks.check_derivatives(f=...)` should return real floating point numbers. Got {y.dtype}.")
    if not jnp.isfinite(y).all():
        raise ValueError("`checks.check_derivatives(x=...)` should be a point where f is finite. Got NaN or infinity.")

    def flat_f(flat):
        return ravel_pytree(f(unravel(flat)))[0]

    def flat_jvp(x_dot):
        if jvp is None:
            return jax.jvp(flat_f, (flat_x,), (x_dot,))[1]
        return _flattened(jvp(x, unravel(x_dot)), unravel_y(y), "jvp", "f(x)")

    def flat_vjp(y_bar):
        if vjp is None:
            return jax.vjp(flat_f, flat_x)[1](y_bar)[0]
        return _flattened(vjp(x, unravel_y(y_bar)), x, "vjp", "x")

    eps = max(float(jnp.finfo(leaf.dtype).eps) for leaf in [*leaves, y])
    rtol = eps**0.75 if rtol is None else rtol
    random = np.random.default_rng(0)
    x_dot, other = (jnp.asarray(random.normal(size=flat_x.shape), dtype=flat_x.dtype) for _ in range(2))
    y_dot, other_dot = flat_jvp(x_dot), flat_jvp(other)
    # A rounding of x alone changes f, and a derivative that cancels, by about this much times eps.
    floor = abs(y) * (abs(x_dot) / jnp.maximum(1, abs(flat_x))).max()
    # Weigh the outputs alike, or a large one would hide what is wrong with a small one.
    size = jnp.maximum(abs(y_dot), eps**0.5 * floor)
    y_bar = (random.normal(size=y.shape) / jnp.where(size > 0, size, 1)).astype(y.dtype)
    x_bar = flat_vjp(y_bar)

    estimate = _difference(flat_f, flat_x, x_dot)
    combined = flat_jvp(2 * x_dot - 3 * other)
    found = Discrepancies(
        _largest(jnp.maximum(0, abs(estimate.df - y_dot) - 10 * estimate.error), abs(y_dot)),
        _largest(
            abs(jnp.sum(y_bar * y_dot) - jnp.sum(x_bar * x_dot)),
            jnp.sum(abs(y_bar) * (abs(y_dot) + floor)) + jnp.sum(abs(x_bar * x_dot)),
        ),
        _largest(abs(combined - (2 * y_dot - 3 * other_dot)), abs(2 * y_dot) + abs(3 * other_dot) + floor),
    )
    if not found.finite_difference <= rtol:
        off = abs(estimate.df - y_dot) - 10 * estimate.error - rtol * abs(y_dot)
        worst = int(jnp.argmax(jnp.where(jnp.isnan(off), jnp.inf, off)))
        raise AssertionError(
            f"The JVP breaks the law of finite differences: component {worst} is {y_dot[worst]:.6g}, "
            f"differences give {estimate.df[worst]:.6g} within {estimate.error[worst]:.1g}."
        )
    if not found.dot_product <= rtol:
        raise AssertionError(
            "The JVP and the VJP break the dot product law: <y_bar, J x_dot> and <J^T y_bar, x_dot> differ by "
            f"{found.dot_product:.1g}, relative. One is not the transpose of the other."
        )
    if not found.linearity <= rtol:
        raise AssertionError(f"The JVP breaks the law of linearity in the tangent, by {found.linearity:.1g}, relative.")
    return found


def _difference(flat_f, flat_x, x_dot):
    """Differentiate along x_dot by differences, on the host."""
    wide, narrow = {"scheme": "richardson"}, {"accuracy": 4}  # for fast functions, and for those with an edge nearby
    for options in (wide, narrow):
        try:
            return finite_differences.jvp(lambda p: np.asarray(flat_f(jnp.asarray(p))), flat_x, x_dot, **options)
        except ValueError as error:
            if options is narrow:
                raise ValueError(
                    "`checks.check_derivatives(x=...)` should be a point around which f is finite, as far as a "
                    "difference reaches. Got one where it is not. Choose another, or scale the problem."
                ) from error


def _largest(gap, size):
    """Return the largest gap relative to its size; a gap of zero is none, whatever the size."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(gap == 0, 0, np.asarray(gap) / size)))


def _flattened(tree, like, name, words):
    shapes, wanted = (jax.tree.map(jnp.shape, t) for t in (tree, like))
    if shapes != wanted:
        raise ValueError(
            f"`checks.check_derivatives({name}=...)` should return the structure and shapes of {words}, {wanted}. "
            f"Got {shapes}."
        )
    return ravel_pytree(tree)[0]
