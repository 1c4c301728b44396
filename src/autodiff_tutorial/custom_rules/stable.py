"""Functions whose formula, or whose derivative's, breaks down somewhere that programs go."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats


def log1pexp(x: ArrayLike) -> jax.Array:
    r"""Return :math:`\log(1 + e^x)`, elementwise, without overflow.

    .. math:: y = \max(x, 0) + \log(1 + e^{-|x|}), \qquad \dot y = \frac{\dot x}{1 + e^{-x}} .

    Differentiated as it stands, the plain formula gives :math:`\infty / \infty` where :math:`e^x` overflows.

    Parameters
    ----------
    x : array_like
        Floats.

    Returns
    -------
    array
        Shaped like `x`; with its first two derivatives, right to a few roundings for every `x`.

    Raises
    ------
    TypeError
        If `x` holds other than float32 or float64.

    Examples
    --------
    >>> print(log1pexp(1000.0), jax.grad(log1pexp)(1000.0), jax.grad(jax.grad(log1pexp))(0.0))
    1000.0 1.0 0.25
    """
    return _log1pexp(checked_floats("custom_rules.log1pexp(x=...)", x))


@jax.custom_jvp
def _log1pexp(x):
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-abs(x)))


@_log1pexp.defjvp
def _(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return _log1pexp(x), _sigmoid(x) * x_dot


@jax.custom_jvp
def _sigmoid(x):
    return jax.nn.sigmoid(x)


@_sigmoid.defjvp
def _(primals, tangents):
    # JAX's rule takes y (1 - y), which loses all digits where y is near 1.
    (x,), (x_dot,) = primals, tangents
    return _sigmoid(x), _sigmoid(x) * _sigmoid(-x) * x_dot


def safe_norm(x: ArrayLike, axis: int | None = None) -> jax.Array:
    r"""Return the Euclidean norm, whose derivative at zero is zero and not NaN.

    .. math:: y = \sqrt{\textstyle\sum_i x_i^2}, \qquad
              \dot y = \langle x / y, \dot x \rangle \ \text{ where } y > 0, \quad 0 \ \text{ where } y = 0 .

    At zero the norm has a kink. Of all slopes that support it there, zero is the one that a descent wants, and it
    keeps the other rows of a batch free of NaN. Second derivatives, which do not exist there, come out as zero too.
    Squares neither overflow nor vanish: `x` is scaled by its largest element.

    Parameters
    ----------
    x : array_like
        Floats.
    axis : int, optional
        Along which the norms are taken; by default, of all elements.

    Returns
    -------
    array
        Shaped like `x` without `axis`.

    Raises
    ------
    TypeError
        If `x` holds other than float32 or float64.
    ValueError
        If `x` has no such axis, or no elements along it.

    Examples
    --------
    >>> print(jax.grad(safe_norm)(jnp.array([3.0, 4.0])), jax.grad(safe_norm)(jnp.zeros(2)))
    [0.6 0.8] [0. 0.]
    """
    call = "custom_rules.safe_norm"
    x = checked_floats(f"{call}(x=...)", x)
    if axis is None:
        x, axis = x.ravel(), 0
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool) or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"`{call}(axis=...)` should be one of the {x.ndim} axes of x, or None. Got {axis!r}.")
    if x.shape[axis] == 0:
        raise ValueError(f"`{call}(x=...)` should have elements along the axis. Got shape {x.shape}.")
    return _norm(jnp.moveaxis(x, axis, -1))


@jax.custom_jvp
def _norm(x):
    largest = jnp.max(abs(x), axis=-1)
    c = jnp.where((largest > 0) & (largest < jnp.inf), largest, 1)
    return c * jnp.sqrt(jnp.sum((x / c[..., None]) ** 2, axis=-1))


@_norm.defjvp
def _(primals, tangents):
    return _norm(*primals), jnp.sum(_direction(*primals) * tangents[0], axis=-1)


@jax.custom_jvp
def _direction(x):
    y = _norm(x)[..., None]
    return jnp.where(y == 0, 0, x / jnp.where(y == 0, 1, y))


@_direction.defjvp
def _(primals, tangents):
    # As it stands, the derivative of x / y holds y^-2, which overflows long before y does.
    (x,), (x_dot,) = primals, tangents
    y, direction = _norm(x)[..., None], _direction(x)
    across = x_dot - direction * jnp.sum(direction * x_dot, axis=-1, keepdims=True)
    return direction, jnp.where(y == 0, 0, across / jnp.where(y == 0, 1, y))
