r"""Rounding that a gradient can pass: a rule that pretends, and relaxations that blur.

A rounding has slope zero between its jumps, and none at them. `straight_through` keeps the value and gives up the
derivative; the others give up some of the value, and have the derivative that belongs to what is left of it.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats, checked_positive


def straight_through(f: Callable) -> Callable:
    r"""Return f with the derivative of the identity: :math:`y = f(x)`, but :math:`\dot y = \dot x`.

    For roundings, and other steps that on the whole go along with their argument. The derivative is not that of f, by
    intent: `checks.check_derivatives` refuses it. It costs nothing.

    Parameters
    ----------
    f : callable
        Takes an array of floats and returns one of the same shape and dtype. In what else it depends on, it keeps its
        own derivative.

    Returns
    -------
    callable
        It has the values of f, to the last digit.

    Raises
    ------
    TypeError, ValueError
        If f is not callable, x holds other than float32 or float64, or f returns another shape or dtype.

    References
    ----------
    Bengio, Leonard and Courville (2013), Estimating or propagating gradients through stochastic neurons for
    conditional computation, section 4.

    Examples
    --------
    >>> rounded = straight_through(jnp.round)
    >>> print(rounded(2.3), jax.grad(lambda x: rounded(x) ** 2)(2.3))
    2.0 4.0
    """
    call = "custom_rules.straight_through(f=...)"
    if not callable(f):
        raise TypeError(f"`{call}` should be callable. Got {type(f).__name__}.")

    def through(x):
        x = checked_floats("custom_rules.straight_through(f)(x)", x)
        y = f(jax.lax.stop_gradient(x))
        got = jnp.shape(y), jnp.result_type(y)
        if got != (x.shape, x.dtype):
            kind = TypeError if got[0] == x.shape else ValueError
            raise kind(f"`{call}` should keep shape {x.shape} and {x.dtype}. Got shape {got[0]} and {got[1]}.")
        return _moved_by(x, y)

    return through


@jax.custom_jvp
def _moved_by(x, y):
    return y


@_moved_by.defjvp
def _(primals, tangents):
    return _moved_by(*primals), tangents[0] + tangents[1]


def linear_round(x: ArrayLike, width: ArrayLike) -> jax.Array:
    r"""Round, with each jump drawn out to a ramp: piecewise linear and continuous.

    With the distance :math:`r = x - m` to the jump at :math:`m = \lfloor x \rfloor + \tfrac{1}{2}`,

    .. math:: y = m + \min(\tfrac{1}{2}, \max(-\tfrac{1}{2}, r / w)) .

    The slope is :math:`1/w` on the ramps, of width w around the half-integers, and 0 elsewhere.

    Parameters
    ----------
    x : array_like
        Floats.
    width : float
        w, above 0 and at most 1: from rounding to the identity.

    Returns
    -------
    array
        Shaped like `x`; off from the rounding by 1/2 at most, on the ramps only.

    Raises
    ------
    TypeError, ValueError
        If `x` holds other than float32 or float64, or `width` is out of range.

    Examples
    --------
    >>> print(linear_round(jnp.array([2.25, 2.5, 2.75]), 0.5))
    [2.  2.5 3. ]
    """
    x = checked_floats("custom_rules.linear_round(x=...)", x)
    width = checked_positive("custom_rules.linear_round(width=...)", width, most=1).astype(x.dtype)
    below = jnp.floor(x)
    r = x - below - 0.5  # the place between two jumps
    on_ramp = abs(r) <= width / 2
    return below + (0.5 + jnp.where(on_ramp, r / jnp.where(on_ramp, width, 1), 0.5 * jnp.sign(r)))


def soft_round(x: ArrayLike, sharpness: ArrayLike) -> jax.Array:
    r"""Round, with each jump replaced by a sigmoid: a sum of sigmoids, smooth to any order.

    .. math:: y = \sum_{k \ge 0} \sigma(s\,(x - k - \tfrac{1}{2}))
                - \sum_{k < 0} \sigma(-s\,(x - k - \tfrac{1}{2})) .

    For large s it is the rounding, for small s the identity. Thirteen terms around x are summed, and where s is below
    6, the same in Fourier's form, :math:`y = x + \sum_m (-1)^m \sin(2 \pi m x)\, (2 \pi / s) / \sinh(2 \pi^2 m / s)`.

    Parameters
    ----------
    x : array_like
        Floats.
    sharpness : float
        s, positive: four times the slope of one sigmoid at its jump.

    Returns
    -------
    array
        Shaped like `x`; off from the rounding by 1/2 at most, and by :math:`e^{-s d}` at a distance d from a jump.

    Raises
    ------
    TypeError, ValueError
        If `x` holds other than float32 or float64, or `sharpness` is not positive.

    Examples
    --------
    >>> print(soft_round(jnp.array([2.0, 2.3, 2.5]), 20.0).round(4))
    [2.    2.018 2.5  ]
    """
    x = checked_floats("custom_rules.soft_round(x=...)", x)
    s = checked_positive("custom_rules.soft_round(sharpness=...)", sharpness).astype(x.dtype)
    below = jnp.floor(x)
    r = x - below - 0.5  # the place between two jumps
    near = below + jax.nn.sigmoid(s * r)
    for k in range(1, 7):
        near += jax.nn.sigmoid(s * (r - k)) - jax.nn.sigmoid(-s * (r + k))
    far = x
    low = jnp.minimum(s, 6)
    for m in range(1, 13):
        t = 2 * np.pi**2 * m / low
        far += (-1) ** m * jnp.sin(2 * np.pi * m * (x - below)) * (4 * np.pi / low) * jnp.exp(-t) / -jnp.expm1(-2 * t)
    return jnp.where(s < 6, far, near)


# The nodes of the filter, in units of its width: so fine that the sum is exact for what is smooth, so wide that what
# is left out is less than a rounding.
_SPACING = 1 / 20
_OFFSETS = np.arange(-160, 160) + 0.5


def smooth(f: Callable, width: ArrayLike) -> Callable:
    r"""Blur a function of one number by a Gaussian filter, and differentiate the filter, not the function.

    With w the width and nodes :math:`t_j` on a grid of spacing :math:`h = w / 20` that does not move with x,

    .. math:: g(x) = \sum_j f(t_j)\, \frac{h}{w}\, \phi\Bigl(\frac{t_j - x}{w}\Bigr), \qquad
              \phi(u) = \frac{e^{-u^2 / 2}}{\sqrt{2 \pi}} .

    x is found in the weights only, so the derivatives, of any order, need values of f only, and f may jump. They cost
    320 evaluations of f a number, with the value.

    Parameters
    ----------
    f : callable
        Works elementwise on an array of floats, and keeps its shape and dtype. In what else it depends on, it keeps
        its own derivative.
    width : float
        w, positive: the standard deviation of the filter, in the units of x.

    Returns
    -------
    callable
        g, elementwise. A jump is seen to within w / 40 of its place, which puts g off by at most 1 % of its height;
        where f is smooth on the scale of w, g is the exact convolution.

    Raises
    ------
    TypeError, ValueError
        If f is not callable or returns another shape or dtype, or `width` is not positive.

    Examples
    --------
    >>> blurred = smooth(jnp.round, 0.2)
    >>> print(blurred(2.5).round(2), jax.grad(blurred)(2.5).round(1))  # the filter's density at its middle, 0.399 / 0.2
    2.5 2.0
    """
    call = "custom_rules.smooth"
    if not callable(f):
        raise TypeError(f"`{call}(f=...)` should be callable. Got {type(f).__name__}.")
    width = checked_positive(f"{call}(width=...)", width)

    def blurred(x):
        x = checked_floats(f"{call}(f, width)(x)", x)[..., None]
        w = width.astype(x.dtype)
        spacing = jax.lax.stop_gradient(w) * _SPACING
        # Half a spacing off its multiples: there a jump at 1/2 or 1 lies often, and is then met in the middle.
        nodes = spacing * (jnp.round(jax.lax.stop_gradient(x) / spacing) + jnp.asarray(_OFFSETS, x.dtype))
        y = f(nodes)
        got = jnp.shape(y), jnp.result_type(y)
        if got != (nodes.shape, nodes.dtype):
            kind = TypeError if got[0] == nodes.shape else ValueError
            raise kind(
                f"`{call}(f=...)` should work on each element and keep shape {nodes.shape} and {nodes.dtype}. "
                f"Got shape {got[0]} and {got[1]}."
            )
        weights = jnp.exp(-(((nodes - x) / w) ** 2) / 2) * spacing / (w * math.sqrt(2 * math.pi))
        return jnp.sum(y * weights, axis=-1)

    return blurred
