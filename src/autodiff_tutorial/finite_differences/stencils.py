"""Stencils: which values to combine, with which weights, at which step.

Knows nothing of functions: it works with points, weights and machine precision only.
"""

import math
import operator
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from numpy.typing import ArrayLike

Scheme = Literal["forward", "backward", "central", "complex", "richardson"]
Array = jax.Array | Any  # or NumPy's; of the union of both, mypy does not know the absolute value

# Richardson's ladder: the widest step balances the extrapolation of three levels on a function of scale one;
# the narrower ones are there for functions that vary faster, up to 3**7 times. A ratio of 2 would need more levels,
# and is more easily fooled by oscillations that all wide steps sample alike.
LADDER = 3.0 ** -np.arange(8)
BALANCED_LEVELS = 3
WIDEST_LADDER = 0.25


class Stencil(NamedTuple):
    """Offsets in units of the step, and the formulas that combine the values there.

    Row 0 of `weights` is the formula that was asked for; the rows that follow serve to judge it.
    `parents` lists, for each row of an extrapolation table, the two rows it came from (else it is empty).
    """

    offsets: np.ndarray
    weights: np.ndarray
    parents: tuple


def weights(points: ArrayLike, x0: ArrayLike = 0.0, order: int = 1) -> Array:
    r"""Return the finite difference weights of any points.

    The weights :math:`w_j` make :math:`\sum_j w_j f(x_j) = f^{(q)}(x_0)` exact for every polynomial of degree
    below the number of points, with :math:`q` the order of the derivative.

    Parameters
    ----------
    points : array_like, shape (..., k)
        The distinct points :math:`x_j`, in any order; leading axes hold independent stencils.
    x0 : array_like, shape (...)
        Where the derivative is wanted; it need not be one of the points.
    order : int
        Order :math:`q` of the derivative, from 0 (interpolation) to k - 1.

    Returns
    -------
    array, shape (..., k)
        A JAX array if `points` or `x0` is one (then the function may be traced), else a NumPy array.

    Raises
    ------
    TypeError
        If the points or `x0` are not real numbers, or the order is no integer.
    ValueError
        If there are too few points for the order, or two points of a stencil coincide.

    Notes
    -----
    Fornberg's recurrence adds one point at a time, about `k**2 * order` operations a stencil :cite:p:`fornberg1988`.

    Examples
    --------
    >>> weights([-1.0, 0.0, 1.0])
    array([-0.5,  0. ,  0.5])
    >>> weights([-1.0, 0.0, 1.0], order=2)
    array([ 1., -2.,  1.])
    """
    xp = jnp if isinstance(points, jax.Array) or isinstance(x0, jax.Array) else np
    points, x0 = xp.asarray(points), xp.asarray(x0)
    if points.ndim == 0 or points.dtype.kind not in "iuf" or x0.dtype.kind not in "iuf":
        raise TypeError(
            "`finite_differences.weights(points=..., x0=...)` should be real numbers, and points an array. "
            f"Got {points.dtype} of shape {points.shape}, and {x0.dtype}."
        )
    order, k = checked_index("finite_differences.weights", "order", order, least=0), points.shape[-1]
    if k <= order:
        raise ValueError(
            f"`finite_differences.weights(points=...)` should hold more than {order} points for order={order}. "
            f"Got {k}. Add points or lower the order."
        )
    dtype = points.dtype if points.dtype.kind == "f" else xp.asarray(1.0).dtype
    points = points.astype(dtype)
    d = points - x0.astype(dtype)[..., None]
    if not isinstance(x0, jax.core.Tracer) and not np.isfinite(x0).all():
        raise ValueError("`finite_differences.weights(x0=...)` should be finite. Got NaN or infinity.")
    concrete = None if isinstance(points, jax.core.Tracer) else np.asarray(points)
    if concrete is not None and not (np.isfinite(concrete).all() and (np.diff(np.sort(concrete, axis=-1)) > 0).all()):
        raise ValueError(
            "`finite_differences.weights(points=...)` should be finite and distinct. "
            f"Got {np.array2string(concrete, precision=6, threshold=8)}."
        )
    # Points of size one keep the products below from under- and overflowing; a power of two keeps the weights exact.
    size = abs(d).max(axis=-1, keepdims=True)
    size = power_of_two(xp.where(size > 0, size, 1), xp)
    size = size if xp is np else jax.lax.stop_gradient(size)
    return _fornberg(points, d, size, order, xp) / size**order


def _fornberg(points, d, size, order, xp):
    """Add one point at a time: c[..., j, q] is the weight of point j for the q-th derivative, so far.

    Gaps are taken between the points themselves: the distances d to x0 may have lost the digits of small gaps.
    """
    d, q = d / size, np.arange(order + 1)
    c = xp.broadcast_to(xp.asarray(q == 0, dtype=d.dtype), (*d.shape[:-1], 1, order + 1))
    product = xp.ones(d.shape[:-1], dtype=d.dtype)
    for n in range(1, d.shape[-1]):
        gaps = (points[..., n, None] - points[..., :n]) / size
        previous, product = product, gaps.prod(axis=-1)
        lowered = q * xp.roll(c, 1, axis=-1)
        new = (previous / product)[..., None] * (lowered[..., -1, :] - d[..., n - 1, None] * c[..., -1, :])
        old = (d[..., n, None, None] * c - lowered) / gaps[..., None]
        c = xp.concatenate([old, new[..., None, :]], axis=-2)
    return c[..., order]


def power_of_two(h, xp):
    """Round to the nearest power of two, by exponent."""
    return xp.ldexp(xp.ones_like(h), xp.round(xp.log2(h)).astype(int))


def optimal_step(scheme: Scheme, accuracy: int, dtype: DTypeLike, order: int = 1) -> float:
    r"""Return the step that balances truncation against roundoff, for a function of scale one.

    A formula of accuracy :math:`p` for the derivative of order :math:`q` errs by
    :math:`C_t h^p |f^{(q+p)}|` for truncation and by :math:`C_r u |f| h^{-q}` for roundoff, with
    :math:`C_t = |\sum_j w_j s_j^{q+p}| / (q+p)!`, :math:`C_r = \sum_j |w_j|` and unit roundoff :math:`u`.
    Where :math:`|f|` and :math:`|f^{(q+p)}|` are equal, the sum is least at

    .. math:: h = \left( \frac{q\,C_r\,u}{p\,C_t} \right)^{1/(q+p)}.

    A function that varies over a length :math:`L` wants :math:`L` times this step.

    Parameters
    ----------
    scheme : {"forward", "backward", "central", "complex", "richardson"}
        For "richardson" the step is the widest of a ladder of eight, each a third of the one before, and balances
        the extrapolation of the first three; it is at most 1/4. For "complex" of order 1 any tiny step serves, and
        :math:`(2u)^2` is returned; for higher orders the step is the real one.
    accuracy : int
        Accuracy :math:`p`; even for all but "forward" and "backward". "complex" of order 1 has no use for it.
    dtype : dtype_like
        Floating point type in which the function is evaluated.
    order : int
        Order :math:`q` of the derivative, at least 1.

    Returns
    -------
    float
        The step, in units of the length over which the function varies.

    Raises
    ------
    TypeError
        If `dtype` is not a floating type, or accuracy or order is no integer.
    ValueError
        If the scheme is unknown, or the accuracy is odd where it has to be even.

    Examples
    --------
    >>> f"{optimal_step('forward', 1, 'float64'):.1e}"
    '2.1e-08'
    >>> f"{optimal_step('central', 2, 'float32'):.1e}"
    '5.6e-03'
    """
    scheme, accuracy, order = checked_scheme("optimal_step", scheme, accuracy, order)
    try:
        dtype = jnp.dtype(dtype)
    except TypeError:
        raise TypeError(f"`finite_differences.optimal_step(dtype=...)` should be a dtype. Got {dtype!r}.") from None
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"`finite_differences.optimal_step(dtype=...)` should be a floating type. Got {dtype}.")
    eps = float(jnp.finfo(dtype).eps)
    if scheme == "complex":
        return eps**2 if order == 1 else optimal_step("central", accuracy, dtype, order - 1)
    truncation, roundoff, power = error_constants(scheme, order, accuracy)
    h = (order * roundoff * (eps / 2) / (power * truncation)) ** (1 / (order + power))
    return min(h, WIDEST_LADDER) if scheme == "richardson" else h


@lru_cache
def error_constants(scheme, order, accuracy):
    """Return C_t, C_r and the accuracy of the formula that the step is chosen for."""
    offsets, rows, _ = stencil(scheme, order, accuracy)
    power, row = accuracy, 0
    if scheme == "richardson":
        power, row = accuracy + 2 * (BALANCED_LEVELS - 1), BALANCED_LEVELS * (BALANCED_LEVELS + 1) // 2 - 1
    w = rows[row]
    truncation = abs(math.fsum(w * offsets ** (order + power))) / math.factorial(order + power)
    return truncation, math.fsum(abs(w)), power


@lru_cache
def stencil(scheme, order, accuracy):
    """Return the `Stencil` of a real scheme, with the formulas that judge it."""
    match scheme:
        case "forward" | "backward":
            sign = 1.0 if scheme == "forward" else -1.0
            offsets = sign * np.arange(order + accuracy + 1)
            narrow = np.append(weights(offsets[:-1], order=order), 0.0)
            return Stencil(offsets, np.stack([narrow, weights(offsets, order=order)]), ())
        case "central":
            offsets = _symmetric(order, accuracy + 2)
            narrow = np.pad(_central_weights(order, accuracy), 1)
            return _without_idle(offsets, np.stack([narrow, _central_weights(order, accuracy + 2)]))
        case "richardson":
            return _extrapolation_table(order, accuracy)


def _symmetric(order, accuracy):
    reach = (order + 1) // 2 + accuracy // 2 - 1
    return np.arange(-reach, reach + 1.0)


def _central_weights(order, accuracy):
    w = weights(_symmetric(order, accuracy), order=order)
    return (w + (-1) ** order * w[::-1]) / 2


def _without_idle(offsets, rows, parents=()):
    """Drop the points that no formula uses, such as the center of an odd derivative."""
    used = np.any(rows != 0, axis=0)
    return Stencil(offsets[used], rows[:, used], parents)


def _extrapolation_table(order, accuracy):
    """Write Richardson's table of central formulas at the steps of the ladder as weights on one set of offsets.

    T[i, j] = T[i, j-1] + (T[i, j-1] - T[i-1, j-1]) / (r^(p + 2(j-1)) - 1), with r the ratio of the steps, removes
    the error term h^(p + 2(j-1)).
    """
    base, w = _symmetric(order, accuracy), _central_weights(order, accuracy)
    offsets = np.unique(np.outer(LADDER, base))
    table, rows, parents = {}, [], []
    for i, h in enumerate(LADDER):
        for j in range(i + 1):
            if j == 0:
                row = np.zeros_like(offsets)
                row[np.searchsorted(offsets, h * base)] = w / h**order
            else:
                left, above = rows[table[i, j - 1]], rows[table[i - 1, j - 1]]
                row = left + (left - above) / ((LADDER[0] / LADDER[1]) ** (accuracy + 2 * (j - 1)) - 1)
                parents.append((len(rows), table[i, j - 1], table[i - 1, j - 1]))
            table[i, j] = len(rows)
            rows.append(row)
    return _without_idle(offsets, np.stack(rows), tuple(parents))


def checked_scheme(call, scheme, accuracy, order):
    """Check the options that all differences share; return them as a string and two integers."""
    if scheme not in get_args(Scheme):
        allowed = ", ".join(repr(s) for s in get_args(Scheme))
        raise ValueError(f"`finite_differences.{call}(scheme=...)` should be one of {allowed}. Got {scheme!r}.")
    order = checked_index(f"finite_differences.{call}", "order", order, least=1)
    accuracy = checked_index(f"finite_differences.{call}", "accuracy", accuracy, least=1)
    if scheme not in ("forward", "backward") and accuracy % 2:
        raise ValueError(
            f"`finite_differences.{call}(accuracy=...)` should be even for scheme={scheme!r}, whose errors come in "
            f"even powers of the step. Got {accuracy}."
        )
    return scheme, accuracy, order


def checked_index(call, name, value, least=None):
    """Return an integer option of a call, which is named with its module, at least as large as it has to be."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"`{call}({name}=...)` should be an integer. Got {value!r}.") from None
    if least is not None and value < least:
        raise ValueError(f"`{call}({name}=...)` should be at least {least}. Got {value}.")
    return value
