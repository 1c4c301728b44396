"""Where the profile of one parameter, or of two, has risen by what standard deviations cost."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_positive
from autodiff_tutorial.hep_fits.crossings import crossing
from autodiff_tutorial.hep_fits.fits import MAX_STEPS, solve, warn_of, without_derivatives
from autodiff_tutorial.hep_fits.likelihoods import Likelihood, checked_index, checked_likelihood
from autodiff_tutorial.hep_fits.minimum import minimize, no_lower
from autodiff_tutorial.hep_fits.scans import follower, held
from autodiff_tutorial.linear_maps.checking import checked_size


class Interval(NamedTuple):
    """Both ends of an interval.

    Attributes
    ----------
    lower, upper : array, shape ()
        The ends. One that the profile does not reach within the bounds is that bound; one that is not found is NaN.
    converged : array of bool, shape ()
        Whether both ends are found, or are bounds.
    """

    lower: jax.Array
    upper: jax.Array
    converged: jax.Array


class Contour(NamedTuple):
    """A closed curve in the plane of two parameters.

    Attributes
    ----------
    points : array, shape (n, 2)
        Points in order. Those that would lie out of bounds are on the edge; those that are not found are NaN.
    converged : array of bool, shape (n,)
        Which are found, or are on the edge.
    """

    points: jax.Array
    converged: jax.Array


def interval(likelihood: Likelihood, data: ArrayLike, index: int | str, *, n_sigma: ArrayLike = 1.0) -> Interval:
    r"""Find where the profile of a parameter has risen by what n standard deviations cost.

    .. math:: 2 \left(\ln L(\hat\theta) - \ln L_p(v)\right) = n^2

    on both sides of the best fit, as MINOS does. Both ends are found by Newton's method, with the slope of the
    profile, which is that of the likelihood in the parameter itself: in all others it is level.

    Parameters
    ----------
    likelihood, data
        As in `fit`.
    index : int or str
        The parameter.
    n_sigma : float
        The number of standard deviations.

    Returns
    -------
    Interval
        `lower`, `upper`, `converged`. They have no derivatives: differentiating them is a TypeError.

    Raises
    ------
    TypeError, ValueError
        As `fit`, or if the parameter does not exist or is fixed, or `n_sigma` is not positive.

    References
    ----------
    James and Roos (1975), Minuit, Computer Physics Communications 10, 343.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0])
    >>> likelihood, data = from_pyhf(model), jnp.array([65.0] + model.config.auxdata)
    >>> found = interval(likelihood, data, "mu")
    >>> print(f"{found.lower:.2f} {found.upper:.2f}")
    0.87 5.15
    """
    call = "hep_fits.interval"
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    k = _checked_free(call, likelihood, index, lower, upper)
    n_sigma = checked_positive(f"{call}(n_sigma=...)", n_sigma).astype(y.dtype)
    best = solve(likelihood.nll, data, y, lower, upper)
    sides = jnp.array([[-1.0], [1.0]], y.dtype)
    points, converged = _around(likelihood.nll, data, best, lower, upper, (k,), sides, n_sigma)
    points = without_derivatives(call, points)
    found = Interval(points[0, 0], points[1, 0], jnp.all(converged))
    warn_of(call, found.converged, "an end is NaN")
    return found


def contour(
    likelihood: Likelihood,
    data: ArrayLike,
    indices: Sequence[int | str],
    *,
    n_sigma: ArrayLike = 1.0,
    n_points: int = 64,
) -> Contour:
    r"""Find the curve on which the profile of two parameters has risen by what n standard deviations cost.

    .. math:: 2 \left(\ln L(\hat\theta) - \ln L_p(v_1, v_2)\right) = n^2

    along rays from the best fit, in directions that are evenly spread where the covariance makes a circle of the
    ellipse. Each ray is taken to cross the curve once. The projections of the curve for n = 1 are the intervals of
    one standard deviation; it holds both parameters with a probability of 39 %, and for 68 % n is 1.515.

    Parameters
    ----------
    likelihood, data
        As in `fit`.
    indices : tuple of two ints or strs
        The parameters.
    n_sigma : float
        The number of standard deviations.
    n_points : int
        How many points are found.

    Returns
    -------
    Contour
        `points`, `converged`, without derivatives.

    Raises
    ------
    TypeError, ValueError
        As `interval`, or if there are not two parameters.

    References
    ----------
    James and Roos (1975), Minuit, Computer Physics Communications 10, 343.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0])
    >>> likelihood, data = from_pyhf(model), jnp.array([60.0] + model.config.auxdata)
    >>> found = contour(likelihood, data, ("mu", "uncorr_bkguncrt[0]"))
    >>> largest = found.points.max(axis=0)
    >>> print(f"{largest[0]:.1f} {largest[1]:.1f} {found.converged.all()}")
    4.1 1.1 True
    """
    call = "hep_fits.contour"
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    if not isinstance(indices, tuple | list) or len(indices) != 2:
        raise ValueError(f"`{call}(indices=...)` should be two parameters, such as (0, 1). Got {indices!r}.")
    pair = tuple(_checked_free(call, likelihood, index, lower, upper, "indices") for index in indices)
    if pair[0] == pair[1]:
        raise ValueError(f"`{call}(indices=...)` should be two different parameters. Got {indices!r}.")
    n_sigma = checked_positive(f"{call}(n_sigma=...)", n_sigma).astype(y.dtype)
    angles = 2 * np.pi * jnp.arange(checked_size("n_points", n_points, call), dtype=y.dtype) / n_points
    rays = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    # A ray along a bound must not be rounded to one that leaves it.
    rays = jnp.where(abs(rays) < 4 * jnp.finfo(y.dtype).eps, 0, rays)
    best = solve(likelihood.nll, data, y, lower, upper)
    points, converged = _around(likelihood.nll, data, best, lower, upper, pair, rays, n_sigma)
    found = Contour(without_derivatives(call, points), converged)
    warn_of(call, found.converged, "points are NaN")
    return found


@partial(jax.jit, static_argnames=("nll", "indices"))
def _around(nll, data, best, lower, upper, indices, rays, n_sigma):
    """Return the points on rays from the best fit where the profile has risen by n_sigma**2 / 2."""
    least = best.result.nll
    center, lowest, highest = (part[np.array(indices)] for part in (best.result.params, lower, upper))
    covariance, follow = follower(best, indices)
    root = _root(covariance)
    if len(indices) == 2:
        # With a root that is triangular the other way, two rays run along the second parameter's bound.
        root = jnp.where(
            (center == lowest)[1] | (center == highest)[1], _root(covariance[::-1, ::-1])[::-1, ::-1], root
        )

    def point(ray):
        direction = jnp.matmul(root, ray, precision="highest")
        room = jnp.where(direction > 0, highest - center, lowest - center)
        furthest = jnp.min(jnp.where(direction == 0, jnp.inf, room / direction))

        def values(distance):
            return jnp.clip(center + distance * direction, lowest, highest)

        def rise(distance, y):
            found = minimize(lambda y: nll(y, data), *held(y, lower, upper, indices, values(distance)), MAX_STEPS)
            slope = jnp.sum(found.gradient[np.array(indices)] * direction)
            # The root of the rise is nearly linear, as the rise is nearly quadratic.
            twice = 2 * (found.value - least)
            height = jnp.sqrt(jnp.maximum(twice, 0))
            return height - n_sigma, slope / height, found.y, found.converged & no_lower(found.value, least)

        found = crossing(rise, n_sigma, furthest, follow(values(jnp.minimum(n_sigma, furthest))))
        sound = best.result.converged & found.converged
        return jnp.where(sound, values(found.x), jnp.nan), sound

    return jax.vmap(point)(rays)


def _root(covariance):
    """Return a matrix whose square, with its transpose, is a covariance of one parameter or two."""
    first = jnp.sqrt(covariance[0, 0])
    if len(covariance) == 1:
        return first[None, None]
    below = covariance[0, 1] / first
    return jnp.array([[first, 0], [below, jnp.sqrt(covariance[1, 1] - below**2)]])


def _checked_free(call, likelihood, index, lower, upper, name="index"):
    k = checked_index(call, likelihood, index, name)
    if not isinstance(lower, jax.core.Tracer) and lower[k] == upper[k]:
        raise ValueError(f"`{call}({name}=...)` should be a parameter that is free. Got {index!r}, which is fixed.")
    return k
