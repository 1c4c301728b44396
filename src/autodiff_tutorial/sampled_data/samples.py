"""Samples on their way in and out: checked before work starts, and worked through in pieces.

Knows nothing of derivatives. Values are checked where they are concrete; under `jax.jit`, shapes and dtypes are.
"""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.finite_differences.stencils import checked_index

# NumPy works through long arrays in pieces of about this many numbers, so that what lies between stays in the cache.
PIECE = 2**17


def namespace(*arrays):
    """Return `jax.numpy` if any of the arrays is JAX's (or traced), else `numpy`."""
    return jnp if any(isinstance(a, jax.Array) for a in arrays) else np


def checked_samples(call, y, x, axis, least, why):
    """Check samples and grid; return y with its axis last, x, the axis, and the namespace.

    `least` is how many samples it takes, and `why` says for what.
    Floats keep their precision, the higher one if y and x differ; where neither is floating, the default is taken.
    A grid that would lose digits by that is first counted from another origin; only its gaps are to be relied on.
    """
    xp = namespace(y, x)
    y, x = checked_numbers(call, "y", y, "iufc"), checked_numbers(call, "x", x, "iuf")
    axis, n = checked_axis(call, y, axis)
    if x.ndim != 1:
        raise ValueError(
            f"`sampled_data.{call}(x=...)` should be the grid, of shape ({n},). Got shape {x.shape}. "
            "For a spacing h, give np.arange(n) * h."
        )
    if x.shape[0] != n:
        raise ValueError(
            f"`sampled_data.{call}(x=...)` should hold one point for each of the {n} samples of y along axis {axis}. "
            f"Got {x.shape[0]} points, for y of shape {y.shape}."
        )
    if n < least:
        raise ValueError(
            f"`sampled_data.{call}(y=..., x=...)` should hold at least {least} samples for {why}. Got {n}."
        )
    dtype = _floating(xp, y, x)
    x = _checked_grid(call, x, xp.finfo(dtype).dtype, xp)
    y = _finite(call, "y", y, dtype, xp)
    # Where only y is traced, what follows from x alone is done once, by NumPy, and not by the compiler.
    x = np.asarray(x) if isinstance(y, jax.core.Tracer) and not isinstance(x, jax.core.Tracer) else xp.asarray(x)
    return xp.moveaxis(xp.asarray(y), axis, -1), x, axis, xp


def checked_numbers(call, name, value, kinds):
    """Return an array, NumPy's or JAX's, of numbers of the given kinds, in single or double precision."""
    if np.ma.is_masked(value):
        raise ValueError(
            f"`sampled_data.{call}({name}=...)` should have no masked samples. Got {np.ma.count_masked(value)}. "
            "Drop them, as by y.compressed() and x[~y.mask]."
        )
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
    except ValueError:
        raise TypeError(f"`sampled_data.{call}({name}=...)` should be an array. Got a ragged list.") from None
    floating = array.dtype.kind in "fc"
    if array.dtype.kind not in kinds or (floating and np.finfo(array.dtype).bits not in (32, 64)):
        raise TypeError(
            f"`sampled_data.{call}({name}=...)` should hold {'' if 'c' in kinds else 'real '}numbers: integers, or "
            f"floats of 32 or 64 bits. Got {array.dtype}."
        )
    return array


def checked_axis(call, y, axis):
    """Return the axis, counted from 0, and how many samples lie along it."""
    axis = checked_index(f"sampled_data.{call}", "axis", axis)
    if not -y.ndim <= axis < y.ndim:
        raise ValueError(
            f"`sampled_data.{call}(axis=...)` should be an axis of y, whose shape is {y.shape}. Got {axis}."
        )
    axis %= y.ndim
    return axis, y.shape[axis]


def checked_periodic(call, y, length, axis):
    """Check the samples of one period; return y with its axis last, the length, the axis, and the namespace."""
    xp = namespace(y, length)
    y, length = checked_numbers(call, "y", y, "iufc"), checked_numbers(call, "length", length, "iuf")
    axis, n = checked_axis(call, y, axis)
    if n == 0:
        raise ValueError(f"`sampled_data.{call}(y=...)` should not be empty. Got shape {y.shape}.")
    dtype = _floating(xp, y)
    length = _converted(length, xp.finfo(dtype).dtype, xp)
    if length.ndim or not (isinstance(length, jax.core.Tracer) or 0 < length < np.inf):
        got = f"shape {length.shape}" if length.ndim else length
        raise ValueError(
            f"`sampled_data.{call}(length=...)` should be the period, one number, positive and finite. Got {got}."
        )
    y = xp.moveaxis(xp.asarray(_finite(call, "y", y, dtype, xp)), axis, -1)
    return y, xp.asarray(length), axis, xp


def _floating(xp, *arrays):
    """Return the dtype to work in: whole numbers follow the floats, and JAX without x64 has float32 only."""
    floats = [a.dtype for a in arrays if a.dtype.kind in "fc"] or [np.float64]
    return xp.asarray(np.empty(0, np.result_type(*floats))).dtype


def _converted(array, dtype, xp):
    """Convert on the side on which the array is, so that what is concrete stays concrete while it is checked."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        return array.astype(dtype) if isinstance(array, np.ndarray) else xp.asarray(array, dtype=dtype)


def _finite(call, name, given, dtype, xp):
    """Convert, and check that what is concrete is finite thereafter."""
    array = _converted(given, dtype, xp)
    if isinstance(array, jax.core.Tracer):
        return array
    finite = np.isfinite(np.asarray(array))
    if not finite.all():
        index = np.unravel_index(np.argmin(finite), finite.shape)
        where = int(index[0]) if len(index) == 1 else tuple(int(i) for i in index)
        way_out = "any grid will do" if call != "spectral_derivative" else "`derivative` takes any grid"
        raise ValueError(
            f"`sampled_data.{call}({name}=...)` should be finite in {array.dtype}. "
            f"Got {given[index]} at index {where}. Leave those samples out: {way_out}."
        )
    return array


def _checked_grid(call, given, dtype, xp):
    """Convert a grid without losing its gaps; check that what is concrete is sorted before and after."""
    if isinstance(given, jax.core.Tracer):
        return _converted(given, dtype, xp)
    x = np.asarray(_finite(call, "x", given, given.dtype, xp))
    should = f"`sampled_data.{call}(x=...)` should be strictly increasing or decreasing"
    if i := _disorder(x):
        raise ValueError(f"{should}. Got {x[i]} after {x[i - 1]} at index {i}. Sort the samples and drop repeats.")
    if x.dtype == dtype:
        return given
    if x.dtype.kind != "f" or not np.can_cast(x.dtype, dtype):
        # Counted from the place nearest to 0, which is 0, the first or the last point, so that nothing wraps around.
        x = x - sorted((0, x[0], x[-1]))[1]
    x = _finite(call, "x", x, dtype, xp)
    if i := _disorder(x):
        raise ValueError(
            f"{should} in {dtype}, too. Got {given[i]} after {given[i - 1]} at index {i}: x is too fine for {dtype}. "
            "Give y in float64 (in JAX with jax_enable_x64), or a shorter stretch of the grid."
        )
    return x


def _disorder(x):
    """Return the first index at which a grid does not go on as it should, or 0."""
    sorted_ = x[1:] > x[:-1] if x[-1] >= x[0] else x[1:] < x[:-1]
    return 0 if sorted_.all() else int(np.argmin(sorted_)) + 1


def checked_smoothing(call, window, degree, order):
    """Check the options of local least squares; return them as integers."""
    window = checked_index(f"sampled_data.{call}", "window", window, least=3)
    degree = checked_index(f"sampled_data.{call}", "degree", degree, least=0)
    order = checked_index(f"sampled_data.{call}", "order", order, least=0)
    if window % 2 == 0:
        raise ValueError(
            f"`sampled_data.{call}(window=...)` should be odd, so that a sample is in its middle. Got {window}."
        )
    if degree >= window:
        raise ValueError(
            f"`sampled_data.{call}(degree=...)` should be below window={window}. Got {degree}. Widen the window."
        )
    if order > degree:
        raise ValueError(
            f"`sampled_data.{call}(degree=...)` should be at least {order}, the order of the derivative. Got {degree}."
        )
    return window, degree, order


def fixed(x):
    """Return x as a constant, for what serves only to scale."""
    return x if isinstance(x, np.ndarray) else jax.lax.stop_gradient(x)


def rescaled(result, size, order):
    """Return ``result * order! / size**order``, step by step: the factor may over- or underflow on its own."""
    for i in range(1, order + 1):
        result = result * (i / size)
    return result


def in_pieces(formula, y, work, least=1):
    """Return ``formula(start, stop)`` from 0 to n, shaped like y; each value takes `work` numbers on the way."""
    n, piece = y.shape[-1], max(least, PIECE // max(1, work))
    if isinstance(y, jax.Array) or n <= piece:
        return formula(0, n)
    result = np.empty_like(y)
    for start in range(0, n, piece):
        stop = min(n, start + piece)
        result[..., start:stop] = formula(start, stop)
    return result
