"""Checks of derivatives, by three laws that every right rule obeys and hardly any wrong one does.

Knows nothing of how the derivatives were obtained: it calls them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from autodiff_tutorial import finite_differences


class Discrepancies(NamedTuple):
    """How far each law was missed, relative to the numbers that were compared."""

    finite_difference: float
    dot_product: float
    linearity: float


def check_derivatives(f, x, *, jvp=None, vjp=None, rtol=None):
    r"""Check the derivatives of f at x; raise an error that names the law they break.

    With random directions :math:`\dot x, \dot x'` and :math:`\bar y`:

    1. finite difference: :math:`J \dot x` agrees with differences of f along :math:`\dot x`, whose step suits the
       size and the dtype of `x`, to ten times their estimated error;
    2. dot product: :math:`\langle \bar y, J \dot x \rangle = \langle J^T \bar y, \dot x \rangle`;
    3. linearity: :math:`J (2 \dot x - 3 \dot x') = 2 J \dot x - 3 J \dot x'`.

    The cost is six evaluations of f, four of `jvp` and one of `vjp`.

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
        If `x` is not floating, empty, or a derivative comes back in the wrong shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> found = check_derivatives(jnp.sin, jnp.array([0.5, 1.5]))
    >>> check_derivatives(jnp.sin, jnp.array([0.5, 1.5]), jvp=lambda x, x_dot: x_dot * jnp.sin(x))
    Traceback (most recent call last):
        ...
    AssertionError: The JVP breaks the law of finite differences: ...
    """
    flat_x, unravel = ravel_pytree(x)
    if not jnp.issubdtype(flat_x.dtype, jnp.floating):
        raise TypeError(f"`checks.check_derivatives(x=...)` should hold floating point numbers. Got {flat_x.dtype}.")
    if flat_x.size == 0:
        raise ValueError("`checks.check_derivatives(x=...)` should not be empty. Got no numbers.")

    def flat_f(flat):
        return ravel_pytree(f(unravel(flat)))[0]

    def flat_jvp(x_dot):
        if jvp is None:
            return jax.jvp(flat_f, (flat_x,), (x_dot,))[1]
        return _flattened(jvp(x, unravel(x_dot)), y.size, "jvp", "f(x)")

    def flat_vjp(y_bar):
        if vjp is None:
            return jax.vjp(flat_f, flat_x)[1](y_bar)[0]
        return _flattened(vjp(x, unravel_y(y_bar)), flat_x.size, "vjp", "x")

    y, unravel_y = ravel_pytree(f(x))
    rtol = float(jnp.finfo(flat_x.dtype).eps) ** 0.75 if rtol is None else rtol
    random = np.random.default_rng(0)
    x_dot, other = (jnp.asarray(random.normal(size=flat_x.shape), dtype=flat_x.dtype) for _ in range(2))
    y_bar = jnp.asarray(random.normal(size=y.shape), dtype=y.dtype)
    y_dot, x_bar = flat_jvp(x_dot), flat_vjp(y_bar)

    estimate = finite_differences.jvp(lambda p: np.asarray(flat_f(p)), flat_x, x_dot, accuracy=4)
    difference = np.abs(estimate.df - y_dot)
    size = np.abs(y_dot).max()
    found = Discrepancies(
        float(difference.max() / size) if size else float(difference.max()),
        _relative(jnp.sum(y_bar * y_dot), jnp.sum(x_bar * x_dot), jnp.sum(abs(y_bar * y_dot))),
        _relative(flat_jvp(2 * x_dot - 3 * other), 2 * y_dot - 3 * flat_jvp(other), size),
    )
    if not (difference <= 10 * estimate.error + rtol * size).all():
        worst = int(np.nanargmax(np.where(np.isnan(difference), np.inf, difference)))
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


def _relative(a, b, size):
    """Return the largest difference of a and b, relative to their common size."""
    size = jnp.maximum(size, jnp.maximum(abs(a).max(), abs(b).max()))
    return float(abs(a - b).max() / jnp.where(size > 0, size, 1))


def _flattened(tree, size, name, like):
    flat = ravel_pytree(tree)[0]
    if flat.size != size:
        raise ValueError(
            f"`checks.check_derivatives({name}=...)` should return as many numbers as {like} has, {size}. "
            f"Got {flat.size}."
        )
    return flat
