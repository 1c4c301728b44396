"""Lines through a point: sample f along each, apply the stencil, judge the result.

All the differences of this package are derivatives along lines `base + s * direction`, with s in units of the
step. A line's direction is already multiplied by its step, so that s is a small integer or a power of 1/3.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.finite_differences.stencils import LADDER, Stencil, optimal_step, stencil


class Axes:
    """Directions h_i e_i, or h_i e_i + h_j e_j where j is not n, made when sliced: all at once may be too many."""

    def __init__(self, h, i, j=None):
        self.h, self.i, self.j = h, np.asarray(i), j

    def __len__(self):
        return self.i.size

    def __mul__(self, factor):
        return Axes(factor * self.h, self.i, self.j)

    def __getitem__(self, lines):
        i, n = self.i[lines], self.h.size
        directions = self.h[i, None] * (i[:, None] == np.arange(n))
        if self.j is None:
            return directions
        j = self.j[lines]
        return directions + self.h[j % n, None] * (j[:, None] == np.arange(n))

    def moved(self, starts, factors, lines):
        """Return `starts + factors * self[lines]`, in NumPy: most components are only copied."""
        i = self.i[lines]
        points = np.empty((len(factors), i.size, self.h.size), np.result_type(starts, factors))
        points[:] = starts
        points[:, np.arange(i.size), i] += factors[:, None] * self.h[i]
        if self.j is not None:
            j = self.j[lines]
            two = np.flatnonzero(j < self.h.size)
            points[:, two, j[two]] += factors[:, None] * self.h[j[two]]
        return points

    def combined(self, shares):
        """Return the sum of the directions h_i e_i, each times its share."""
        assert self.j is None
        return np.bincount(self.i, shares * np.asarray(self.h)[self.i], self.h.size).astype(self.h.dtype)


def solve(task, bases, directions, imaginary, h, eta, ratio, reach, fold=None, together=None):
    """Differentiate f along D lines.

    Line d is `bases[d] + s * directions[d]`, where `bases` of length one serves all lines, and s is in units of
    the step `h[d]`. For "complex", i * imaginary[d] is added to it, and Im f / eta[d] takes the place of f.
    `ratio[d]` is |x| / h: how much larger a rounding of x is than one of the step. `reach[d]` is the size of the
    direction against max(1, |x|), by which the derivative of a function of size |f| is expected to be |f| reach.
    `fold(a, sign)` combines the lines' derivatives, with sign -1, or the bounds on their roundoff, with sign +1. The
    lines `together` have the same first point; without them each line has its own.

    Returns
    -------
    df, error : arrays, shape (D, ``*out``)
    nfev : int
    """
    power = task.order - (task.scheme == "complex")
    if task.scheme != "complex":
        offsets, rows, parents = stencil(task.scheme, power, task.accuracy)
        values, nfev = _sample(task, bases, directions, None, offsets)
        size = abs(values)
    else:
        once = Stencil(np.zeros(1), np.ones((1, 1)), ())
        offsets, rows, parents = stencil("central", power, task.accuracy) if power else once
        values, nfev = _sample(task, bases, directions, imaginary, offsets)
        if not isinstance(values, jax.core.Tracer):
            nfev += _check_analytic(task, bases, directions, imaginary, offsets[0], values[0], together)
        size = abs(values.real) * _column(reach, values.ndim - 1)
        values = values.imag / _column(eta, values.ndim - 1)
        size = size + abs(values)
    u = float(jnp.finfo(task.x.dtype).eps) / 2
    terms, roundoff = _formulas(task.xp, offsets, rows, values, size, _column(ratio, values.ndim - 1), u, power)
    if fold is not None:
        terms, roundoff = fold(terms, -1), fold(roundoff, +1)
    df, error = _select(task.xp, terms, roundoff, parents)
    if task.step_given and not power:
        # An imaginary step of the caller's may be too long: one twice as long measures what it truncates.
        values, more = _sample(task, bases, directions, imaginary * 2, offsets)
        error, nfev = error + abs(df - values[0].imag / _column(2 * eta, df.ndim)), nfev + more
    scale = _column(h, df.ndim) ** power
    return df / scale, error / scale, nfev


def _formulas(xp, offsets, rows, values, size, ratio, u, power):
    """Apply each row of weights to the values, and bound the roundoff of each.

    A value may be off by u (size + |x f'|): half a unit in the last place of its size, |f|, and what half a unit in x
    makes of it.
    """
    if not power:  # the value itself is the formula
        return values, u * size
    # The weights add to zero. Take the differences to the nearest point first, which rounds the least.
    near, out = int(abs(offsets).argmin()), values.shape[1:]
    values, size = (a.reshape(len(offsets), -1) for a in (values, size))
    values = values - values[near]
    gaps = abs(offsets - offsets[near])[:, None]
    gaps[near] = np.inf
    slopes = (abs(values) / xp.asarray(gaps, dtype=values.dtype)).max(axis=0).reshape(out) * ratio
    rows = xp.asarray(rows, dtype=values.dtype)
    full = {"precision": "highest"} if xp is jnp else {}  # or a GPU may multiply in TF32
    terms, sizes = (xp.matmul(w, a, **full).reshape(len(w), *out) for w, a in ((rows, values), (abs(rows), size)))
    return terms, u * (sizes + _column(abs(rows).sum(axis=1), sizes.ndim) * slopes)


def _select(xp, terms, roundoff, parents):
    """Return the first row with its distance to the next, or the entry of a table that looks best."""
    if len(terms) == 1:
        return terms[0], 2 * roundoff[0]
    if not parents:
        return terms[0], abs(terms[0] - terms[1]) + roundoff[0]
    entry, left, above = np.array(parents).T
    error = xp.maximum(abs(terms[entry] - terms[left]), abs(terms[entry] - terms[above])) + roundoff[entry]
    # Where all wide steps miss an oscillation they agree among themselves, but not with the two narrowest.
    narrow = len(entry) - len(LADDER) + 1
    error = xp.maximum(error, abs(terms[entry] - terms[entry[narrow]]) - error[narrow])
    best = error.argmin(axis=0)[None]
    return tuple(xp.take_along_axis(a, best, axis=0)[0] for a in (terms[entry], error))


def _sample(task, bases, directions, imaginary, offsets):
    """Evaluate f along the lines: values, (len(offsets), D, *out), and their number.

    A point that all lines share is evaluated once.
    """
    shared = len(bases) == 1 and imaginary is None
    with_center = shared and 0 in offsets
    moving = offsets[offsets != 0] if with_center else offsets
    sample = _sample_batched if task.batched else _sample_host
    center, values = sample(task, bases, directions, imaginary, moving, with_center)
    if with_center:
        at = int(np.flatnonzero(offsets == 0)[0])
        center = task.xp.broadcast_to(center, values.shape[1:])[None]
        values = task.xp.concatenate([values[:at], center, values[at:]])
    return values, len(moving) * values.shape[1] + with_center


def _points(task, bases, directions, imaginary, offsets, lines):
    """Return the points of a slice of lines, (len(offsets), lines, *x)."""
    xp, dtype = task.xp, task.x.dtype
    points = (bases if len(bases) == 1 else bases[lines])[None]
    if imaginary is not None:
        points = _moved(points[0], imaginary, 1j * xp.ones(1, dtype), lines)
    return _moved(points[0], directions, xp.asarray(offsets, dtype=dtype), lines) if offsets.any() else points


def _moved(starts, directions, factors, lines):
    """Return starts + factors * directions, for a slice of lines."""
    if isinstance(directions, Axes) and isinstance(factors, np.ndarray):
        return directions.moved(starts, factors, lines)
    along = directions[lines]
    return starts + _column(factors, along.ndim + 1) * along


def _slices(task, count):
    """Cut lines into slices whose points take little memory."""
    size = max(1, 2**16 // task.x.size)
    return [slice(first, first + size) for first in range(0, count, size)]


def _sample_host(task, bases, directions, imaginary, offsets, with_center):
    """Call f with one point at a time, and copy what it returns, which may be a buffer that it uses again."""
    call = partial(_called, task) if task.scheme == "complex" else task.f
    center = np.array(call(bases[0].copy())) if with_center else None
    parts = (_points(task, bases, directions, imaginary, offsets, lines) for lines in _slices(task, len(directions)))
    # In rows, line by line: to loop over one axis takes a third of the time that it takes over two.
    flat = [np.array(call(point)) for part in parts for point in part.swapaxes(0, 1).reshape(-1, *bases.shape[1:])]
    shapes = {y.shape for y in flat} | ({center.shape} if with_center else set())
    if len(shapes) > 1:
        raise ValueError(
            f"`finite_differences.{task.call}(f=...)` should return one shape at all points. Got {sorted(shapes)}."
        )
    (shape,) = shapes
    _check_shape(task, shape)
    # Of many small arrays, concatenate makes one far sooner than array does.
    values = (np.concatenate(flat) if shape else np.array(flat)).reshape(len(directions), len(offsets), *shape)
    center = _checked_values(task, center) if with_center else None
    return center, _checked_values(task, np.swapaxes(values, 0, 1))


def _sample_batched(task, bases, directions, imaginary, offsets, with_center):
    """Call f once, with all points."""
    xp = task.xp
    points = _points(task, bases, directions, imaginary, offsets, slice(None))
    lines, flat = points.shape[:2], points.reshape(-1, *points.shape[2:])
    if with_center:
        flat = xp.concatenate([bases, flat])
    values = xp.asarray(_called(task, flat))
    if values.ndim == 0 or len(values) != len(flat):
        raise ValueError(
            f"`finite_differences.{task.call}(f=..., batched=True)` should return one value for each of the "
            f"{len(flat)} points along the first axis. Got shape {values.shape}. Use jax.vmap(f), or batched=False."
        )
    _check_shape(task, values.shape[1:])
    values = _checked_values(task, values)
    return values[0] if with_center else None, values[with_center:].reshape(*lines, *values.shape[1:])


def _called(task, point):
    """Call f; where a complex step meets a function for real numbers only, say so."""
    try:
        return task.f(point)
    except TypeError as error:
        if task.scheme == "complex" and "complex" in str(error):
            raise TypeError(
                f"`finite_differences.{task.call}(scheme='complex')` should be given a function of complex numbers. "
                f"Got one that raised {error!r}. Use numpy rather than math, or scheme='central'."
            ) from error
        raise


def _check_shape(task, shape):
    """Check the shape of f at one point."""
    if task.rank is not None and len(shape) > task.rank:
        should = "a number" if task.rank == 0 else "a number or an array of shape (m,)"
        raise ValueError(f"`finite_differences.{task.call}(f=...)` should return {should}. Got shape {shape}.")


def _checked_values(task, values):
    """Check kind, precision and finiteness of what f returned."""
    call, wanted = f"`finite_differences.{task.call}(f=...)`", task.x.dtype
    if values.dtype.kind in "biu":
        values = values.astype(wanted)
    is_complex = jnp.issubdtype(values.dtype, jnp.complexfloating)
    if task.scheme == "complex" and not is_complex:
        raise TypeError(
            f"{call} should return complex numbers for scheme='complex'. Got {values.dtype}: it drops the imaginary "
            "part, which carries the derivative (abs, float, real and rounding do). Use scheme='central'."
        )
    if not jnp.issubdtype(values.dtype, jnp.inexact) or is_complex != (task.scheme == "complex"):
        raise TypeError(f"{call} should return real numbers. Got {values.dtype}.")
    if jnp.finfo(values.dtype).eps > jnp.finfo(wanted).eps:
        raise TypeError(
            f"{call} should return the precision of x, {wanted}, for which the step is chosen. Got {values.dtype}. "
            f"Pass x as {values.real.dtype}, or let f compute in {wanted} (JAX needs jax_enable_x64 for float64)."
        )
    if not isinstance(values, jax.core.Tracer) and not np.isfinite(values).all():
        raise ValueError(
            f"{call} should return finite numbers near x. Got NaN or infinity. Pass a smaller step, or "
            "scheme='forward' or 'backward' to stay on one side of x."
        )
    return values.astype(task.xp.result_type(wanted, np.complex64) if is_complex else wanted)


def _check_analytic(task, bases, directions, imaginary, offset, values, together):
    """Compare imaginary parts with central differences: a function that drops them is told before it misleads.

    The lines `together` start at one point, and one direction that mixes them all is compared; where there are no
    such lines, each is compared. Return the number of evaluations.
    """
    if together is None:
        starts, alongs, claimed = bases + float(offset) * directions, imaginary, np.asarray(values.imag)
    else:
        # Shares of the golden ratio: no two are alike, so that lines do not cancel.
        share = np.zeros(len(values), task.x.dtype)
        share[together] = 1 + (0.618033988749895 * np.arange(1, len(together) + 1)) % 1
        combined = imaginary.combined if isinstance(imaginary, Axes) else partial(np.tensordot, b=imaginary, axes=1)
        alongs = combined(share)[None]
        starts = bases + float(offset) * directions[together[0] : together[0] + 1]
        claimed = np.tensordot(share, np.asarray(values.imag), 1)[None]
    reach = float((abs(alongs) / task.xp.maximum(1, abs(starts))).max())
    eps, t = float(jnp.finfo(task.x.dtype).eps), optimal_step("central", 2, task.x.dtype) / (reach or 1)
    off = np.zeros(claimed.shape)
    for trial in range(1, 7):
        right, left = (_values_at(task, starts + side * t * alongs) for side in (1, -1))
        seen, noise = (right - left).real / (2 * t), 50 * eps * abs(right) / t
        last, off = off, abs(claimed - seen)
        size = np.maximum(abs(claimed), abs(seen))
        # A gap that shrinks with the step is truncation; one that stays is an imaginary part lost.
        if ((off <= 0.1 * size + noise) | (off < last / 2)).all():
            return 2 * trial * len(starts)
        if (noise > 0.1 * size).all():
            break
        t /= 16
    raise ValueError(
        f"`finite_differences.{task.call}(f=...)` should be analytic for scheme='complex'. Got one whose imaginary "
        "parts disagree with a difference of its values (abs, real and conj do that). Use scheme='central'."
    )


def _values_at(task, points):
    """Evaluate f at each of some real points, out of sight: points beyond its domain are no concern here."""
    with np.errstate(all="ignore"):
        return np.array(task.f(points) if task.batched else [np.array(task.f(point)) for point in points.copy()])


def _column(a, ndim):
    """Append axes, so that one number a line meets values of shape (D, *out)."""
    return a.reshape(a.shape + (1,) * (ndim - a.ndim))
