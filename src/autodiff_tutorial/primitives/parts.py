"""Parts of arrays: taken out, put in, and joined.

The transpose of taking entries out is putting them among zeros; an entry that is taken twice gets the sum.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.primitives.arrays import expand_dims, linear, sum_like
from autodiff_tutorial.primitives.rules import EachArgument, define
from autodiff_tutorial.primitives.tracing import NUMPY, on_jax, plain, shape_of, xp, zeros_like

_concatenate = define(
    "concatenate",
    lambda *arrays, axis: xp(*arrays).concatenate(arrays, axis=axis),
    jvp=EachArgument(lambda i: lambda x_dot, y, *arrays, axis: _put(x_dot, _part(arrays, i, axis), shape_of(y))),
    vjp=EachArgument(lambda i: lambda y_bar, y, *arrays, axis: y_bar[_part(arrays, i, axis)]),
    linear=True,
)


def _part(arrays, i, axis):
    """Return the index of array i in the concatenation of all."""
    ends = list(itertools.accumulate((shape_of(a)[axis] for a in arrays), initial=0))
    return (*[slice(None)] * (axis % len(shape_of(arrays[0]))), slice(ends[i], ends[i + 1]))


def concatenate(arrays: Sequence, axis: int = 0) -> Any:
    """Join arrays along an axis."""
    return _concatenate(*arrays, axis=axis)


def stack(arrays: Sequence, axis: int = 0) -> Any:
    """Join arrays, or numbers, along a new axis."""
    return _concatenate(*[expand_dims(a, axis) for a in arrays], axis=axis)


def _basic(index):
    """Say whether an index consists of whole numbers, slices, None and ... only."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is ... or isinstance(part, int | slice | np.integer) for part in parts) and not any(
        isinstance(part, bool) for part in parts
    )


def _check_range(x, index):
    """Raise an error where JAX would clamp or drop an index that is out of range; a traced one shows no numbers."""
    if on_jax(plain(x)) and not any(isinstance(part, jax.core.Tracer) for part in jax.tree.leaves(index)):
        np.broadcast_to(0.0, shape_of(x))[index]


def _put_value(y, index, shape):
    if not on_jax(y):
        zeros = np.zeros(shape, y.dtype)
        if _basic(index):
            zeros[index] = y
        else:
            np.add.at(zeros, index, y)
        return zeros
    if _basic(index):
        return _padded(y, index, shape)
    return jnp.zeros(shape, y.dtype).at[index].add(y)


def _padded(y, index, shape):
    """Place y where a basic index points, among zeros: XLA fuses a padding, but no scatter."""
    parts = index if isinstance(index, tuple) else (index,)
    taken = [part for part in parts if part is not None]
    if not any(part is ... for part in taken):
        taken.append(...)
    dots = next(i for i, part in enumerate(taken) if part is ...)
    taken[dots : dots + 1] = [slice(None)] * (len(shape) - len(taken) + 1)
    counts, padding, flipped = [], [], []
    for axis, (part, n) in enumerate(zip(taken, shape, strict=True)):
        places = range(n)[part] if isinstance(part, slice) else range(n)[part : n if part == -1 else part + 1]
        if places.step < 0:
            flipped.append(axis)
            places = places[::-1]
        counts.append(len(places))
        padding.append((places[0], n - 1 - places[-1], places.step - 1) if places else (0, n, 0))
    y = y.reshape(counts)
    return jax.lax.pad(jnp.flip(y, flipped) if flipped else y, jnp.zeros((), y.dtype), padding)


_get = linear(
    "index",
    lambda x, *, index: x[index],
    lambda y_bar, y, x, *, index: _put(y_bar, index, shape_of(x)),
)
_put_at = linear(
    "put",
    lambda y, *, index, shape: _put_value(y, index, shape),
    lambda x_bar, x, y, *, index, shape: x_bar[index],
)


def _put(y, index, shape):
    """Return zeros but for y at the index: the transpose of indexing."""
    return _put_at(y, index=index, shape=tuple(shape))


def index(x: Any, index: Any) -> Any:
    """Return x[index], by any index of NumPy; the function behind the brackets of a traced value.

    Parameters
    ----------
    x : array_like
        Floats.
    index : int, slice, None, ..., array of int or bool, or tuple of these
        What is taken. Traced values cannot be indices.

    Returns
    -------
    array_like
        The entries. Their cotangents are added up where an entry is taken twice.

    Raises
    ------
    IndexError
        If a number is out of range, on JAX arrays too.

    Examples
    --------
    >>> index(np.array([1.0, 2.0, 3.0]), slice(None, None, -2))
    array([3., 1.])
    """
    _check_range(x, index)
    return _get(x, index=index)


_replace = define(
    "replace",
    lambda x, y, *, index: _replaced(x, y, index),
    jvp=(
        lambda x_dot, out, x, y, *, index: replace(x_dot, index, 0.0),
        lambda y_dot, out, x, y, *, index: replace(zeros_like(x), index, y_dot),
    ),
    vjp=(
        lambda out_bar, out, x, y, *, index: replace(out_bar, index, 0.0),
        lambda out_bar, out, x, y, *, index: sum_like(out_bar[index], y),
    ),
    linear=True,
)


def _replaced(x, y, index):
    if on_jax(x, y):
        return jnp.asarray(x).at[index].set(y)
    out = np.array(x, dtype=np.result_type(x, y))
    out[index] = y
    return out


def replace(x: Any, index: Any, y: Any) -> Any:
    """Return a copy of x with other entries: what ``x[index] = y`` would make of it.

    Parameters
    ----------
    x : array_like
        Floats.
    index : int, slice, None, ..., array of int or bool, or tuple of these
        Which entries; none may be meant twice.
    y : array_like
        What they become; broadcast to the shape of ``x[index]``.

    Returns
    -------
    array_like
        Of the shape of `x`.

    Raises
    ------
    IndexError
        If a number is out of range, on JAX arrays too.

    Examples
    --------
    >>> replace(np.zeros(3), 1, 5.0)
    array([0., 5., 0.])
    """
    _check_range(x, index)
    return _replace(x, y, index=index)


NUMPY |= {np.concatenate: concatenate, np.stack: stack}
