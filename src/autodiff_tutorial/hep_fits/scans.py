"""Profiles of a likelihood, and how much each parameter moves the one of interest."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats
from autodiff_tutorial.hep_fits.fits import MAX_STEPS, FitResult, solve, warn_of, without_derivatives
from autodiff_tutorial.hep_fits.likelihoods import Likelihood, checked_index, checked_likelihood, checked_poi
from autodiff_tutorial.hep_fits.minimum import inverse, minimize
from autodiff_tutorial.hep_fits.structure import curvatures, eliminate


class Impacts(NamedTuple):
    """How the parameter of interest moves when another is moved by one standard deviation, and all others follow.

    Attributes
    ----------
    down, up : array, shape (p,)
        The changes of the parameter of interest, for one standard deviation or up to a bound that is nearer.
    linear : array, shape (p,)
        The change for "up" by the covariance, C[poi, j] / sigma_j.
    converged : array of bool, shape (p,)
        Whether both fits have converged.
    """

    down: jax.Array
    up: jax.Array
    linear: jax.Array
    converged: jax.Array


def profile(likelihood: Likelihood, data: ArrayLike, index: int | str, grid: ArrayLike) -> FitResult:
    r"""Fit with one parameter held at each value of a grid.

    .. math:: -\ln L_p(v) = \min_{\theta:\, \theta_i = v} -\ln L(\theta)

    All values are fitted side by side, each from where the covariance at the best fit says that it will end.

    Parameters
    ----------
    likelihood, data
        As in `fit`.
    index : int or str
        The parameter.
    grid : array_like, shape (m,)
        Its values.

    Returns
    -------
    FitResult
        With one row for each value; `nll` is the profile. Twice its rise above the best fit's `nll` is 1 at the ends
        of an interval of one standard deviation.

    Raises
    ------
    TypeError, ValueError
        As `fit`, or if the parameter does not exist or the grid is no vector.

    References
    ----------
    Murphy and van der Vaart (2000), On profile likelihood, Journal of the American Statistical Association 95, 449.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0])
    >>> likelihood, data = from_pyhf(model), jnp.array([55.0] + model.config.auxdata)
    >>> found = profile(likelihood, data, "mu", [1.0, 2.0, 3.0]).nll
    >>> print(*(f"{2 * rise:.2f}" for rise in found - found[0]))
    0.00 0.24 0.95
    """
    call = "hep_fits.profile"
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    k = checked_index(call, likelihood, index)
    grid = checked_floats(f"{call}(grid=...)", jnp.asarray(grid)).astype(y.dtype)
    if grid.ndim != 1 or grid.size == 0:
        raise ValueError(f"`{call}(grid=...)` should have shape (m,), m at least 1. Got shape {grid.shape}.")
    best = solve(likelihood.nll, data, y, lower, upper)
    found = _along(likelihood.nll, data, best, lower, upper, k, grid)
    warn_of(call, found.converged, "look at `converged`")
    return found


@partial(jax.jit, static_argnames=("nll", "k"))
def _along(nll, data, best, lower, upper, k, grid):
    """Return the fits with one parameter held at each value of a grid."""
    starts = jax.lax.stop_gradient(jax.vmap(follower(best, (k,))[1])(grid[:, None]))
    places = jax.vmap(held, (0, None, None, None, 0))(starts, lower, upper, k, grid)
    return jax.vmap(partial(solve, nll), (None, 0, 0, 0))(data, *places).result


def held(y, lower, upper, indices, values):
    """Return a start and bounds with parameters held at values."""
    y = jnp.clip(y, lower, upper)
    return tuple(part.at[jnp.asarray(indices)].set(values) for part in (y, lower, upper))


def follower(best, indices):
    """Return the covariance of some parameters, and where all others would go with them if log L were quadratic."""
    index = np.array(indices)
    # Those that a bound holds at the best fit are moved off it here.
    center = best.result.params
    covariance = inverse(best.hessian, best.result.free.at[index].set(True), best.result.gradient_norm)
    own = covariance[np.ix_(index, index)]
    rates, _ = eliminate(own, covariance[index])
    rates = jnp.where(jnp.all(jnp.isfinite(rates)), rates, 0)
    own = jnp.where(jnp.all(jnp.isfinite(own)), own, jnp.diag(1 / curvatures(jnp.diagonal(best.hessian))[index]))
    return own, lambda values: center + (values - center[index]) @ rates


def impacts(likelihood: Likelihood, data: ArrayLike) -> Impacts:
    r"""Find how much each parameter contributes to the uncertainty of the parameter of interest.

    Each in turn is held one standard deviation below and above its best fit, or at a bound that is nearer, and all
    others are fitted again. To first order, the parameter of interest moves by :math:`C_{\mu j} / \sigma_j`, which
    needs no fit.

    Parameters
    ----------
    likelihood, data
        As in `fit`. The likelihood has a parameter of interest.

    Returns
    -------
    Impacts
        `down`, `up`, `linear`, `converged`, one number a parameter; zero for those that are fixed, or held by a
        bound. Without derivatives; those of `linear` are in the covariance of `fit`.

    Raises
    ------
    TypeError, ValueError
        As `fit`, or if there is no parameter of interest.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0])
    >>> likelihood, data = from_pyhf(model), jnp.array([60.0] + model.config.auxdata)
    >>> found = impacts(likelihood, data)
    >>> print(f"{found.down[1]:.2f} {found.up[1]:.2f}")
    1.40 -1.40
    """
    call = "hep_fits.impacts"
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    poi = checked_poi(call, likelihood)
    best = solve(likelihood.nll, data, y, lower, upper).result
    found = _impacts(likelihood.nll, data, best, lower, upper, poi)
    warn_of(call, found.converged, "look at `converged`")
    return found


@partial(jax.jit, static_argnames=("nll", "poi"))
def _impacts(nll, data, best, lower, upper, poi):
    errors = best.errors

    def shifted(j, side):
        direction = jnp.where(errors[j] > 0, best.covariance[j] / errors[j] ** 2, 0)
        value = jnp.clip(best.params[j] + side * errors[j], lower[j], upper[j])
        start = best.params + direction * (value - best.params[j])
        found = minimize(lambda y: nll(y, data), *held(start, lower, upper, j, value), MAX_STEPS)
        return found.y[poi] - best.params[poi], found.converged

    every = jnp.arange(lower.size)
    moved, ended = jax.vmap(lambda side: jax.vmap(lambda j: shifted(j, side))(every))(jnp.array([-1, 1]))
    linear = jnp.where(errors > 0, best.covariance[poi] / jnp.where(errors > 0, errors, 1), errors)
    return Impacts(*without_derivatives("hep_fits.impacts", moved), linear, jnp.all(ended, axis=0) & best.converged)
