"""Inflection points of sampled curves: where the second derivative changes sign by more than roundoff."""

import jax
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.finite_differences.stencils import checked_index
from autodiff_tutorial.sampled_data.derivatives import derivative
from autodiff_tutorial.sampled_data.samples import (
    checked_numbers,
    checked_samples,
    checked_smoothing,
    in_pieces,
    rescaled,
)
from autodiff_tutorial.sampled_data.smoothing import smoothing_weights

# Roundoff is taken to be at most this many machine epsilons; straight lines on wild grids show up to half of it.
ROUNDOFF = 16


def inflection_points(y: ArrayLike, x: ArrayLike, *, window: int | None = None, degree: int = 3) -> np.ndarray:
    r"""Locate the places where a sampled curve changes from bending one way to bending the other.

    There the second derivative :math:`y''` changes sign. Between two neighbors of opposite sign the place is found
    by linear interpolation of :math:`y''`, with an error of :math:`O(h^2)` in smooth curves. Values of :math:`y''`
    that roundoff alone may have caused count as zero, and zeros between plus and minus are one place, their middle.

    Noise in y makes the second derivative change sign at random; a `window` smooths it.

    Parameters
    ----------
    y : array_like, shape (n,)
        The samples, real.
    x : array_like, shape (n,)
        The grid, strictly increasing or decreasing.
    window : int, optional
        By default :math:`y''` is ``derivative(y, x, order=2)``, from four samples. With a window it is
        ``smooth_derivative(y, x, window, degree, order=2)``, from that many.
    degree : int
        Degree of the polynomials that smooth, at least 2.

    Returns
    -------
    numpy.ndarray, shape (m,)
        The places, in the order of the grid; none for a straight line, unless windows of high degree bend it by more
        than is taken as roundoff. This is a function of the host: how many there are depends on the values.

    Raises
    ------
    TypeError
        If `y` or `x` is no array of real numbers, or is traced, or an option is no integer.
    ValueError
        If there are fewer than four samples or than the window holds, or as `smooth_derivative`.

    Notes
    -----
    With the weights :math:`w_j` of the second derivative, sixteen machine epsilons times
    :math:`\sum_j |w_j| (|y_j| + |x_j y'_j|)` are taken as roundoff, which comes from rounding y and x; the epsilon is
    that of the coarser one. Without a window the weights are found as the derivative of five combs, each with one
    tooth in reach.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-4, 6, 101)
    >>> inflection_points(1 / (1 + np.exp(1 - x)), x).round(3)
    array([1.])
    >>> inflection_points(2 * x + 1, x)
    array([], dtype=float64)
    """
    call, least = "inflection_points", 4
    for name, value in (("y", y), ("x", x)):
        if isinstance(value, jax.core.Tracer):
            raise TypeError(
                f"`sampled_data.{call}({name}=...)` should be concrete, since the values decide how many points are "
                "found. Got a traced array. Call it outside of `jax.jit`."
            )
    y = np.asarray(checked_numbers(call, "y", y, "iuf"))
    if y.ndim != 1:
        raise ValueError(f"`sampled_data.{call}(y=...)` should have shape (n,). Got {y.shape}. Take one curve a call.")
    why = "a second derivative"
    if window is None:
        checked_index(f"sampled_data.{call}", "degree", degree, least=2)
    else:
        window, degree, _ = checked_smoothing(call, window, degree, 2)
        least, why = max(4, window), f"window={window}"
    x = np.asarray(checked_numbers(call, "x", x, "iuf"))
    eps = max((np.finfo(a.dtype).eps for a in (y, x) if a.dtype.kind == "f"), default=np.finfo(float).eps)
    y, grid, *_ = checked_samples(call, y, x, -1, least, why)
    x = x.astype(np.result_type(x, y))  # the places themselves, where `grid` may count from elsewhere
    uncertain = abs(y) + abs(x * derivative(y, grid))
    if window is None:
        bend = derivative(y, grid, order=2)
        # Five combs suffice, since the mean of two windows of four spans five samples.
        comb = np.arange(x.size) % 5 == np.arange(5)[:, None]
        roundoff = abs(derivative(comb * uncertain, grid, order=2)).sum(axis=0)
    else:

        def formula(start, stop):
            index, w, size = smoothing_weights(grid, np.arange(start, stop), window, degree, 2)
            both = np.stack([(w * y[index]).sum(axis=-1), (abs(w) * uncertain[index]).sum(axis=-1)])
            return rescaled(both, size, 2)

        bend, roundoff = in_pieces(formula, np.stack([y, uncertain]), work=window * (degree + 1))
    sign = np.where(abs(bend) > ROUNDOFF * eps * roundoff, np.sign(bend), 0)
    bent = np.flatnonzero(sign)
    turns = np.flatnonzero(np.diff(sign[bent]))
    before, after = bent[turns], bent[turns + 1]
    crossing = x[before] - bend[before] * (grid[after] - grid[before]) / (bend[after] - bend[before])
    middle = (x[before + 1] + x[after - 1]) / 2
    return np.where(after == before + 1, crossing, middle)
