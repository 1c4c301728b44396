"""Derivatives of what goes near the samples: polynomials of least squares, for noisy ones."""

import math

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.finite_differences.stencils import Array, power_of_two
from autodiff_tutorial.sampled_data.samples import (
    checked_samples,
    checked_smoothing,
    fixed,
    in_pieces,
    namespace,
    rescaled,
)


def smooth_derivative(y: ArrayLike, x: ArrayLike, window: int, degree: int, order: int = 1, *, axis: int = -1) -> Array:
    r"""Differentiate noisy samples on any grid, by the polynomial nearest to each sample's neighbors.

    At :math:`x_i` the result is :math:`p^{(q)}(x_i)`, where :math:`p` is the polynomial of the given degree with the
    least :math:`\sum_j (p(x_j) - y_j)^2` over the window around :math:`x_i`; near the ends, over the first or the
    last window. It is exact for polynomials up to that degree, and otherwise errs by :math:`O(h^{d + 1 - q})` with
    :math:`d` the degree and :math:`h` the width of the window. Independent noise of standard deviation
    :math:`\sigma` in y is noise of :math:`\sigma \sqrt{\sum_j w_j^2}` in the result, with :math:`w_j` its weights:
    the wider the window and the lower the degree, the less noise and the more bias.

    Parameters
    ----------
    y : array_like, shape (..., n, ...)
        The samples, real or complex.
    x : array_like, shape (n,)
        The grid, strictly increasing or decreasing.
    window : int
        How many samples a polynomial is fitted to, an odd number up to n.
    degree : int
        Degree d of the polynomials, below the window.
    order : int
        Order q of the derivative, from 0 (smoothing) to the degree.
    axis : int
        The axis of `y` along which the samples lie.

    Returns
    -------
    array, shape of `y`
        A JAX array if `y` or `x` is one (then the function may be traced, and differentiated in both), else a NumPy
        array.

    Raises
    ------
    TypeError, ValueError
        As `derivative`, or if the window is even or above n, or the degree does not lie between order and window.

    Notes
    -----
    The filter of :cite:t:`savitzky1964`, by orthogonal polynomials as :cite:t:`forsythe1957`, orthogonalized twice:
    about `4 * degree**2 * window` operations a sample. NumPy works in pieces that fit the cache; JAX holds about
    `n * window` numbers for each degree and for each line of samples.

    On windows whose gaps differ by many orders of magnitude, digits are lost where the gaps are small: the polynomials
    are scaled to the width of the window.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 101)
    >>> noisy = np.sin(x) + 1e-3 * np.random.default_rng(0).normal(size=101)
    >>> bool(abs(np.gradient(noisy, x) - np.cos(x)).max() > 0.1)
    True
    >>> bool(abs(smooth_derivative(noisy, x, window=41, degree=2) - np.cos(x)).max() < 0.02)
    True
    """
    call = "smooth_derivative"
    window, degree, order = checked_smoothing(call, window, degree, order)
    y, x, axis, xp = checked_samples(call, y, x, axis, window, f"window={window}")
    full = {"precision": "highest"} if xp is jnp else {}  # or a GPU may multiply in TF32

    def formula(start, stop):
        index, w, size = smoothing_weights(x, np.arange(start, stop), window, degree, order)
        return rescaled(xp.einsum("...nw,nw->...n", y[..., index], w, **full), size, order)

    work = window * max(degree + 1, math.prod(y.shape[:-1]))
    return xp.moveaxis(in_pieces(formula, y, work), -1, axis)


def smoothing_weights(x, at, window, degree, order):
    """Return the indices of the windows around the points `at`, the weights of the samples there, and a size each.

    With polynomials P_l that are orthonormal on the window, the weights are sum_l P_l(x_j) P_l^(q)(x_i); here they
    are without the factor q! / size^q.
    """
    xp = namespace(x)
    index = np.clip(at - window // 2, 0, x.shape[0] - window)[:, None] + np.arange(window)
    d = x[index] - x[at][:, None]
    size = power_of_two(abs(fixed(d)).max(axis=-1), xp)
    d = d / size[:, None]
    one = np.full((1, window), window**-0.5)
    P = [xp.asarray(np.broadcast_to(one, d.shape), dtype=d.dtype)]
    # Taylor's coefficients at x_i, where d = 0, of orders 0 to q; they obey the same recurrence as the values.
    constant = one[:, :1] * (np.arange(order + 1) == 0)
    taylor = [xp.asarray(np.broadcast_to(constant, (len(at), order + 1)), dtype=d.dtype)]
    for _ in range(degree):
        p = d * P[-1]
        t = xp.concatenate([xp.zeros_like(taylor[-1][:, :1]), taylor[-1][:, :-1]], axis=-1)
        for _ in range(2):
            for known, known_t in zip(P, taylor, strict=True):
                h = (p * known).sum(axis=-1, keepdims=True)
                p, t = p - h * known, t - h * known_t
        norm = xp.sqrt((p * p).sum(axis=-1, keepdims=True))
        P.append(p / norm)
        taylor.append(t / norm)
    return index, sum(p * t[:, order:] for p, t in zip(P, taylor, strict=True)), size
