"""Hypothesis tests and upper limits by asymptotic formulas."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from numpy.typing import ArrayLike

from autodiff_tutorial.hep_fits.crossings import crossing
from autodiff_tutorial.hep_fits.fits import MAX_STEPS, solve, warn_of, without_derivatives
from autodiff_tutorial.hep_fits.likelihoods import Likelihood, checked_likelihood, checked_poi
from autodiff_tutorial.hep_fits.minimum import minimize, no_lower
from autodiff_tutorial.hep_fits.structure import curvatures


class HypoTest(NamedTuple):
    """A test of one signal strength.

    Attributes
    ----------
    cls : array, shape ()
        Observed CLs: `cl_sb` / `cl_b`.
    expected : array, shape (5,)
        CLs for background alone, at -2, -1, 0, 1 and 2 standard deviations: from data that exclude best to those that
        exclude least.
    cl_sb, cl_b : array, shape ()
        The probabilities of data at least as unlike the signal as those observed, with signal and without it.
    q, q_asimov : array, shape ()
        The test statistic, for the data and for what is expected of background alone.
    converged : array of bool, shape ()
        Whether all fits have converged.
    """

    cls: jax.Array
    expected: jax.Array
    cl_sb: jax.Array
    cl_b: jax.Array
    q: jax.Array
    q_asimov: jax.Array
    converged: jax.Array


class UpperLimit(NamedTuple):
    """Signal strengths above which all are excluded.

    Attributes
    ----------
    observed : array, shape ()
        The limit. NaN where it is not found below the upper bound of the parameter of interest.
    expected : array, shape (5,)
        Those for background alone, at -2, -1, 0, 1 and 2 standard deviations.
    converged : array of bool, shape (6,)
        Whether each is found, `observed` first.
    """

    observed: jax.Array
    expected: jax.Array
    converged: jax.Array


N_SIGMA = (-2.0, -1.0, 0.0, 1.0, 2.0)


def hypotest(mu: ArrayLike, data: ArrayLike, likelihood: Likelihood) -> HypoTest:
    r"""Test a signal strength by the CLs of its profile likelihood ratio.

    .. math:: \tilde q_\mu = 2 \ln \frac{L(\hat\mu, \hat\theta)}{L(\mu, \hat\theta_\mu)} \text{ if } \hat\mu \le \mu
        \text{, else } 0, \qquad \hat\mu \ge 0,

    whose distributions for large samples are known functions of :math:`\tilde q_{\mu,A}`, the same for the data that
    background alone is expected to give. It takes four fits, and is differentiable in `mu`, in the data and in what
    the likelihood closes over, as `fit` is.

    Parameters
    ----------
    mu : float
        The value of the parameter of interest, above 0 and at most its upper bound; `jax.vmap` takes many.
    data : array_like, shape (d,)
        Main counts, then auxiliary data.
    likelihood : Likelihood
        With a parameter of interest that multiplies a signal, and `expected`. Whatever its lower bound, 0 is used.

    Returns
    -------
    HypoTest
        `cls`, `expected`, `cl_sb`, `cl_b`, `q`, `q_asimov`, `converged`.

    Raises
    ------
    TypeError, ValueError
        As `fit`, or if `mu` is no such number, or the likelihood has no parameter of interest or no `expected`.

    References
    ----------
    Cowan, Cranmer, Gross and Vitells (2011), European Physical Journal C 71, 1554; Read (2002), Journal of Physics G
    28, 2693.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
    >>> found = hypotest(1.0, jnp.array([51.0, 48.0] + model.config.auxdata), from_pyhf(model))
    >>> print(f"{found.cls:.3f}:", *(f"{cls:.3f}" for cls in found.expected))
    0.053: 0.003 0.014 0.064 0.235 0.573
    """
    call = "hep_fits.hypotest"
    y, lower, upper, data, poi = _checked(call, likelihood, data)
    mu = jnp.asarray(mu)
    if mu.shape != () or mu.dtype.kind not in "iuf":
        raise ValueError(
            f"`{call}(mu=...)` should be one real number; use jax.vmap for many. Got {mu.dtype}{mu.shape}."
        )
    if not isinstance(mu, jax.core.Tracer) and not isinstance(upper, jax.core.Tracer) and not 0 < mu <= upper[poi]:
        raise ValueError(
            f"`{call}(mu=...)` should be above 0 and at most the upper bound of the parameter, {float(upper[poi]):g}. "
            f"Got {float(mu):g}."
        )
    nll, expected = likelihood.nll, likelihood.expected
    best, background = _references(nll, data, y, lower, upper, poi)
    mu = mu.astype(y.dtype)
    held = solve(nll, data, *_at(mu, poi, best.params, lower, upper)).result
    # For the data that background alone is expected to give, the best fit is known.
    asimov, least = _asimov(nll, expected, background.params)
    held_asimov = solve(nll, asimov, *_at(mu, poi, background.params, lower, upper)).result
    found = _compared(mu, best.params[poi], best, background, held, least, held_asimov)
    warn_of(call, found.converged, "no CLs is to be trusted")
    return found


@jax.jit
def _compared(mu, best_mu, best, background, held, least, held_asimov):
    """Return the test, from all its fits."""
    q, q_asimov = _above(best.nll, best_mu, held.nll, mu), _above(least, 0, held_asimov.nll, mu)
    cl_sb, cl_b = tails(q, q_asimov)
    bands = jnp.array(N_SIGMA, q.dtype)
    from_band = norm.sf(_root(q_asimov) - bands) / norm.sf(-bands)
    ended = best.converged & background.converged & held.converged & held_asimov.converged
    for fit, lowest in (held, best.nll), (background, best.nll), (held_asimov, least):
        ended &= no_lower(fit.nll, lowest)
    return HypoTest(cl_sb / cl_b, from_band, cl_sb, cl_b, q, q_asimov, ended)


@partial(jax.jit, static_argnames=("nll", "expected"))
def _asimov(nll, expected, params):
    data = expected(params)
    return data, nll(params, data)


def upper_limit(data: ArrayLike, likelihood: Likelihood, *, level: float = 0.05) -> UpperLimit:
    r"""Find the signal strength whose CLs is a given level, observed and expected.

    Of the expected limits, each solves :math:`\sqrt{\tilde q_{\mu,A}} = \Phi^{-1}(1 - \alpha \Phi(n)) + n`, for n
    from -2 to 2. All are found by Newton's method: the slope of a profile costs one gradient.

    Parameters
    ----------
    data, likelihood
        As in `hypotest`.
    level : float
        The CLs at the limit, :math:`\alpha`, below 1/2.

    Returns
    -------
    UpperLimit
        `observed`, `expected`, `converged`. They have no derivatives: differentiate `hypotest`, or its `expected`.

    Raises
    ------
    TypeError, ValueError
        As `hypotest`, or if the level is not between 0 and 1/2.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
    >>> found = upper_limit(jnp.array([51.0, 48.0] + model.config.auxdata), from_pyhf(model))
    >>> print(f"{found.observed:.2f}:", *(f"{limit:.2f}" for limit in found.expected))
    1.01: 0.56 0.76 1.06 1.50 2.05
    """
    call = "hep_fits.upper_limit"
    y, lower, upper, data, poi = _checked(call, likelihood, data)
    if not isinstance(level, float | np.floating) or not 0 < level < 0.5:
        raise ValueError(f"`{call}(level=...)` should be a number between 0 and 1/2. Got {level!r}.")
    best, background = _references(likelihood.nll, data, y, lower, upper, poi)
    asimov, least = _asimov(likelihood.nll, likelihood.expected, background.params)
    both = (jnp.stack(pair) for pair in ((data, asimov), (best.params, background.params), (best.nll, least)))
    mu, found = _crossed(likelihood.nll, *both, lower, upper, poi, jnp.asarray(level, y.dtype))
    found &= best.converged & background.converged
    why = "Perhaps the upper bound of the parameter is below them, or background alone is impossible"
    warn_of(call, found, f"those limits are NaN. {why}")
    mu = without_derivatives(call, jnp.where(found, mu, jnp.nan))
    return UpperLimit(mu[0], mu[1:], found)


@partial(jax.jit, static_argnames=("nll", "poi"))
def _crossed(nll, data, starts, least, lower, upper, poi, level):
    """Return where the observed CLs, and the root of q for what is expected, cross their levels."""
    bands = jnp.array(N_SIGMA, lower.dtype)
    heights = jnp.append(0, bands + norm.isf(level * norm.cdf(bands)))
    curvature = curvatures(jnp.diagonal(jax.hessian(nll)(starts[1], data[1])))[poi]

    def height(q, q_asimov):
        cl_sb, cl_b = tails(q, q_asimov)
        return jnp.log(level) - jnp.log(cl_sb / cl_b)

    def limit(k, wanted):
        def rise(mu, y):
            """Return by how much a curve is above its level, and its slope, from the slopes of both profiles."""

            def fitted(data, y, least, best):
                found = minimize(lambda y: nll(y, data), *_at(mu, poi, y, lower, upper), MAX_STEPS)
                q = _above(least, best, found.value, mu)
                return q, jnp.where(q > 0, 2 * found.gradient[poi], 0), found

            q, slope, found = jax.vmap(fitted)(data, y, least, starts[:, poi])
            observed, its_slope = jax.jvp(height, tuple(q), tuple(slope))
            root = jnp.sqrt(q[1])
            h = jnp.where(k == 0, observed, root - wanted)
            sound = jnp.all(found.converged & no_lower(found.value, least))
            return h, jnp.where(k == 0, its_slope, slope[1] / (2 * root)), found.y, sound

        start = jnp.where(k == 0, starts[0, poi] + 2 / jnp.sqrt(curvature), wanted / jnp.sqrt(curvature))
        return crossing(rise, start, upper[poi], starts)

    found = jax.vmap(limit)(jnp.arange(6), heights)
    return found.x, found.converged & ~found.at_limit


def _checked(call, likelihood, data):
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    poi = checked_poi(call, likelihood)
    if likelihood.expected is None:
        raise ValueError(
            f"`{call}(likelihood=...)` should know the mean of its data, `expected`. Got None. Unbinned likelihoods "
            "have none: bin them, or throw toys."
        )
    if not isinstance(lower, jax.core.Tracer) and lower[poi] == upper[poi]:
        raise ValueError(f"`{call}(likelihood.poi)` should be a parameter that is free. Got one with equal bounds.")
    return y.at[poi].max(0), lower.at[poi].set(0), upper, data, poi


def _above(best_value, best_mu, value, mu):
    """Return the test statistic."""
    return jnp.where(best_mu > mu, 0, jnp.maximum(2 * (value - best_value), 0))


@partial(jax.jit, static_argnames="poi")
def _at(mu, poi, y, lower, upper):
    """Return a start and bounds with the parameter of interest held."""
    return tuple(part.at[poi].set(mu) for part in (jax.lax.stop_gradient(y), lower, upper))


def _references(nll, data, y, lower, upper, poi):
    """Return the best fit, and that of background alone."""
    best = solve(nll, data, y, lower, upper).result
    return best, solve(nll, data, *_at(0, poi, best.params, lower, upper)).result


def tails(q, q_asimov):
    """Return the p-values with signal and without, of the asymptotic distributions of q."""
    root, root_asimov = _root(q), _root(q_asimov)
    above = (q - q_asimov) / (2 * jnp.where(root_asimov > 0, root_asimov, 1))
    t = jnp.where(q > q_asimov, above, root - root_asimov)
    return norm.sf(t + root_asimov), norm.sf(t)


def _root(q):
    """Return the square root, with a slope of 0 at 0."""
    return jnp.where(q > 0, jnp.sqrt(jnp.where(q > 0, q, 1)), 0)
