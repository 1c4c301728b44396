"""Operations on the shape of arrays: they copy, move or add up entries, so that each is linear.

The transpose of copying entries is adding them up, and the other way round.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from autodiff_tutorial.primitives.rules import Primitive, define
from autodiff_tutorial.primitives.tracing import NUMPY, dtype_of, ones_like, plain, shape_of, xp, zeros_like


def linear(name, value, transpose, numpy=None):
    """Define y = L x from L and its transpose; L is its own tangent map."""
    primitive = define(
        name,
        value,
        jvp=lambda x_dot, y, x, **params: primitive(x_dot, **params),
        vjp=transpose,
        numpy=numpy,
        linear=True,
    )
    return primitive


def _sum_to(x, *, shape):
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    return x.sum(axis=axes).reshape(shape)


_broadcast = linear(
    "broadcast_to",
    lambda x, *, shape: xp(x).broadcast_to(x, shape),
    lambda y_bar, y, x, *, shape: sum_like(y_bar, x),
)
_sum_to_shape = linear("sum_to", _sum_to, lambda y_bar, y, x, *, shape: broadcast_to(y_bar, shape_of(x)))


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Spread an array over a larger shape."""
    return _broadcast(x, shape=tuple(shape))


def spread_like(x, y):
    """Spread x over the shape of y."""
    return x if shape_of(x) == shape_of(y) else _broadcast(x, shape=shape_of(y))


def sum_like(y, x):
    """Add up y to the shape of x: the transpose of spreading x over the shape of y."""
    return y if shape_of(y) == shape_of(x) else _sum_to_shape(y, shape=shape_of(x))


_reshape = linear(
    "reshape",
    lambda x, *, shape: xp(x).reshape(x, shape),
    lambda y_bar, y, x, *, shape: reshape(y_bar, shape_of(x)),
)


def reshape(x: Any, shape: int | Sequence[int], *more: int) -> Any:
    """Return the entries in another shape, given as a tuple or as several numbers."""
    return _reshape(x, shape=(shape, *more) if more else shape)


def ravel(x: Any) -> Any:
    """Return the entries in one dimension."""
    return reshape(x, -1)


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """Drop axes of length 1."""
    return reshape(x, xp(plain(x)).squeeze(plain(x), axis=axis).shape)


def expand_dims(x: Any, axis: int) -> Any:
    """Insert an axis of length 1."""
    return reshape(x, np.expand_dims(np.empty(shape_of(x)), axis).shape)


_astype = linear(
    "astype",
    lambda x, *, dtype: _converted(x, dtype),
    lambda y_bar, y, x, *, dtype: astype(y_bar, dtype_of(plain(x))),
)


def astype(x: Any, dtype: DTypeLike) -> Any:
    """Convert to another floating point dtype; to others, values that are no longer traced."""
    return _astype(x, dtype=dtype) if jnp.issubdtype(dtype, jnp.floating) else _converted(plain(x), dtype)


def _converted(x, dtype):
    return (x if hasattr(x, "astype") else np.asarray(x)[()]).astype(dtype)


_transpose: Primitive = linear(
    "transpose",
    lambda x, *, axes: xp(x).transpose(x, axes),
    lambda y_bar, y, x, *, axes: _transpose(y_bar, axes=tuple(np.argsort(axes))),
)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Permute the axes; without `axes`, reverse them."""
    ndim = len(shape_of(x))
    return _transpose(x, axes=tuple(range(ndim)[::-1] if axes is None else (i % ndim for i in axes)))


def swapaxes(x: Any, i: int, j: int) -> Any:
    """Exchange two axes."""
    axes = list(range(len(shape_of(x))))
    axes[i], axes[j] = axes[j], axes[i]
    return transpose(x, axes)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move an axis, or several, to other places."""
    return transpose(x, _moved_axes(len(shape_of(x)), source, destination))


def _moved_axes(ndim, source, destination):
    source, destination = ([i % ndim for i in np.atleast_1d(axes).tolist()] for axes in (source, destination))
    axes = [i for i in range(ndim) if i not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        axes.insert(place, axis)
    return axes


_roll = linear(
    "roll",
    lambda x, *, shift, axis: xp(x).roll(x, shift, axis),
    lambda y_bar, y, x, *, shift, axis: roll(y_bar, _opposite(shift), axis),
)


def _opposite(shift):
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


def roll(x: Any, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> Any:
    """Move entries along an axis; those that leave at one end come back at the other."""
    return _roll(x, shift=shift, axis=axis)


NUMPY |= {
    np.shape: shape_of,
    np.ndim: lambda x: len(shape_of(x)),
    np.size: lambda x: x.size,
    np.zeros_like: zeros_like,
    np.ones_like: ones_like,
    np.broadcast_to: broadcast_to,
    np.reshape: reshape,
    np.ravel: ravel,
    np.squeeze: squeeze,
    np.expand_dims: expand_dims,
    np.transpose: transpose,
    np.swapaxes: swapaxes,
    np.moveaxis: moveaxis,
    np.roll: roll,
}
