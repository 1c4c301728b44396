"""The generalized Marcum Q function, its logarithm, and the derivatives of both in all three arguments.

One integral gives them all. With x = a^2 / 2, y = b^2 / 2, the order M, and a loop C around the negative axis,

    P = e^(-x-y) / (2 pi i) * integral over C of e^phi / (s - 1) ds,    phi = x / s + y s - M log s,

is 1 - Q if C crosses the positive axis right of the pole s = 1, and -Q if it crosses left of it: the smaller one is
taken. A derivative in x multiplies by 1 / s - 1, in y by s - 1, in M by -log s, so the pole goes. All integrands are
analytic, hence the nodes need not be differentiated.

The path is s = mu p^3, p = 1 + i w for real w, where mu is the saddle point of x / s + y s - m log s for
m = M + SHIFT: with A = y mu and B = x / mu, A - B = m. It leaves mu as the steepest descent does, bent alike for a = 0:

    phi(s) = phi(mu) + m e + B e^2 / p^3 - 3 M log p,    e = p^3 - 1 = -3 w^2 + i w (3 - w^2).

The real part falls at least like -3 m w^2, so the midpoint rule converges geometrically, and little cancels. The shift
keeps the integrand narrow, compared with the distance to s = 0, when M is small. At mu, with tau = 1 / mu - 1, nothing
cancels but in the last term, for which there is a series:

    phi(mu) - x - y = -SHIFT tau - x tau^2 - M (tau - log(1 + tau)).

The pole lies at w = i c, c = 1 - (1 + tau)^(1/3), and its part in the error of the rule is 1 / (1 + e^(2 pi |c| / h)).

N. M. Temme, 1993, Computers & Mathematics with Applications 25, 55 (the integral); L. N. Trefethen and
J. A. C. Weideman, 2014, SIAM Review 56, 385 (the rule and its error).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from numpy.typing import ArrayLike

from autodiff_tutorial.linear_maps.checking import first_line

SHIFT = 3
# On half of the path. The nodes are WIDTH apart in units in which the integrand falls like e^(-w^2), or STEP if less.
N_NODES, WIDTH, STEP = 22, 0.36, 0.09
# What is integrated is e^phi / s times a weight (i, n, l, pole): b^i s^-n (-log s)^l, times s / (s - 1) with the pole.
P = (0, 0, 0, True)


def marcum_q(order: ArrayLike, a: ArrayLike, b: ArrayLike) -> jax.Array:
    r"""Return the generalized Marcum Q function, elementwise.

    .. math:: Q_M(a, b) = \int_b^\infty x \left(\frac{x}{a}\right)^{M-1} e^{-(x^2 + a^2) / 2} I_{M-1}(a x)\, dx
              = 1 - F(b^2; 2M, a^2),

    where F is the distribution function of noncentral :math:`\chi^2` with 2M degrees of freedom. It can be
    differentiated in all arguments, in both modes, repeatedly. A value costs a sum over 22 nodes, a derivative one to
    four more; memory does not grow with their number.

    Parameters
    ----------
    order : array_like
        M, any positive real number.
    a, b : array_like
        Not negative. All three are broadcast against each other.

    Returns
    -------
    array
        With its derivatives, right in float64 to 1e-12, relative, and below order 0.5 to about 1e-14 / M; in float32 to
        about 1e-5, and 1e-4 in the tails. NaN outside of the domain, for orders below 1e4 machine epsilons, and
        where squares overflow. The slope in b at b = 0 is 0 for M > 0.5 and infinite for M < 0.5.

    Raises
    ------
    TypeError
        If an argument holds other than real numbers.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> print(f"{marcum_q(1.0, 1.0, 2.0):.6f} {jax.grad(marcum_q, argnums=2)(1.0, 1.0, 2.0):.6f}")
    0.269012 -0.374240
    """
    order, a, b = _checked("integrals.marcum_q", order=order, a=a, b=b)
    return jax.jit(_q)(order, a, b)


def log_marcum_q(order: ArrayLike, a: ArrayLike, b: ArrayLike) -> jax.Array:
    r"""Return the logarithm of the generalized Marcum Q function, elementwise.

    .. math:: \log Q_M(a, b) = \log(1 - P) .

    It is right, relative to itself, where Q underflows, and where Q rounds to 1 and this is about -P. It costs as
    much as `marcum_q`.

    Parameters
    ----------
    order, a, b : array_like
        As in `marcum_q`.

    Returns
    -------
    array
        As precise as that of `marcum_q`, and NaN where that is; but second derivatives are differences
        of squared slopes, and lose their digits.

    Raises
    ------
    TypeError, ValueError
        As in `marcum_q`.

    Examples
    --------
    >>> print(f"{log_marcum_q(0.5, 0.0, 200.0):.1f} {jax.grad(log_marcum_q, argnums=2)(0.5, 0.0, 200.0):.3f}")
    -20005.5 -200.005
    """
    order, a, b = _checked("integrals.log_marcum_q", order=order, a=a, b=b)
    return sum(jax.jit(_log_q)(order, a, b))


def _checked(call, **given):
    """Return arrays of one shape and one dtype."""
    for name, value in given.items():
        try:
            given[name] = value = value if isinstance(value, jax.Array | int | float) else np.asarray(value)
        except ValueError as error:
            raise ValueError(f"`{call}({name}=...)` should be an array. Got {first_line(error)}.") from error
        dtype = value.dtype if hasattr(value, "dtype") else np.result_type(value)
        if dtype.kind not in "iu" and dtype not in (jnp.float32, jnp.float64):
            raise TypeError(
                f"`{call}({name}=...)` should hold real numbers, in float32, float64 or integers. Got {dtype}."
            )
    shapes = [np.shape(value) for value in given.values()]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ValueError(
            f"`{call}(order=..., a=..., b=...)` should have shapes that broadcast. Got {', '.join(map(str, shapes))}."
        ) from error
    dtype = jnp.result_type(*given.values(), 1.0)
    return [jnp.broadcast_to(jnp.asarray(value, dtype), shape) for value in given.values()]


@jax.custom_jvp
def _q(order, a, b):
    size, log_sum, right = _smaller(order, a, b)
    size += log_sum
    return _completed(jnp.where(right, -jnp.expm1(size), jnp.exp(size)), 1, 0, order, a, b)


@jax.custom_jvp
def _log_q(order, a, b):
    """Return two terms, of which the first is large where Q is small, and not to be rounded together with the other."""
    size, log_sum, right = _smaller(order, a, b)
    lead = jnp.where(right, 0, size)
    rest = jnp.where(right, jnp.log1p(-jnp.exp(size + log_sum)), log_sum)
    return _completed(lead, 0, 0, order, a, b), _completed(rest, 0, -jnp.inf, order, a, b)


def _smaller(order, a, b):
    """Return the logarithm of the smaller of 1 - Q and Q, as two terms, and whether it is that of 1 - Q."""
    _, tau, log_mu, size, h = path = _path(order, a, b)
    right = tau < 0
    total = _sum(P, order, path)
    c = -jnp.expm1(-log_mu / 3)
    decay = 2 * jnp.pi * abs(c) / h
    # The error is that of the rule on a parallel path where integrand times kernel is least: is the pole before it?
    slope = abs((b - a) * (b + a) / 2 - order) * 3 * jnp.exp(log_mu / 3)
    pole = jnp.where(slope * h < 2 * jnp.pi, jnp.exp(-decay - size) / (1 + jnp.exp(-decay)), 0)
    return jnp.where(b == 0, -jnp.inf, size), jnp.log(jnp.where(right, total, -total) + pole), right


def _path(order, a, b):
    """Return B, tau, the logarithms of mu and of e^phi(mu) / e^(x + y), and the distance of the nodes."""
    m, b2 = order + SHIFT, b * b
    root = jnp.hypot(m, a * b)
    gap = (b - a) * (b + a) / 2 - m
    tau = jnp.where(b2 > m, 2 * gap / (m + root) * (b2 / (b2 - m + root)), (b2 - m - root) / (m + root))
    B = a * b * (a * b / (2 * (m + root)))
    log_mu = jnp.where(tau < -0.5, jnp.log(m + root) - 2 * _log(b), -jnp.log1p(tau))
    r = tau / (2 + tau)
    series = jnp.polyval(jnp.asarray([1 / (2 * i + 3) for i in range(11, -1, -1)], r.dtype), r * r)
    bend = jnp.where(abs(tau) < 0.3, r * (tau - 2 * r * r * series), tau + log_mu)
    size = -tau * (SHIFT + tau * a * a / 2) - order * bend
    return B, tau, log_mu, size, jnp.minimum(WIDTH / jnp.sqrt(4.5 * order + 3 * SHIFT + 9 * B), STEP)


def _log(b):
    """Leave powers of b = 0 to `_integral`."""
    return jnp.log(jnp.where(b == 0, 1, b))


def _sum(weight, order, path):
    """Return the integral in units of its integrand at mu, where powers of b and mu are left out."""
    B, tau, log_mu, _, h = path
    _, n, l, pole = weight

    def add(j, total):
        w = (j + 0.5) * h
        v = w * w
        e = jax.lax.complex(-3 * v, w * (3 - v))
        log_p = jax.lax.complex(jnp.log1p(v) / 2, jnp.arctan(w))
        exponent = (order + SHIFT) * e + B * e * e * jnp.conj(1 + e) / (1 + v) ** 3 - 3 * order * log_p
        if pole:
            term = jnp.exp(exponent) * jax.lax.complex(1 - v, 2 * w) / (e - tau)
        else:
            term = jnp.exp(exponent - (3 * n + 1) * log_p)
        for _ in range(l):
            term *= -3 * log_p - log_mu
        return total + term.real

    return jax.lax.fori_loop(0, N_NODES, add, jnp.zeros_like(h)) * h * (3 / jnp.pi)


def _completed(inside, at_a, at_b, order, a, b):
    """Return the limits where a or order, or b, is infinite, and NaN outside of the domain."""
    infinite, infinite_b = (a == jnp.inf) | (order == jnp.inf), b == jnp.inf
    value = jnp.where(infinite_b, at_b, jnp.where(infinite, at_a, inside))
    least = 1e4 * jnp.finfo(order.dtype).eps
    return jnp.where((order >= least) & (a >= 0) & (b >= 0) & ~(infinite_b & infinite), value, jnp.nan)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _integral(weight, order, a, b, log_scale):
    """Return the integral of a weight other than P, over Q or 1, whose logarithm is the sum of log_scale."""
    i, n, l, _ = weight
    path = _, _, log_mu, size, _ = _path(order, a, b)
    lead, rest = log_scale
    value = jnp.exp((size - lead) + (i * _log(b) - n * log_mu - rest)) * _sum(weight, order, path)
    by_b = 2 * (order + n) + i
    at_zero = jnp.where(by_b > 0, 0.0, jnp.where((by_b < 0) | (l > 0), jnp.inf, 1.0))
    zero = 0 * jnp.exp(-rest)
    return _completed(value * jnp.where(b == 0, at_zero, 1), zero, zero, order, a, b)


def _slope(weight, point, tangents, log_scale):
    """Return the tangent of the integral of a weight, over a constant scale."""
    i, n, l, pole = weight
    order, a, _ = point
    a = jnp.where(a == jnp.inf, 0, a)
    by_order = [(1, (i, n, l + 1, pole))]
    if pole:
        by_a, by_b = [(-a, (0, 0, l, False))], [(1, (1, -1, l, False))]
    else:
        by_a = [(a, (i, n + 1, l, False)), (-a, weight)]
        # b (s - 1) by parts, without which slopes at b = 0 would be differences of infinities.
        by_b = [
            (2 * (order + n) + i, (i - 1, n, l, False)),
            (a * a, (i - 1, n + 1, l, False)),
            (-1, (i + 1, n, l, False)),
        ]
        by_b += [(2 * l, (i - 1, n, l - 1, False))] if l else []
    total = jnp.zeros_like(order)
    for terms, dot in zip((by_order, by_a, by_b), tangents, strict=True):
        if not isinstance(dot, SymbolicZero):
            total += dot * sum(factor * _integral(term, *point, log_scale) for factor, term in terms)
    return total


def _q_jvp(primals, tangents):
    zero = jnp.zeros_like(primals[0])
    return _q(*primals), -_slope(P, primals, tangents, (zero, zero))


def _log_q_jvp(primals, tangents):
    log_q = _log_q(*primals)
    return log_q, (jnp.zeros_like(log_q[0]), -_slope(P, primals, tangents, log_q))


def _integral_jvp(weight, primals, tangents):
    (*point, log_scale), (*dots, (_, rest_dot)) = primals, tangents
    value = _integral(weight, *primals)
    slope = _slope(weight, point, dots, log_scale)
    return value, slope if isinstance(rest_dot, SymbolicZero) else slope - value * rest_dot


_q.defjvp(_q_jvp, symbolic_zeros=True)
_log_q.defjvp(_log_q_jvp, symbolic_zeros=True)
_integral.defjvp(_integral_jvp, symbolic_zeros=True)
