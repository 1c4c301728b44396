"""Derivatives of what goes through the samples: polynomials on any grid, waves on a periodic one."""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.finite_differences.stencils import Array, checked_index, power_of_two
from autodiff_tutorial.sampled_data.samples import (
    checked_periodic,
    checked_samples,
    fixed,
    in_pieces,
    namespace,
    rescaled,
)


def derivative(y: ArrayLike, x: ArrayLike, *, order: int = 1, accuracy: int = 2, axis: int = -1) -> Array:
    r"""Differentiate samples on any grid, by the polynomial through k = order + accuracy neighbors.

    At :math:`x_i` the result is :math:`p^{(q)}(x_i)`, where :math:`p` has degree below :math:`k = q + p` and goes
    through the k consecutive samples around :math:`x_i`; near the ends, through the first or the last k. It is exact
    for polynomials of degree below k; else the result minus the truth is about

    .. math:: -\frac{q!}{k!} f^{(k)}(x_i) \; [t^q] \prod_j (t + x_i - x_j) = O(h^p),

    with :math:`[t^q]` the coefficient of :math:`t^q` and :math:`h` the largest gap in the window. For order 1 and
    accuracy 2 this is ``np.gradient(y, x, edge_order=2)``.

    For odd k the window is centered. For even k two windows nearly are, one of which reaches a sample further to the
    left, the other to the right; the result, and its error, is the mean of both. So a reversed grid gives the reversed
    result; on a uniform grid the two outermost samples have no weight if the order is even.

    Parameters
    ----------
    y : array_like, shape (..., n, ...)
        The samples, real or complex.
    x : array_like, shape (n,)
        The grid, strictly increasing or decreasing.
    order : int
        Order q of the derivative, at least 1.
    accuracy : int
        Accuracy p, at least 1: halving all gaps divides the error by :math:`2^p`.
    axis : int
        The axis of `y` along which the samples lie.

    Returns
    -------
    array, shape of `y`
        A JAX array if `y` or `x` is one (then the function may be traced, and differentiated in both), else a NumPy
        array; of the higher precision of the two, or the default if both hold integers.

    Raises
    ------
    TypeError
        If `y` or `x` holds no numbers, `x` is complex, or an option is no integer.
    ValueError
        If `x` is not sorted, has repeats (if only in the precision of the result) or another length than `y`, there
        are fewer than k samples, a sample is NaN, infinite or masked, or an option is out of range.

    Notes
    -----
    Newton's formula, with divided differences that all windows share: at most `k * (order + 6)` operations a
    sample, in passes over whole arrays, and no weights to be kept. Its nodes are taken outward from :math:`x_i`, which
    keeps roundoff to about ten units of :math:`u \sum_j |w_j y_j|` where neighboring gaps are of like size (some
    dozens where they differ by orders of magnitude), with :math:`w_j` the weights :cite:p:`fornberg1988` and u the
    unit roundoff, or of what relative changes of the gaps by u would change.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([0.0, 1.0, 3.0, 4.0, 7.0])
    >>> derivative(x**2, x).round(12)
    array([ 0.,  2.,  6.,  8., 14.])
    >>> derivative(x**3, x, order=2).round(12)
    array([ 0.,  6., 18., 24., 42.])
    """
    order = checked_index("sampled_data.derivative", "order", order, least=1)
    accuracy = checked_index("sampled_data.derivative", "accuracy", accuracy, least=1)
    k = order + accuracy
    y, x, axis, xp = checked_samples("derivative", y, x, axis, k, f"order={order} and accuracy={accuracy}")

    def formula(start, stop):
        first = max(0, start - k)
        near = slice(first, stop + k)
        return _newton(y[..., near], x[near], order, k)[..., start - first : stop - first]

    result = in_pieces(formula, y, work=k * math.prod(y.shape[:-1]), least=4 * k)
    return xp.moveaxis(result, -1, axis)


# Newton's formula with the nodes z_0 = x_i, z_1, z_2, ... taken outward from x_i, so that z_0 to z_m are neighbors in
# the grid, from some leftmost one on:
#
#     p(x_i + t) = sum_m D_m[leftmost_m] * t * prod_{0<j<m} (t + x_i - z_j),                                    (1)
#     D_0 = y,   D_m[s] = (D_{m-1}[s+1] - D_{m-1}[s]) / (x[s+m] - x[s]),                                        (2)
#
# and p^(q)(x_i) / q! is the coefficient of t^q. All points share the differences D_m. Inner points have k // 2 others
# on either side, and z runs right, left, right, ...; for even k the last D_m is the mean over the two that are next.
# At outer points, where the left side is used up, z goes on along the right; the right end is mirrored.
def _newton(y, x, order, k):
    """Return the derivative at every point."""
    xp, of_x, n, reach = namespace(y), namespace(x), x.shape[0], k // 2
    # Gaps of size one, by the mean of the extremes' exponents, keep differences from under- and overflowing.
    gaps = fixed(x[1:] - x[:-1])
    size = power_of_two(abs(gaps.min()) ** 0.5 * abs(gaps.max()) ** 0.5, of_x)
    x = x / size

    leftmost = [slice(reach - m // 2, n - reach - m // 2) for m in range(k)]
    z = [slice(s.start + m % 2 * m, s.stop + m % 2 * m) for m, s in enumerate(leftmost)]
    D = _differences(y, x, k)
    if k % 2 == 0:
        D[-1], leftmost[-1] = (D[-1][..., 1:] + D[-1][..., :-1]) / 2, slice(None)
    inner = _coefficient(D, x, leftmost, z, order)

    leftmost = [np.maximum(np.arange(reach) - m // 2, 0) for m in range(k)]
    pairs = enumerate(itertools.pairwise(leftmost), start=1)
    z = [leftmost[0], *(np.where(new < old, new, new + m) for m, (old, new) in pairs)]
    y = xp.stack([y[..., :k], y[..., ::-1][..., :k]], axis=-2)
    x = of_x.stack([x[:k], x[::-1][:k]])
    outer = _coefficient(_differences(y, x, k), x, leftmost, z, order)
    return rescaled(xp.concatenate([outer[..., 0, :], inner, outer[..., 1, ::-1]], axis=-1), size, order)


def _differences(y, x, k):
    """Return the divided differences (2) of orders 0 to k - 1, along the last axis."""
    D = [y]
    for m in range(1, k):
        D.append(D[-1][..., 1:] - D[-1][..., :-1])
        D[-1] /= x[..., m:] - x[..., :-m]
    return D


def _coefficient(D, x, leftmost, z, order):
    """Return the coefficient of t^order in (1)."""
    result, c = D[order][..., leftmost[order]], [1.0]  # c: coefficients of the product in (1), up to the one wanted
    for m in range(1, len(D)):
        if m > order:
            result = result + D[m][..., leftmost[m]] * c[order - 1]
        if m < len(D) - 1:
            e = x[..., z[0]] - x[..., z[m]]
            c = [c[0] * e, *(low + high * e for low, high in itertools.pairwise(c)), c[-1]][:order]
    return result


def spectral_derivative(y: ArrayLike, length: ArrayLike, order: int = 1, *, axis: int = -1) -> Array:
    r"""Differentiate one period of equidistant samples, by the sum of waves through them.

    The sample :math:`y_j` stands at :math:`x_0 + j L / n`; the end of the period, which is its beginning, is left
    out. With the discrete Fourier transform :math:`\hat y`,

    .. math:: y^{(q)} = F^{-1} \left[ \left( \frac{2 \pi i m}{L} \right)^q \hat y_m \right].

    It is exact for sums of waves of fewer than n / 2 periods; for other smooth periodic functions the error falls
    faster than any power of 1 / n. Where the ends do not match, use `derivative`.

    Parameters
    ----------
    y : array_like, shape (..., n, ...)
        The samples, real or complex.
    length : float
        The period L.
    order : int
        Order q of the derivative, at least 1.
    axis : int
        The axis of `y` along which the samples lie.

    Returns
    -------
    array, shape of `y`
        A JAX array if `y` or `length` is one (then the function may be traced, and differentiated in both), else a
        NumPy array.

    Raises
    ------
    TypeError
        If `y` or `length` holds no numbers, or an option is no integer.
    ValueError
        If `y` is empty, a sample is NaN, infinite or masked, the length is not positive and finite, or an option is
        out of range.

    Notes
    -----
    Two fast Fourier transforms, of order n log n. For even n the wave of n / 2 periods looks the same running
    either way; its odd derivatives are taken as zero :cite:p:`trefethen2000`. Roundoff grows with the fastest wave,
    like :math:`u (\pi n / L)^q \max |y|`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4) / 4
    >>> (spectral_derivative(np.sin(2 * np.pi * x), 1.0) / (2 * np.pi)).round(6) + 0.0
    array([ 1.,  0., -1.,  0.])
    """
    order = checked_index("sampled_data.spectral_derivative", "order", order, least=1)
    y, length, axis, xp = checked_periodic("spectral_derivative", y, length, axis)
    n, real = y.shape[-1], y.dtype.kind == "f"
    m = (np.fft.rfftfreq if real else np.fft.fftfreq)(n, 1 / n)
    if order % 2 and n % 2 == 0:
        m[n // 2] = 0
    rate = 1j * (xp.asarray(2 * np.pi * m, dtype=length.dtype) / length)
    waves = xp.fft.rfft(y) if real else xp.fft.fft(y)
    for _ in range(order):  # and not by a power, which may over- or underflow on its own
        waves = waves * rate
    return xp.moveaxis(xp.fft.irfft(waves, n) if real else xp.fft.ifft(waves), -1, axis)
