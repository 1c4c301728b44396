"""Operations that add up, multiply or compare the entries of an array."""

import math
from typing import Any

import numpy as np

from autodiff_tutorial.primitives.arrays import broadcast_to, linear, moveaxis, reshape
from autodiff_tutorial.primitives.elementwise import exp, isfinite, log, where
from autodiff_tutorial.primitives.parts import concatenate
from autodiff_tutorial.primitives.rules import Primitive, define
from autodiff_tutorial.primitives.tracing import NUMPY, plain, shape_of, xp


def _kept(shape, axis):
    """Return the shape after a reduction with its axes kept, of length 1."""
    if axis is None:
        return (1,) * len(shape)
    axes = {i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


_sum = linear(
    "sum",
    lambda x, *, axis, keepdims: xp(x).sum(x, axis=axis, keepdims=keepdims),
    lambda y_bar, y, x, *, axis, keepdims: broadcast_to(reshape(y_bar, _kept(shape_of(x), axis)), shape_of(x)),
)


def sum(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Add up all entries, or those along an axis or a tuple of axes."""
    return _sum(x, axis=axis, keepdims=keepdims)


def mean(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Return the mean of all entries, or along an axis or a tuple of axes."""
    shape = shape_of(x)
    return sum(x, axis, keepdims) / math.prod(n for n, k in zip(shape, _kept(shape, axis), strict=True) if k == 1)


def _extreme_shares(y, x, axis):
    """Return the weights by which an extreme depends on the entries: ties share evenly. Constant between ties."""
    x, y = plain(x), plain(y)
    found = x == y.reshape(_kept(x.shape, axis))
    return (found / found.sum(axis=axis, keepdims=True)).astype(x.dtype)


def _extreme(name, value):
    primitive = define(
        name,
        value,
        jvp=lambda x_dot, y, x, *, axis, keepdims: sum(x_dot * _extreme_shares(y, x, axis), axis, keepdims),
        vjp=lambda y_bar, y, x, *, axis, keepdims: (
            reshape(y_bar, _kept(shape_of(x), axis)) * _extreme_shares(y, x, axis)
        ),
    )

    def reduction(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
        return primitive(x, axis=axis, keepdims=keepdims)

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"Return the {name}imum of all entries, or along an axis. Ties share the derivative evenly."
    return reduction


max = _extreme("max", lambda x, *, axis, keepdims: xp(x).max(x, axis=axis, keepdims=keepdims))
min = _extreme("min", lambda x, *, axis, keepdims: xp(x).min(x, axis=axis, keepdims=keepdims))


_cumsum: Primitive = linear(
    "cumsum",
    lambda x, *, axis: xp(x).cumsum(x, axis=axis),
    lambda y_bar, y, x, *, axis: _reversed(_cumsum(_reversed(y_bar, axis), axis=axis), axis),
)


def _reversed(x, axis):
    return x[(*[slice(None)] * (axis % len(shape_of(x))), slice(None, None, -1))]


def cumsum(x: Any, axis: int | None = None) -> Any:
    """Return the running sums along an axis, or of all entries in one dimension."""
    return _cumsum(reshape(x, -1), axis=0) if axis is None else _cumsum(x, axis=axis)


def prod(x: Any, axis: int | None = None) -> Any:
    """Multiply all entries, or those along an axis: pairs first, so that zeros do no harm to the derivative."""
    x = reshape(x, -1) if axis is None else moveaxis(x, axis, 0)
    if shape_of(x)[0] == 0:
        return sum(x, 0) + 1
    while shape_of(x)[0] > 1:
        half, odd = divmod(shape_of(x)[0], 2)
        pairs = x[:half] * x[half : 2 * half]
        x = concatenate((pairs, x[2 * half :])) if odd else pairs
    return x[0]


def logsumexp(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    r"""Return the logarithm of a sum of exponentials, without overflow.

    .. math:: y = \log \sum_i e^{x_i}, \qquad \frac{\partial y}{\partial x_i} = e^{x_i - y}

    Parameters
    ----------
    x : array_like
        Floats.
    axis : int or tuple of int, optional
        Over which axes to add; by default all.
    keepdims : bool
        Whether the axes stay, with length 1.

    Returns
    -------
    array_like

    Examples
    --------
    >>> logsumexp(np.array([1000.0, 1000.0])).round(4)
    np.float64(1000.6931)
    """
    largest = plain(max(x, axis, keepdims=True))
    largest = where(isfinite(largest), largest, 0.0)
    y = log(sum(exp(x - largest), axis, keepdims=True)) + largest
    return y if keepdims else reshape(y, shape_of(sum(plain(x), axis)))


NUMPY |= {np.sum: sum, np.mean: mean, np.max: max, np.min: min, np.cumsum: cumsum, np.prod: prod}
