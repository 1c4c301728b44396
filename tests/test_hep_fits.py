"""Fits: minima, covariances, profiles, intervals, contours and impacts are MINUIT's; derivatives are of refits."""

import functools
import re

import hep_models
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iminuit import Minuit

from autodiff_tutorial import finite_differences, hep_fits, toys
from autodiff_tutorial.hep_fits import Likelihood

LARGE = ["many bins", "many parameters"]
# code0 and code1 have kinks and code2 jumps: they are tested by their values.
FITTED = [name for name in hep_models.CASES if "by code" not in name and name != "clipped bins"]
AT_BOUND = {"below_zero": ["mu"]}


@functools.cache
def fitted(name):
    case = hep_models.load(name)
    return hep_models.quickly(lambda data: hep_fits.fit(case.likelihood, data))(case.data)


def minuit(name, fixed=None):
    """Return MINUIT on pyhf's density, from its start; on ours, where there are many parameters."""
    case = hep_models.load(name)
    start = np.array(case.model.config.suggested_init())
    if name in LARGE:
        nll, gradient = jax.jit(case.likelihood.nll), jax.jit(jax.grad(case.likelihood.nll))
        found = Minuit(
            lambda p: float(nll(p, case.data)),
            start,
            grad=lambda p: np.asarray(gradient(p, case.data)),
            name=case.likelihood.names,
        )
    else:
        found = Minuit(lambda p: -float(case.model.logpdf(p, case.data)[0]), start, name=case.likelihood.names)
    found.errordef, found.strategy, found.tol = 0.5, 1 if name in LARGE else 2, 1e-6
    for k, free in enumerate(hep_models.free_of(case.likelihood)):
        found.fixed[k] = not free
    for parameter, value in (fixed or {}).items():
        found.values[parameter] = value
        found.fixed[parameter] = True
    return found


@pytest.mark.parametrize("name", FITTED)
def test_fits_are_those_of_minuit(name):
    """Best fit, least -log L and covariance; where a bound holds a parameter, those of the others, with it there.

    MINUIT's second differences are right to a percent, and drown in roundoff for large counts: the test
    below is the sharp one.
    """
    case = hep_models.load(name)
    found = fitted(name)
    names = np.array(case.likelihood.names)
    assert bool(found.converged)
    held = hep_models.free_of(case.likelihood) & ~np.asarray(found.free)
    assert list(names[held]) == AT_BOUND.get(name, [])
    theirs = minuit(name, {parameter: float(found.params[k]) for k, parameter in enumerate(names) if held[k]})
    theirs.migrad(ncall=20_000)
    theirs.hesse()
    assert theirs.accurate
    free = np.asarray(found.free)
    errors = np.asarray(found.errors)
    assert np.all(abs(found.params - np.array(theirs.values))[free] <= 1e-4 * errors[free])
    assert abs(found.nll - theirs.fval) <= 1e-7
    scale = np.where(free, errors, 1)
    ours, differences = (np.asarray(c) / np.outer(scale, scale) for c in (found.covariance, theirs.covariance))
    assert np.allclose(ours, differences, atol=0.1 if name == "large" else 1e-2)
    assert not np.any(np.asarray(found.covariance)[~free])
    assert not np.any(np.asarray(found.covariance)[:, ~free])


@pytest.mark.parametrize("name", FITTED)
def test_covariances_invert_the_hessian_of_pyhf(name):
    """To six digits, by differences of its values; where there are many parameters, of our slopes."""
    case = hep_models.load(name)
    found = fitted(name)
    best, free = np.asarray(found.params), np.flatnonzero(found.free)
    scale = np.asarray(found.errors)[free]

    def moved(steps):
        params = np.tile(best, (len(steps), 1))
        params[:, free] += scale * steps
        return params

    if name in LARGE:
        slopes = hep_models.quickly(jax.vmap(jax.grad(case.likelihood.nll), (0, None)))
        estimate = finite_differences.jacobian(
            lambda u: scale * slopes(moved(u), case.data)[:, free],
            np.zeros(free.size),
            accuracy=4,
            step=1e-2,
            batched=True,
        )
    else:
        estimate = finite_differences.hessian(
            lambda u: -float(case.model.logpdf(moved(u[None])[0], case.data)[0]),
            np.zeros(free.size),
            accuracy=6,
            step=0.05,
        )
    ours = np.asarray(found.covariance)[np.ix_(free, free)] / np.outer(scale, scale)
    assert np.allclose(ours, np.linalg.inv(estimate.df), atol=1e-6)


def test_a_bound_holds_only_what_would_leave():
    """There the likelihood of pyhf falls inward, and the parameter is on its bound exactly."""
    case, found = hep_models.load("below_zero"), fitted("below_zero")
    assert found.params[0] == 0
    inward = np.asarray(found.params) + 1e-3 * np.eye(4)[0]
    assert -case.model.logpdf(inward, case.data)[0] > found.nll + 1e-4


def test_the_least_likelihood_of_one_bin():
    """Five events of signal on ten of background, known to 3.5, and fifteen seen: -log L is 4.25748227 at (1, 1)."""
    import pyhf

    model = pyhf.simplemodels.uncorrelated_background([5.0], [10.0], [3.5])
    likelihood = hep_fits.from_pyhf(model)
    found = hep_fits.fit(likelihood, [15.0, *model.config.auxdata])
    assert np.allclose(found.params, [1, 1], atol=1e-9)
    assert abs(found.nll - 4.25748227) < 5e-9


MINOS = {"uncorrelated": ["mu", "stat[0]", "stat[1]"], "counter": ["mu"]}


@pytest.mark.parametrize("name", MINOS)
def test_intervals_are_those_of_minos(name):
    """For the parameter of interest and two more, at 1, 2 and 4 standard deviations; an end beyond a bound is that."""
    case = hep_models.load(name)
    n_sigma = np.array([1.0, 2.0, 4.0])

    def many(parameter):
        return jax.vmap(lambda n: hep_fits.interval(case.likelihood, case.data, parameter, n_sigma=n))(n_sigma)

    ends = hep_models.quickly(lambda: [many(parameter) for parameter in MINOS[name]])()
    theirs = minuit(name)
    theirs.migrad()
    errors, bounds = np.asarray(fitted(name).errors), np.asarray(case.likelihood.bounds)
    for parameter, found in zip(MINOS[name], ends, strict=True):
        assert bool(np.all(found.converged))
        k = case.likelihood.names.index(parameter)
        for j, n in enumerate(n_sigma):
            theirs.minos(parameter, cl=n)
            wanted = theirs.values[k] + np.array([theirs.merrors[parameter].lower, theirs.merrors[parameter].upper])
            if parameter != "mu":
                # The parameter of interest would be below its bound in MINUIT's fits.
                wanted = np.where(theirs.merrors[parameter].is_valid, wanted, np.nan)
            ours = np.array([found.lower[j], found.upper[j]])
            assert np.all(abs(ours - np.clip(wanted, *bounds[k])) <= 2e-4 * errors[k])


@functools.cache
def profile_of_minuit(name, *held):
    """Return a function that refits pyhf's density with parameters held."""
    found = minuit(name, dict.fromkeys(held, 1.0))

    def refit(*values):
        for parameter, value in zip(held, values, strict=True):
            found.values[parameter] = value
        found.migrad()
        return found.fval, np.array(found.values)

    return refit


def test_contours_are_those_of_minuit():
    """On ours, the profile of pyhf has risen by one half; MINUIT's points lie on it."""
    case, best = hep_models.load("uncorrelated"), fitted("uncorrelated")
    pair = ("mu", "stat[0]")
    found = hep_models.quickly(lambda: hep_fits.contour(case.likelihood, case.data, pair, n_points=128))()
    assert bool(np.all(found.converged))
    refit = profile_of_minuit("uncorrelated", *pair)
    rises = [refit(*map(float, point))[0] - best.nll for point in found.points[::8]]
    inside = np.all(np.asarray(found.points[::8]) > np.asarray(case.likelihood.bounds)[[0, 1], 0], axis=1)
    assert np.all(abs(np.array(rises)[inside] - 0.5) < 1e-5)
    theirs = minuit("uncorrelated")
    theirs.migrad()
    points = theirs.mncontour(*pair, cl=1 - np.exp(-0.5), size=12)
    errors = np.asarray(best.errors)[:2]
    ours = np.asarray(found.points) / errors
    for point in points[:-1] / errors:
        a, b = ours, np.roll(ours, -1, axis=0)
        t = np.clip(np.sum((point - a) * (b - a), axis=1) / np.sum((b - a) ** 2, axis=1), 0, 1)
        assert np.min(np.linalg.norm(a + t[:, None] * (b - a) - point, axis=1)) < 2e-3


def counting(lowest):
    """Return a likelihood of 5 mu + 10 b events, where b is known to a tenth, and mu has a lower bound."""

    def nll(params, data):
        rate = 5 * params[0] + 10 * params[1]
        return rate - data[0] * jnp.log(rate) + (params[1] - data[1]) ** 2 / 0.02

    bounds = jnp.array([[lowest, 10.0], [0.1, 3.0]])
    return hep_fits.Likelihood(nll=nll, init=jnp.array([0.5, 1.0]), bounds=bounds, names=("mu", "b"), poi=0)


def test_contour_along_a_bound():
    """With one parameter's best fit at its bound, the other reaches as far as its interval, both ways."""
    likelihood, data = counting(0.0), jnp.array([6.0, 1.0])
    assert hep_fits.fit(likelihood, data).params[0] == 0
    ends = hep_fits.interval(likelihood, data, "b")
    for pair in ("mu", "b"), ("b", "mu"):
        b = hep_fits.contour(likelihood, data, pair, n_points=4).points[:, pair.index("b")]
        assert np.allclose([b.min(), b.max()], [ends.lower, ends.upper], atol=1e-6)


def test_slopes_of_errors_beside_what_is_fixed():
    """With b fixed at 1, mu is (n - 10) / 5, and its error the root of n / 25; that of b is 0, and does not move."""
    slopes = jax.jacrev(lambda data: hep_fits.fit(counting(0.0), data, fixed={"b": 1.0}).errors)(jnp.array([15.0, 1.0]))
    assert np.allclose(slopes, [[0.1 / 15**0.5, 0.0], [0.0, 0.0]], atol=1e-10)


def test_profiles_are_refits():
    """With the parameter fixed at each value, by MINUIT: all of the fit."""
    case = hep_models.load("pulled")
    grid = np.array([0.0, 0.4, 1.0, 2.5])
    found = hep_models.quickly(lambda: hep_fits.profile(case.likelihood, case.data, "mu", grid))()
    assert bool(np.all(found.converged))
    refit = profile_of_minuit("pulled", "mu")
    for k, value in enumerate(grid):
        nll, params = refit(value)
        assert abs(found.nll[k] - nll) < 1e-7
        assert np.allclose(found.params[k], params, atol=1e-4)


def test_impacts_are_refits():
    """Each parameter, one standard deviation down and up, by MINUIT; the linear ones are the covariance."""
    case, best = hep_models.load("pulled"), fitted("pulled")
    found = hep_models.quickly(lambda: hep_fits.impacts(case.likelihood, case.data))()
    poi = case.likelihood.poi
    errors, covariance = np.asarray(best.errors), np.asarray(best.covariance)
    assert bool(np.all(found.converged))
    assert np.allclose(found.linear, covariance[poi] / errors, rtol=1e-8)
    for j, parameter in enumerate(case.likelihood.names):
        if j == poi:
            assert np.allclose([found.down[j], found.up[j]], [-errors[poi], errors[poi]], rtol=1e-8)
            continue
        refit = profile_of_minuit("pulled", parameter)
        for side, ours in ((-1, found.down[j]), (1, found.up[j])):
            shift = refit(float(best.params[j] + side * errors[j]))[1][poi] - best.params[poi]
            assert abs(ours - shift) <= 2e-4 * errors[poi]


def plain(nll, init, bounds=None, **options):
    """Return a likelihood of one's own, without bounds."""
    init = jnp.asarray(init)
    bounds = jnp.array([[-jnp.inf, jnp.inf]] * init.size) if bounds is None else jnp.asarray(bounds)
    return Likelihood(nll, init, bounds, tuple(f"p{k}" for k in range(init.size)), **options)


def test_what_the_data_do_not_tell_has_no_covariance():
    """Of two numbers only the sum is known: a minimum, with a covariance of NaN."""
    found = hep_fits.fit(plain(lambda p, d: (p[0] + p[1] - d[0]) ** 2 / 2, [0.3, 0.1]), [1.0])
    assert bool(found.converged)
    assert bool(found.singular)
    assert np.isclose(found.params.sum(), 1)
    assert np.all(np.isnan(found.covariance))
    assert not hep_fits.fit(PAIR, [1.0, 1.2]).singular


@pytest.mark.parametrize("counts", [[25.0, 40.0], [31.0, 17.0]])
def test_factors_known_as_a_product_have_no_covariance(counts):
    """Whatever slope is left at the minimum, it makes no curvature, of either sign, along what is open."""
    nuisance = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    factors = [{"name": name, "type": "normfactor", "data": None} for name in ("mu", "k")]
    samples = [
        {"name": "signal", "data": [5.0, 8.0], "modifiers": factors},
        {"name": "background", "data": [10.0, 20.0], "modifiers": [nuisance]},
    ]
    model = pyhf.Model({"channels": [{"name": "one", "samples": samples}]}, poi_name="mu")
    likelihood, data = hep_fits.from_pyhf(model), np.array(counts + model.config.auxdata)
    found, in_toys = hep_fits.fit(likelihood, data), toys.fit_toys(likelihood, data[None])
    assert bool(found.converged & found.singular)
    assert bool(in_toys.converged.all())
    assert np.isnan(found.errors).all()
    assert np.isnan(in_toys.errors).all()
    ours = hep_fits.interval(likelihood, data, "mu")
    assert bool(ours.converged)
    assert ours.lower < found.params[0] < ours.upper


NO_MINIMA = {
    "a saddle": plain(lambda p, d: p[0] ** 2 - p[1] ** 2 + d[0], [1.0, 0.0]),
    "a slope": plain(lambda p, d: p[0] * d[0], [1.0]),
    "no number": plain(lambda p, d: jnp.log(p[0] - d[0]), [0.5]),
}


@pytest.mark.parametrize("likelihood", NO_MINIMA.values(), ids=NO_MINIMA)
def test_what_has_no_minimum_is_not_found(likelihood):
    """The fit warns and says so, and its derivatives are NaN."""
    with pytest.warns(RuntimeWarning, match=re.escape("`hep_fits.fit` has not converged: derivatives are NaN.")):
        found = hep_fits.fit(likelihood, [1.0])
    assert not bool(found.converged)
    slope = jax.jit(jax.jacfwd(lambda d: hep_fits.fit(likelihood, d).params))(jnp.array([1.0]))
    assert np.all(np.isnan(slope))


def test_too_few_steps_are_no_fit():
    """What was found by then is said not to be it; in a batch, they are counted."""
    likelihood = plain(lambda p, d: jnp.cosh(p[0] - d[0]), [0.0])
    with pytest.warns(RuntimeWarning, match="has not converged"):
        assert not bool(hep_fits.fit(likelihood, [3.0], max_steps=1).converged)
    with pytest.warns(RuntimeWarning, match=re.escape("`hep_fits.profile` has not converged in 2 of 2 cases")):
        hep_fits.profile(NO_MINIMA["a saddle"], [1.0], 0, [0.5, 1.0])


# Derivatives.


def refits(fit, data, step=1e-3):
    """Return slopes of all in a fit, by differences of sixth order of refits in one batch."""
    offsets = np.array([-3, -2, -1, 1, 2, 3])
    h = step * np.maximum(1, abs(data))
    shifted = data + offsets[:, None, None] * np.diag(h)
    found = fit(shifted.reshape(-1, data.size))
    rows = jax.tree.map(lambda x: np.asarray(x).reshape(6, data.size, *x.shape[1:]), found)
    w = np.asarray(finite_differences.weights(offsets))
    return jax.tree.map(lambda x: np.moveaxis(np.tensordot(w, x, 1) / h.reshape(-1, *(1,) * (x.ndim - 2)), 0, -1), rows)


def outcome(likelihood, data):
    found = hep_fits.fit(likelihood, data)
    # A variance has a slope where its root has none: for a parameter at a bound.
    return found.params, found.nll, jnp.diagonal(found.covariance)


@pytest.mark.parametrize("name, modes", [("uncorrelated", [jax.jacfwd, jax.jacrev]), ("below_zero", [jax.jacfwd])])
def test_slopes_in_the_data_are_those_of_refits(name, modes):
    """Of the best fit, the least -log L and the variances; forward and reverse; one parameter may be at a bound."""
    case = hep_models.load(name)
    batch = hep_models.quickly(jax.vmap(functools.partial(outcome, case.likelihood)))
    wanted = refits(batch, case.data)
    slopes = hep_models.quickly(lambda d: [jac(functools.partial(outcome, case.likelihood))(d) for jac in modes])
    for found in slopes(case.data):
        for ours, theirs in zip(found, wanted, strict=True):
            assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-8)
    assert np.isclose(batch(case.data[None])[1][0], fitted(name).nll, rtol=1e-12)
    assert np.allclose(batch(case.data[None])[0][0], fitted(name).params, rtol=1e-10)


def counter(s, b):
    """Return the likelihood of a count with s events of signal on b of background; mu is (n - b) / s."""

    def nll(params, n):
        rate = s * params[0] + b
        return rate - n[0] * jnp.log(rate)

    return plain(nll, [1.0], [[-0.5, 50.0]], poi=0)


def test_derivatives_in_what_the_likelihood_closes_over():
    """Of mu = (n - b) / s and its error, root n / s, in n, s and b: first and second, by both modes."""

    def found(x):
        fit = hep_fits.fit(counter(x[1], x[2]), x[:1])
        return jnp.stack([fit.params[0], fit.errors[0]])

    def known(x):
        return jnp.stack([(x[0] - x[2]) / x[1], jnp.sqrt(x[0]) / x[1]])

    def all_of(f):
        return lambda x: (f(x), jax.jacfwd(f)(x), jax.jacrev(f)(x), jax.jacfwd(jax.jacrev(f))(x))

    x = jnp.array([17.0, 5.0, 10.0])
    for ours, theirs in zip(hep_models.quickly(all_of(found))(x), all_of(known)(x), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-7, atol=1e-10)


def test_slopes_in_values_that_are_fixed():
    """For a quadratic -log L, the others follow by the covariance: C[1, 0] / C[0, 0]; in names and in indices."""
    H = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    likelihood = plain(lambda p, d: (p - d) @ H @ (p - d) / 2, [0.0, 0.0])
    slope = jax.jacfwd(lambda v: hep_fits.fit(likelihood, [1.0, -1.0], fixed={"p0": v}).params)(2.0)
    C = np.linalg.inv(H)
    assert np.allclose(slope, [1, C[1, 0] / C[0, 0]], rtol=1e-10)
    one = hep_fits.fit(likelihood, [1.0, -1.0], fixed={0: 2.0})
    assert np.allclose(one.params, [2, -1 + C[1, 0] / C[0, 0]], rtol=1e-10)
    assert np.allclose(one.covariance, [[0, 0], [0, 1 / H[1, 1]]])
    assert one.free.tolist() == [False, True]


@pytest.mark.usefixtures("without_x64")
def test_fits_in_float32():
    """Without float64 all is float32, right to its precision."""
    likelihood = Likelihood(
        lambda p, n: 5 * p[0] + 10 - n[0] * jnp.log(5 * p[0] + 10), np.float32([0.5]), [[0, 9]], "m"
    )
    found = hep_fits.fit(likelihood, np.float32([15]))
    slope = jax.grad(lambda n: hep_fits.fit(likelihood, n).params[0])(jnp.float32([15]))
    assert {leaf.dtype.name for leaf in (found.params, found.nll, found.covariance, slope)} == {"float32"}
    assert bool(found.converged)
    assert np.allclose([found.params[0], found.errors[0], slope[0]], [1, 15**0.5 / 5, 0.2], rtol=1e-3)


# Laws.

POSITIVE = st.floats(0.5, 30)


def _counting(params, data):
    n, s, b = data[:9].reshape(3, 3)
    rates = params[0] * s + b * jnp.exp(0.1 * params[1])
    return jnp.sum(rates - n * jnp.log(rates)) + (params[1] - data[9]) ** 2 / 2


COUNTING = plain(_counting, [1.0, 0.0], [[-0.01, 100.0], [-5.0, 5.0]])


@settings(max_examples=25)
@given(st.lists(POSITIVE, min_size=6, max_size=6), st.floats(0.1, 20), st.floats(-2, 2))
def test_asimov_data_are_fitted_by_the_truth(rates, mu, alpha):
    """Whatever signal and background, data that are exactly expected give back what they were expected of."""
    s, b = np.array(rates).reshape(2, 3)
    found = hep_fits.fit(COUNTING, np.concatenate([mu * s + b * np.exp(0.1 * alpha), s, b, [alpha]]))
    assert bool(found.converged)
    assert np.all(abs(found.params - np.array([mu, alpha])) <= 1e-6 * found.errors)


def _gaussian(params, data):
    A, y = data[:6].reshape(3, 2), data[6:]
    return jnp.sum((A @ params - y) ** 2) / 2 + params @ params / 2


GAUSSIAN = plain(_gaussian, [0.0, 0.0])


@settings(max_examples=25)
@given(st.lists(st.floats(-10, 10), min_size=9, max_size=9))
def test_a_gaussian_likelihood_has_the_covariance_of_least_squares(numbers):
    """The inverse of A^T A + 1, and the best fit with it."""
    A, y = np.array(numbers[:6]).reshape(3, 2), np.array(numbers[6:])
    covariance = np.linalg.inv(A.T @ A + np.eye(2))
    found = hep_fits.fit(GAUSSIAN, np.array(numbers))
    assert bool(found.converged)
    assert np.allclose(found.covariance, covariance, rtol=1e-8, atol=1e-10)
    assert np.allclose(found.params, covariance @ A.T @ y, rtol=1e-7, atol=1e-7)


# What is refused.

GOOD = plain(lambda p, d: (p[0] - d[0]) ** 2 + p[1] ** 2, [0.0, 0.0], poi=0)
FIXED = GOOD._replace(bounds=jnp.array([[0.0, 0.0], [-1.0, 1.0]]))
SHOWN = "one of 'p0', 'p1', or an index below 2"
COUNTER = hep_models.load("counter")


def fit_of(**changes):
    return lambda: hep_fits.fit(GOOD._replace(**changes), [1.0])


REFUSED = {
    "no likelihood": (
        lambda: hep_fits.fit({}, [1.0]),
        TypeError,
        "`hep_fits.fit(likelihood=...)` should be a `Likelihood`. Got dict.",
    ),
    "a start without shape": (
        fit_of(init=jnp.array(1.0)),
        ValueError,
        "`hep_fits.fit(likelihood.init)` should have shape (p,), p at least 1. Got shape ().",
    ),
    "a start of integers": (fit_of(init=jnp.array([0, 0])), TypeError, "`hep_fits.fit(likelihood.init)` should hold"),
    "bounds for one": (
        fit_of(bounds=jnp.zeros((1, 2))),
        ValueError,
        "`hep_fits.fit(likelihood.bounds)` should have shape (2, 2). Got shape (1, 2).",
    ),
    "one name twice": (
        fit_of(names=("a", "a")),
        ValueError,
        "`hep_fits.fit(likelihood.names)` should be 2 different names. Got ['a', 'a'].",
    ),
    "too few names": (fit_of(names=("a",)), ValueError, "should be 2 different names. Got ['a']."),
    "a poi that is none": (
        fit_of(poi=2),
        ValueError,
        "`hep_fits.fit(likelihood.poi)` should be an index below 2, or None. Got 2.",
    ),
    "a poi by name": (fit_of(poi="p0"), ValueError, "should be an index below 2, or None. Got 'p0'."),
    "a start out of bounds": (
        fit_of(init=jnp.array([0.0, 3.0]), bounds=jnp.array([[-1.0, 1.0], [-1.0, 2.0]])),
        ValueError,
        "`hep_fits.fit(likelihood.init)` should lie within the bounds. Got 3 for p1, bounded by -1 and 2.",
    ),
    "a start of NaN": (
        fit_of(init=jnp.array([jnp.nan, 0.0])),
        ValueError,
        "should lie within the bounds. Got nan for p0",
    ),
    "an nll of two numbers": (
        fit_of(nll=lambda p, d: p),
        TypeError,
        "`hep_fits.fit(likelihood.nll)` should return one number in the dtype of the parameters,",
    ),
    "data without shape": (
        lambda: hep_fits.fit(GOOD, 1.0),
        ValueError,
        "`hep_fits.fit(data=...)` should have shape (d,), d at least 1. Got shape ().",
    ),
    "no data": (lambda: hep_fits.fit(GOOD, []), ValueError, "should have shape (d,), d at least 1. Got shape (0,)."),
    "data of NaN": (
        lambda: hep_fits.fit(GOOD, [np.nan]),
        ValueError,
        "`hep_fits.fit(data=...)` should be finite. Got nan at position 0.",
    ),
    "data of another length": (
        lambda: hep_fits.fit(COUNTER.likelihood, [1.0, 2.0]),
        ValueError,
        "`hep_fits.fit(data=...)` should have shape (1,): main counts, then auxiliary data. Got shape (2,).",
    ),
    "negative counts": (
        lambda: hep_fits.fit(COUNTER.likelihood, [-1.0]),
        ValueError,
        "`hep_fits.fit(data=...)` should be finite, with counts of 0 or more. Got -1.0 at position 0.",
    ),
    "data of words": (lambda: hep_fits.fit(GOOD, ["a"]), TypeError, "`hep_fits.fit(data=...)` should hold"),
    "fixed in a list": (
        lambda: hep_fits.fit(GOOD, [1.0], fixed=["p0"]),
        TypeError,
        "`hep_fits.fit(fixed=...)` should be a dictionary, such as {'mu': 1.0}. Got ['p0'].",
    ),
    "fixed to two numbers": (
        lambda: hep_fits.fit(GOOD, [1.0], fixed={"p0": [1.0, 2.0]}),
        ValueError,
        "`hep_fits.fit(fixed=...)` should hold one real number for 'p0'. Got [1.0, 2.0].",
    ),
    "fixed by a wrong name": (
        lambda: hep_fits.fit(GOOD, [1.0], fixed={"nu": 1.0}),
        ValueError,
        f"`hep_fits.fit(fixed=...)` should be the name of a parameter, {SHOWN}. Got 'nu'.",
    ),
    "all fixed": (
        lambda: hep_fits.fit(GOOD, [1.0], fixed={0: 1.0, 1: 1.0}),
        ValueError,
        "`hep_fits.fit` should have a parameter that is free. Got all of them fixed.",
    ),
    "no steps": (lambda: hep_fits.fit(GOOD, [1.0], max_steps=0), ValueError, "`hep_fits.fit(max_steps=...)` should be"),
    "an index too large": (
        lambda: hep_fits.interval(GOOD, [1.0], 2),
        ValueError,
        f"`hep_fits.interval(index=...)` should be the name of a parameter, {SHOWN}. Got 2.",
    ),
    "an index that is true": (lambda: hep_fits.profile(GOOD, [1.0], True, [1.0]), ValueError, f"{SHOWN}. Got True."),
    "an interval of what is fixed": (
        lambda: hep_fits.interval(FIXED, [1.0], "p0"),
        ValueError,
        "`hep_fits.interval(index=...)` should be a parameter that is free. Got 'p0', which is fixed.",
    ),
    "no standard deviations": (
        lambda: hep_fits.interval(GOOD, [1.0], 0, n_sigma=0.0),
        ValueError,
        "`hep_fits.interval(n_sigma=...)` should",
    ),
    "a grid without shape": (
        lambda: hep_fits.profile(GOOD, [1.0], 0, 1.0),
        ValueError,
        "`hep_fits.profile(grid=...)` should have shape (m,), m at least 1. Got shape ().",
    ),
    "a contour of one": (
        lambda: hep_fits.contour(GOOD, [1.0], (0,)),
        ValueError,
        "`hep_fits.contour(indices=...)` should be two parameters, such as (0, 1). Got (0,).",
    ),
    "a contour of one twice": (
        lambda: hep_fits.contour(GOOD, [1.0], (0, "p0")),
        ValueError,
        "`hep_fits.contour(indices=...)` should be two different parameters. Got (0, 'p0').",
    ),
    "a contour of what is fixed": (
        lambda: hep_fits.contour(FIXED, [1.0], ("p0", "p1")),
        ValueError,
        "`hep_fits.contour(indices=...)` should be a parameter that is free. Got 'p0', which is fixed.",
    ),
    "a contour without points": (
        lambda: hep_fits.contour(GOOD, [1.0], (0, 1), n_points=0),
        ValueError,
        "`hep_fits.contour(n_points=...)` should be",
    ),
    "impacts on nothing": (
        lambda: hep_fits.impacts(GOOD._replace(poi=None), [1.0]),
        ValueError,
        "`hep_fits.impacts` needs a parameter of interest. Got a likelihood without one. Name it: "
        "likelihood._replace(poi=0).",
    ),
}


@pytest.mark.parametrize("call, error, text", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(call, error, text):
    """Each with its message, before work starts."""
    with pytest.raises(error, match=re.escape(text)):
        call()


PAIR = plain(lambda p, d: jnp.sum(jnp.cosh(p - d)), [0.0, 0.0], poi=0)


@pytest.mark.parametrize(
    "name, call",
    [
        ("interval", lambda data: hep_fits.interval(PAIR, data, 0).upper),
        ("contour", lambda data: hep_fits.contour(PAIR, data, (0, 1), n_points=3).points.sum()),
        ("impacts", lambda data: hep_fits.impacts(PAIR, data).up[1]),
    ],
)
def test_searches_without_derivatives_say_so(name, call):
    """What is not differentiated is refused, not zero, in both modes, as soon as a derivative is traced."""
    for derivative in (jax.grad, jax.jacfwd):
        with pytest.raises(TypeError, match=f"`hep_fits.{name}` has no derivatives"):
            jax.eval_shape(derivative(call), jnp.array([1.0, 1.2]))


def test_compiled_programs_may_hold_data_that_are_known():
    """Within jax.jit, what is known beforehand is no obstacle: data, bounds and values."""
    at = jax.jit(lambda value: hep_fits.fit(PAIR, np.array([1.0, 1.2]), fixed={"p0": value}).nll)(0.7)
    assert np.isclose(at, np.cosh(0.3) + 1)
    bounded = jax.jit(lambda data: hep_fits.interval(PAIR._replace(bounds=np.array([[-5.0, 5]] * 2)), data, "p1").upper)
    assert np.isclose(bounded(jnp.array([0.0, 0.2])), 0.2 + np.arccosh(1.5))
