"""Tests and limits: CLs and its band are those of pyhf, limits are where they are the level, and all have slopes."""

import functools
import re

import hep_models
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from pyhf.infer.intervals.upper_limits import upper_limit as upper_limit_of_pyhf
from scipy import stats

from autodiff_tutorial import hep_fits, toys
from autodiff_tutorial.finite_differences import weights

MUS = np.array([0.4, 1.0, 2.2])
NAMES = [
    "counter",
    "uncorrelated",
    "correlated",
    "statistical",
    "luminosity",
    "below_zero",
    "user_set",
    "pulled",
]


@pytest.fixture
def exact():
    """Let pyhf fit with tolerances to compare with."""
    with hep_models.backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-11)):
        yield


@functools.cache
def cls_of(name):
    """Return a compiled test of many signal strengths, with data to vary."""
    likelihood = hep_models.load(name).likelihood
    return hep_models.quickly(jax.vmap(lambda mu, data: hep_fits.hypotest(mu, data, likelihood), (0, None)))


def hypotest_of_pyhf(name, mu):
    case = hep_models.load(name)
    bounds = case.model.config.suggested_bounds()
    bounds[case.model.config.poi_index] = (0, bounds[case.model.config.poi_index][1])
    observed, tails, expected = pyhf.infer.hypotest(
        mu,
        case.data,
        case.model,
        par_bounds=bounds,
        test_stat="qtilde",
        return_tail_probs=True,
        return_expected_set=True,
    )
    return np.array([observed, *tails, *expected], float)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", NAMES)
def test_cls_are_those_of_pyhf(name):
    """Observed, with both tails, and the band, below and above the best fit; whatever the bound below zero is."""
    case = hep_models.load(name)
    found = cls_of(name)(MUS, case.data)
    assert bool(np.all(found.converged))
    for k, mu in enumerate(MUS):
        ours = np.array([found.cls[k], found.cl_sb[k], found.cl_b[k], *found.expected[k]])
        assert np.allclose(ours, hypotest_of_pyhf(name, mu), rtol=0, atol=1e-5)


def test_both_sides_of_the_best_fit_are_tested():
    """Among the cases are best fits above what is tested, where nothing speaks against it, below, and at zero."""
    q = np.array([cls_of(name)(MUS, hep_models.load(name).data).q for name in NAMES])
    assert np.any(q == 0)
    assert np.any(q > 1)
    best = cls_of("counter")(MUS, hep_models.load("counter").data)
    assert np.array_equal(best.q == 0, MUS < (17 - 10) / 5)
    assert np.array_equal(best.cl_b[best.q == 0] < 0.5, [False] * int(np.sum(best.q == 0)))


@functools.cache
def limited(name, level=0.05):
    case = hep_models.load(name)
    return hep_models.quickly(lambda data: hep_fits.upper_limit(data, case.likelihood, level=level))


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", ["counter", "below_zero", "user_set"])
def test_limits_are_where_pyhf_has_the_level(name):
    """At each of the six, its CLs is 0.05, to what a ten-thousandth of the limit would change."""
    case = hep_models.load(name)
    found = limited(name)(case.data)
    assert bool(np.all(found.converged))
    assert np.all(np.diff(found.expected) > 0)
    for k, limit in enumerate([found.observed, *found.expected]):
        at, near = (hypotest_of_pyhf(name, float(mu))[[0, 3, 4, 5, 6, 7]][k] for mu in (limit, 1.01 * limit))
        assert abs(at - 0.05) <= 1e-4 * abs(near - at) / 0.01 + 1e-7


@pytest.mark.usefixtures("exact")
def test_limits_are_those_of_pyhf():
    """By its own search."""
    case = hep_models.load("counter")
    observed, expected = upper_limit_of_pyhf(case.data, case.model, scan=None, level=0.05, rtol=1e-6)
    found = limited("counter")(case.data)
    assert np.allclose([found.observed, *found.expected], [float(observed), *map(float, expected)], rtol=1e-4)


def test_no_lower_bound_matters():
    """The best fit of a test is that above 0, also where the likelihood's own bound is higher."""
    case = hep_models.load("below_zero")
    at = case.likelihood.poi
    higher = case.likelihood._replace(bounds=case.likelihood.bounds.at[at, 0].set(0.3))
    assert hep_fits.fit(case.likelihood, case.data).params[at] < 0.3
    expected, found = (hep_fits.hypotest(1.0, case.data, likelihood) for likelihood in (case.likelihood, higher))
    assert np.allclose(found.q, expected.q, rtol=1e-8)
    thrown = toys.hypotest(1.0, case.data, higher, jax.random.key(0), 10)
    assert np.allclose(thrown.q, expected.q, rtol=1e-6)


def test_a_lower_minimum_elsewhere_is_told():
    """Where the fit with mu held falls below the best one, that was a local minimum, and no CLs is to be trusted."""
    likelihood = hep_models.two_minima(expected=lambda params: params[:1])
    data = jnp.ones(1)
    best, held = hep_fits.fit(likelihood, data), hep_fits.fit(likelihood, data, fixed={"mu": 4.0})
    assert bool(best.converged & held.converged)
    assert held.nll < best.nll - 1
    with pytest.warns(RuntimeWarning, match="no CLs is to be trusted"):
        assert not bool(hep_fits.hypotest(4.0, data, likelihood).converged)


def test_limits_of_another_level():
    """At the limit, CLs is the level; below the bound of the parameter."""
    case = hep_models.load("counter")
    found = limited("counter", 0.1)(case.data)
    at = cls_of("counter")(jnp.append(found.observed, found.expected), case.data)
    assert np.allclose([at.cls[0], *np.diag(at.expected[1:])], 0.1, rtol=1e-7)


def test_large_counts_have_intervals_and_limits():
    """With counts of 3 10^7, log L is known to 10^-6 only; a signal on such a background is all but normal."""
    background = jnp.full(10, 3e7)
    signal = jnp.sqrt(background)

    def rates(params):
        return params[0] * signal + params[1] * background

    def nll(params, data):
        counts, nu = data[:10], rates(params)
        counted = jnp.sum(nu - counts * jnp.log(nu) + jax.scipy.special.gammaln(counts + 1))
        return counted + (data[10] - params[1]) ** 2 / 2e-8

    likelihood = hep_fits.Likelihood(
        nll, jnp.ones(2), jnp.array([[-20.0, 20.0], [0.5, 2.0]]), ("mu", "factor"), poi=0,
        expected=lambda params: jnp.append(rates(params), params[1]),
    )  # fmt: skip
    data = np.append(np.random.default_rng(0).poisson(background + signal), 1.0)
    # Ten bins of signal s and background s^2, with a factor known to 10^-4: the variance of mu is 1/10 + s^2 10^-8.
    error = np.sqrt(0.1 + 3e7 * 1e-8)
    best = hep_fits.fit(likelihood, data)
    interval = hep_fits.interval(likelihood, data, "mu")
    assert bool(interval.converged)
    assert np.allclose([interval.lower, interval.upper], best.params[0] + error * np.array([-1, 1]), atol=2e-3)
    assert bool(hep_fits.contour(likelihood, data, ("mu", "factor"), n_points=8).converged.all())
    limits = hep_fits.upper_limit(data, likelihood)
    bands = np.arange(-2, 3)
    assert bool(limits.converged.all())
    assert np.allclose(limits.expected, error * (bands + stats.norm.isf(0.05 * stats.norm.cdf(bands))), rtol=2e-3)


def test_limits_beyond_the_bound_are_not_found():
    """NaN, said to be so, with a warning; those below the bound are found."""
    case = hep_models.load("counter")
    likelihood = case.likelihood._replace(bounds=jnp.array([[0.0, 2.0]]))
    text = "`hep_fits.upper_limit` has not converged in 4 of 6 cases: those limits are NaN. Perhaps the upper bound of"
    inside = limited("counter")(case.data)
    within = np.append(inside.observed, inside.expected) < 2
    text = text.replace("4", str(int(np.sum(~within))))
    with pytest.warns(RuntimeWarning, match=re.escape(text)):
        found = hep_fits.upper_limit(case.data, likelihood)
    assert np.array_equal(found.converged, within)
    ours = np.append(found.observed, found.expected)
    assert np.array_equal(np.isnan(ours), ~within)
    assert np.allclose(ours[within], np.append(inside.observed, inside.expected)[within], rtol=1e-7)
    assert 0 < np.sum(within) < 6


def test_slopes_of_cls_are_those_of_differences():
    """In the signal strength and in the data, of CLs and the band, below and above the best fit."""
    case = hep_models.load("uncorrelated")
    x = np.append(2.4, case.data)

    def cls(x):
        found = hep_fits.hypotest(x[0], x[1:], case.likelihood)
        return jnp.append(found.cls, found.expected)

    forward = hep_models.quickly(jax.jacfwd(cls))(x)
    offsets, h = np.array([-3, -2, -1, 1, 2, 3]), 1e-3 * np.maximum(1, abs(x))
    values = hep_models.quickly(jax.vmap(cls))((x + offsets[:, None, None] * np.diag(h)).reshape(-1, x.size))
    differences = np.tensordot(np.asarray(weights(offsets)), np.asarray(values).reshape(6, x.size, 6), 1) / h[:, None]
    assert np.allclose(forward, differences.T, rtol=1e-6, atol=1e-8)
    assert np.all(abs(forward[0, :3]) > 1e-4)


@pytest.mark.usefixtures("without_x64")
def test_tests_in_float32():
    """Without float64 all is float32, right to its precision."""

    def nll(p, n):
        return 5 * p[0] + 10 - n[0] * jnp.log(5 * p[0] + 10)

    likelihood = hep_fits.Likelihood(
        nll, np.float32([0.5]), [[0, 10]], ["mu"], poi=0, expected=lambda p: jnp.array([5 * p[0] + 10])
    )
    found = hep_fits.hypotest(2.2, np.float32([17]), likelihood)
    assert found.cls.dtype == found.expected.dtype == jnp.float32
    q = 2 * (5 * 2.2 + 10 - 17 - 17 * np.log(21 / 17))
    assert np.isclose(found.q, q, rtol=2e-3)


GOOD = hep_models.load("counter").likelihood
POI = "a parameter of interest. Got a likelihood without one. Name it: likelihood._replace(poi=0)."
EXPECTED = (
    "(likelihood=...)` should know the mean of its data, `expected`. Got None. Unbinned likelihoods have none: bin "
    "them, or throw toys."
)
REFUSED = {
    "a test of nothing": (
        lambda: hep_fits.hypotest(0.0, [9], GOOD),
        "`hep_fits.hypotest(mu=...)` should be above 0 and at most the upper bound of the parameter, 10. Got 0.",
    ),
    "a test beyond the bound": (
        lambda: hep_fits.hypotest(11.0, [9], GOOD),
        "at most the upper bound of the parameter, 10. Got 11.",
    ),
    "a test of NaN": (lambda: hep_fits.hypotest(np.nan, [9], GOOD), "upper bound of the parameter, 10. Got nan."),
    "a test of two": (
        lambda: hep_fits.hypotest([1.0, 2.0], [9], GOOD),
        "`hep_fits.hypotest(mu=...)` should be one real number; use jax.vmap for many. Got float64(2,).",
    ),
    "a test without poi": (
        lambda: hep_fits.hypotest(1.0, [9], GOOD._replace(poi=None)),
        f"`hep_fits.hypotest` needs {POI}",
    ),
    "a limit without poi": (
        lambda: hep_fits.upper_limit([9], GOOD._replace(poi=None)),
        f"`hep_fits.upper_limit` needs {POI}",
    ),
    "a test without means": (
        lambda: hep_fits.hypotest(1.0, [9], GOOD._replace(expected=None)),
        f"`hep_fits.hypotest{EXPECTED}",
    ),
    "a limit without means": (
        lambda: hep_fits.upper_limit([9], GOOD._replace(expected=None)),
        f"`hep_fits.upper_limit{EXPECTED}",
    ),
    "a poi that is fixed": (
        lambda: hep_fits.upper_limit([9], GOOD._replace(bounds=jnp.ones((1, 2)))),
        "`hep_fits.upper_limit(likelihood.poi)` should be a parameter that is free. Got one with equal bounds.",
    ),
    "a level of one half": (
        lambda: hep_fits.upper_limit([9], GOOD, level=0.5),
        "`hep_fits.upper_limit(level=...)` should be a number between 0 and 1/2. Got 0.5.",
    ),
    "a level of words": (
        lambda: hep_fits.upper_limit([9], GOOD, level="5%"),
        "should be a number between 0 and 1/2. Got '5%'.",
    ),
}


@pytest.mark.parametrize("call, text", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(call, text):
    """Each with its message, before work starts."""
    with pytest.raises(ValueError, match=re.escape(text)):
        call()


def test_limits_without_derivatives_say_so():
    """A search for a limit is not differentiated: that is refused, not zero."""
    case = hep_models.load("counter")
    with pytest.raises(TypeError, match=r"`hep_fits.upper_limit` has no derivatives"):
        jax.grad(lambda data: hep_fits.upper_limit(data, case.likelihood).observed)(jnp.asarray(case.data))
