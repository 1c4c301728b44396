"""The integral up to any point of a grid, at once and between its points."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import is_traced
from autodiff_tutorial.integrals.quadrature import checked_args, checked_integrand
from autodiff_tutorial.linear_maps.checking import checked_size


class Cumulative(NamedTuple):
    r"""The function :math:`F(x) = \int_{x_0}^x f`, a polynomial between any two neighbors of a grid.

    Call it at points of any shape: each costs a search and n multiplications. Outside of the grid it is NaN.

    Attributes
    ----------
    grid : array, shape (m + 1,)
        The points, in ascending order.
    values : array, shape (m + 1,)
        F there.
    error : array, shape (m + 1,)
        Estimates of the errors of F up to there.
    series : array, shape (m, n + 1)
        Coefficients of F - F(left) on each interval, in Legendre polynomials on (-1, 1).
    """

    grid: jax.Array
    values: jax.Array
    error: jax.Array
    series: jax.Array

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Return F at x, an array of any shape."""
        x = jnp.asarray(x, self.grid.dtype)
        k = jnp.clip(jnp.searchsorted(self.grid, x, side="right") - 1, 0, len(self.grid) - 2)
        left, right = self.grid[k], self.grid[k + 1]
        t = ((x - left) - (right - x)) / (right - left)
        # Clenshaw's recurrence, from the highest degree down.
        high, higher = jnp.zeros_like(t), jnp.zeros_like(t)
        for j in range(self.series.shape[1] - 1, 0, -1):
            high, higher = self.series[k, j] + (2 * j + 1) / (j + 1) * t * high - (j + 1) / (j + 2) * higher, high
        inside = (x >= self.grid[0]) & (x <= self.grid[-1])
        # A factor, for the slope is NaN outside, too.
        return jnp.where(inside, 1, jnp.nan) * (self.values[k] + (self.series[k, 0] + t * high - higher / 2))


def cumulative(f: Callable, grid: ArrayLike, args: tuple = (), *, n: int = 10) -> Cumulative:
    r"""Integrate f from the first point of a grid to any point up to the last, millions of them at once.

    .. math:: F(x) = \int_{x_0}^x f(s, \theta)\, ds, \qquad F'(x) = f(x, \theta), \quad F(x_0) = 0 .

    On each interval of the grid f is replaced by the polynomial through n Gauss points, and that is integrated: the
    method of Gauss and Legendre for the differential equation above. F can be differentiated in x, where its slope is
    that polynomial, and in args. It costs n calls of f an interval, and none when F is called.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` takes a number, and args as they are, and returns one; traceable.
    grid : array_like of floats, shape (m + 1,)
        Points in ascending order. Put one where f has a kink or a jump.
    args : tuple
        What f depends on.
    n : int
        How many Gauss points an interval has, at least 2.

    Returns
    -------
    Cumulative
        `grid`, `values`, `error`, `series`; call it: ``F(x)``.

    Raises
    ------
    TypeError, ValueError
        If the grid is no ascending vector of finite numbers, f does not return one number, or n is wrong.

    References
    ----------
    Hairer, Nørsett and Wanner (1993), Solving Ordinary Differential Equations I, Springer, section II.7.

    Examples
    --------
    >>> F = cumulative(jnp.cos, jnp.linspace(0.0, 10.0, 11))
    >>> x = jnp.array([0.5, 7.3])
    >>> print([f"{value:.4f}" for value in F(x)], bool((abs(F(x) - jnp.sin(x)) < 2e-6).all()))
    ['0.4794', '0.8504'] True
    """
    call = "integrals.cumulative"
    grid = _checked_grid(call, grid)
    args = checked_args(call, args)
    n = checked_size("n", n, call)
    if n < 2:
        raise ValueError(f"`{call}(n=...)` should be at least 2. Got {n}.")
    f = checked_integrand(call, f, jax.ShapeDtypeStruct((), grid.dtype), *args)
    nodes, weights = legendre.leggauss(n)
    # From values at the nodes to coefficients of f, and of its integral from -1.
    project = legendre.legvander(nodes, n - 1) * weights[:, None] * (np.arange(n) + 0.5)
    raise_degree = legendre.legint(np.eye(n), lbnd=-1, axis=1)
    half = jnp.diff(grid)[:, None] / 2
    x = grid[:-1, None] + half * jnp.asarray(1 + nodes, grid.dtype)
    y = jax.vmap(jax.vmap(lambda x: f(x, *args)))(x)
    coefficients = half * _times(y, project)
    series = _times(coefficients, raise_degree)
    # What the last two terms hold is what the missing ones may hold; and each step is rounded.
    rounding = jnp.finfo(grid.dtype).eps * half * _times(abs(y), weights)[:, None]
    steps = jnp.stack([2 * coefficients[:, 0], 2 * abs(coefficients[:, -2:]).sum(1) + 10 * rounding[:, 0]])
    values, error = jnp.pad(jnp.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    return Cumulative(grid, values, error, series)


def _times(a, matrix):
    """Multiply with a constant; in float32, recent GPUs would keep three digits only."""
    return jnp.matmul(a, jnp.asarray(matrix, a.dtype), precision="highest")


def _checked_grid(call, grid):
    grid = grid if hasattr(grid, "dtype") else np.asarray(grid)
    if grid.dtype.kind not in "iuf":
        raise TypeError(f"`{call}(grid=...)` should hold real numbers. Got {grid.dtype}.")
    if grid.ndim != 1 or grid.size < 2:
        raise ValueError(f"`{call}(grid=...)` should be a vector of at least two points. Got shape {grid.shape}.")
    grid = jnp.asarray(grid)
    grid = grid.astype(jnp.result_type(float, grid) if grid.dtype.kind != "f" else grid.dtype)
    if not is_traced(grid) and not (np.isfinite(grid).all() and (np.diff(grid) > 0).all()):
        raise ValueError(f"`{call}(grid=...)` should ascend, from one finite number to another. Got {grid}.")
    return grid
