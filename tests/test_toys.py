"""Toys: each is what it would be alone, and all together say what exact sums and asymptotic formulas say."""

import functools
import json
import re

import hep_models
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from scipy import stats

from autodiff_tutorial import hep_fits, toys
from autodiff_tutorial.toys import lockstep, reports
from autodiff_tutorial.toys.lockstep import fitter
from autodiff_tutorial.toys.testing import Trial

NAMES = ["uncorrelated", "statistical", "shared", "luminosity"]
KEY = jax.random.key(3)


@functools.cache
def about(name, n=200):
    """Return data for fits, about what is expected: drawn by NumPy, as a program that draws takes long to compile."""
    likelihood, rng = hep_models.load(name).likelihood, np.random.default_rng(3)
    mean = np.asarray(likelihood.expected(likelihood.init))
    counts = np.isfinite(likelihood.data_min)
    return np.where(counts, rng.poisson(np.where(counts, mean, 0), (n, mean.size)), rng.normal(mean, 1, (n, mean.size)))


def two_in_a_bin():
    """Return -log L of a signal on two backgrounds in each of three bins, each uncertain by itself."""
    signal, rates, tau = np.array([4.0, 6.0, 3.0]), np.array([[20.0, 10.0, 5.0], [15.0, 15.0, 30.0]]), 50.0

    def nll(params, data):
        mu, factors = params[0], params[1:].reshape(2, 3)
        nu = jnp.concatenate([mu * signal + jnp.sum(factors * rates, axis=0), tau * params[1:]])
        return jnp.sum(nu - data * jnp.log(nu))

    return nll


RATES = np.array([39.0, 31, 38] + [50.0] * 6)
TWO = hep_fits.Likelihood(
    nll=two_in_a_bin(),
    init=np.full(7, 1.0),
    bounds=np.array([[0.0, 10.0]] + [[1e-9, 10.0]] * 6),
    names=["mu", *"abcdef"],
    poi=0,
    sample=lambda params, key: jax.random.poisson(key, RATES).astype(float),
)


# Drawing.


def test_a_toy_is_the_same_whatever_is_drawn_beside_it():
    likelihood = hep_models.load("uncorrelated").likelihood
    many = toys.generate(likelihood, likelihood.init, KEY, 100)
    few = toys.generate(likelihood, likelihood.init, KEY, 7, first=40)
    alone = likelihood.sample(likelihood.init, jax.random.fold_in(KEY, 99))
    assert np.array_equal(many[40:47], few)
    assert np.allclose(many[99], alone, rtol=1e-14)
    assert not np.array_equal(many, toys.generate(likelihood, likelihood.init, jax.random.key(4), 100))


def test_toys_have_the_mean_and_the_variance_that_are_expected():
    likelihood = hep_models.load("luminosity").likelihood
    data = np.asarray(toys.generate(likelihood, likelihood.init, KEY, 20_000))
    mean = np.asarray(likelihood.expected(likelihood.init))
    variance = np.where(np.isfinite(likelihood.data_min), mean, data.var(axis=0))
    assert np.all(abs(data.mean(axis=0) - mean) < 5 * np.sqrt(variance / len(data)) + 1e-12)
    assert np.allclose(data.var(axis=0), variance, rtol=0.06)


# Fits.


def fits_alone(likelihood):
    """Return compiled single fits, mapped over toys."""
    return hep_models.quickly(jax.vmap(lambda toy: hep_fits.fit(likelihood, toy)))


@pytest.mark.filterwarnings("default:Values in x were outside bounds:RuntimeWarning")  # pyhf's fits, with SciPy 1.15
@pytest.mark.parametrize("name", NAMES)
def test_fits_are_those_of_single_fits_and_test_statistics_those_of_pyhf(name):
    case, data = hep_models.load(name), about(name)
    found, alone = toys.fit_toys(case.likelihood, data), fits_alone(case.likelihood)(data)
    assert found.converged.all()
    assert bool(alone.converged.all())
    sigma = np.where(found.errors > 0, found.errors, 1)
    assert np.all(abs(found.params - alone.params) < 1e-5 * sigma)
    assert np.allclose(found.nll, alone.nll, rtol=1e-12)
    assert np.array_equal(found.free, alone.free)
    assert np.allclose(found.errors, alone.errors, rtol=1e-6, atol=1e-12)
    assert not found.retried.any()
    assert found.covariance is None

    bounds, poi = case.model.config.suggested_bounds(), case.likelihood.poi
    bounds[poi] = (0, bounds[poi][1])
    q = Trial("test", 1.0, case.data, case.likelihood, KEY).statistics(data, np.asarray(case.likelihood.init)).q
    with hep_models.backend("jax", pyhf.optimize.scipy_optimizer(tolerance=1e-11)):
        init, fixed = case.model.config.suggested_init(), case.model.config.suggested_fixed()
        theirs = [
            float(pyhf.infer.test_statistics.qmu_tilde(1.0, jnp.asarray(toy), case.model, init, bounds, fixed))
            for toy in data[:50]
        ]
    assert np.sum(q[:50] > 0) > 20
    assert np.allclose(q[:50], theirs, rtol=0, atol=1e-5)


def test_a_likelihood_of_ones_own_with_two_parameters_in_a_bin():
    data = np.random.default_rng(3).poisson(RATES, (300, 9))
    found, alone = toys.fit_toys(TWO, data, covariance=True), fits_alone(TWO)(data)
    assert found.converged.all()
    assert np.allclose(found.params, alone.params, atol=1e-6)
    assert np.allclose(found.errors, alone.errors, rtol=1e-6)
    assert np.allclose(found.covariance, alone.covariance, rtol=1e-5, atol=1e-10)


def test_parameters_can_be_held():
    likelihood, data = hep_models.load("statistical").likelihood, about("statistical")
    held, free = toys.fit_toys(likelihood, data, fixed={likelihood.names[0]: 0.7}), toys.fit_toys(likelihood, data)
    assert np.all(held.params[:, 0] == 0.7)
    assert not held.free[:, 0].any()
    assert held.converged.all()
    assert np.all(held.nll > free.nll)
    alone = hep_fits.fit(likelihood, data[7], fixed={0: 0.7})
    assert np.allclose(held.nll[7], alone.nll, rtol=1e-12)


def same(fits, others):
    """Tell whether fits are the same: to the last bit, but for GPUs, which add in any order."""
    if jax.devices()[0].platform == "cpu":
        return all(a is None or a.tobytes() == b.tobytes() for a, b in zip(fits, others, strict=True))
    return np.allclose(fits.params, others.params, rtol=1e-7) and np.allclose(fits.nll, others.nll, rtol=1e-12)


@pytest.mark.parametrize("kind", ["vectorized", "mapped"])
def test_chunks_change_no_bit(kind):
    if kind == "vectorized":
        likelihood, data = hep_models.load("statistical").likelihood, about("statistical", 3000)
    else:
        likelihood, data = TWO, np.random.default_rng(3).poisson(RATES, (3000, 9)).astype(float)
    whole, parts = toys.fit_toys(likelihood, data), toys.fit_toys(likelihood, data, chunk_size=1024)
    one = fitter("test", likelihood, np.dtype(float), data.shape[1], 1024, None)._replace(threads=1)
    lower, upper = np.asarray(likelihood.bounds).T
    alone = one(np.asarray(data)[2500:2600], np.asarray(likelihood.init), lower, upper)
    assert same(whole, parts)
    assert same(lockstep.ToyFits(*(part if part is None else part[2500:2600] for part in whole)), alone)


def test_a_mesh_changes_no_bit():
    likelihood, data = hep_models.load("statistical").likelihood, about("statistical", 3000)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("toys",))
    assert same(toys.fit_toys(likelihood, data), toys.fit_toys(likelihood, data, chunk_size=1500, mesh=mesh))
    count, elsewhere = counting(), jax.device_put(KEY, jax.devices()[-1])
    found, others = (toys.hypotest(1.0, [2.0], count, key, 700, mesh=m) for key, m in ((KEY, None), (elsewhere, mesh)))
    tolerance = 0 if jax.devices()[0].platform == "cpu" else 1e-9
    assert all(np.allclose(a, b, tolerance, tolerance) for a, b in zip(found.signal, others.signal, strict=True))


@jax.custom_jvp
def without_slope(x, without):
    return 0 * x


without_slope.defjvp(lambda primals, tangents: (0 * primals[0], jnp.where(primals[1] > 0, jnp.nan, 0) * tangents[0]))


def test_a_lower_minimum_elsewhere_is_flagged():
    """A toy whose fit with mu held falls below its best one is not counted; the report of what is left is JSON."""
    likelihood = hep_models.two_minima(sample=lambda params, key: params[:1])
    with pytest.warns(RuntimeWarning, match="flagged toys are not counted"):
        found = toys.hypotest(4.0, jnp.ones(1), likelihood, jax.random.key(0), 4)
    assert found.signal.converged.all()  # from where mu is 4, they find the lower one
    assert not found.background.converged.any()
    told = json.loads(json.dumps(reports.report(found._replace(cls=np.inf), 4.0, np.nan), allow_nan=False))
    assert told["cls"] is told["cl_b"] is told["asymptotic"] is None
    assert told["toys"]["background"]["flagged"] == 4


def test_toys_of_a_likelihood_with_a_scan():
    """What a loop goes through is known to the search for zeros of the Hessian, which is compiled in parts."""
    places = jnp.linspace(0, 1, 12)

    def nll(params, data):
        def rate(left, place):
            left = 0.5 * left + params[0] * place
            return left, left + params[1]

        nu = jax.lax.scan(rate, 0.0, places)[1]
        return jnp.sum(nu - data * jnp.log(nu))

    likelihood = hep_fits.Likelihood(nll, jnp.full(2, 5.0), jnp.array([[0.0, 100.0], [0.1, 100.0]]), ("s", "b"))
    data = np.random.default_rng(0).poisson(9.0, (4, 12)).astype(float)
    found = toys.fit_toys(likelihood, data)
    assert found.converged.all()
    alone = jax.jit(jax.vmap(lambda data: hep_fits.fit(likelihood, data).params))(data)
    assert np.allclose(found.params, alone, rtol=1e-9)


def test_a_slope_that_is_no_number_is_no_minimum():
    """One slope of a toy is NaN, the others vanish. XLA's maximum over many toys may lose it; the flag does not."""

    def nll(p, d):
        return ((p - d) ** 2).sum() + without_slope(p[0], d[0])

    likelihood = hep_fits.Likelihood(nll, jnp.zeros(8), jnp.array([[-5.0, 5.0]] * 8), [f"p{k}" for k in range(8)])
    data = np.zeros((1000, 8))
    data[500, 0] = 1.0
    with pytest.warns(RuntimeWarning, match="1 of 1000"):
        found = toys.fit_toys(likelihood, data)
    assert np.flatnonzero(~found.converged).tolist() == [500]


def test_a_toy_that_fails_is_flagged_and_stops_no_other():
    good = hep_models.load("uncorrelated").likelihood

    def nll(params, data):
        # No number for some data, no minimum for others.
        broken = jnp.where(data[0] == 62.0, jnp.nan, jnp.where(data[0] == 63.0, -1e6 * params[0], 0))
        return good.nll(params, data) + broken

    data = about("uncorrelated", 600)
    bad = np.isin(data[:, 0], [62.0, 63.0])
    assert 20 < bad.sum() < 300
    likelihood = good._replace(nll=nll, vectorized=False, bounds=np.array([[0.0, np.inf], *good.bounds[1:]]))
    with pytest.warns(RuntimeWarning, match=rf"has not converged in {bad.sum()} of 600 cases: they are flagged"):
        found = toys.fit_toys(likelihood, data)
    assert np.array_equal(found.converged, ~bad)
    assert np.array_equal(found.retried, bad)
    alone = toys.fit_toys(likelihood, data[~bad])
    assert alone.params.tobytes() == found.params[~bad].tobytes()


def simple(nll, init, lower, upper, names):
    return hep_fits.Likelihood(nll=nll, init=np.array(init), bounds=np.array([lower, upper]).T, names=names)


SECOND = {
    "a saddle": (
        simple(lambda p, d: (p[0] ** 2 - 1) ** 2 + (p[1] - d[0]) ** 2, [0.0, 2], [-9.0, -9], [9.0, 9], "ab"),
        1,
    ),
    "two alike": (
        simple(
            lambda p, d: -jnp.sum(jax.nn.logsumexp(-((d - p[:, None]) ** 2) / 2, axis=0)),
            [0.0, 0],
            [-9.0, -9],
            [9.0, 9],
            "ab",
        ),
        4,
    ),
    "no number at the start": (simple(lambda p, d: p[0] - d[0] * jnp.log(p[0]), [0.0], [0.0], [9.0], "a"), 1),
}


@pytest.mark.parametrize("case", SECOND)
def test_a_second_try_finds_what_the_first_does_not(case):
    likelihood, d = SECOND[case]
    data = 3 * np.where(np.arange(d) % 2, -1.0, 1.0) + np.linspace(0, 0.5, 5 * d).reshape(5, d)
    with pytest.warns(RuntimeWarning, match="has not converged"):
        hep_fits.fit(likelihood, data[0])
    found = toys.fit_toys(likelihood, data)
    assert found.retried.all()
    assert found.converged.all()
    slopes = jax.vmap(jax.grad(likelihood.nll))(found.params, data)
    assert np.all(abs(np.where(found.free, slopes, 0)) < 1e-6)


def test_a_parameter_without_curvature_goes_to_its_bound():
    likelihood = simple(
        lambda p, d: 1e-3 * p[0] + 0.5e12 * (p[1] - d[0]) ** 2, [5.0, 2], [0.0, -9], [10.0, 9], ["linear", "narrow"]
    )
    found = toys.fit_toys(likelihood, [[1.0], [2.0]])
    assert found.converged.all()
    assert np.allclose(found.params, [[0, 1], [0, 2]])
    assert toys.fit_toys(simple(lambda p, d: p[0] * d[0], [5.0], [0.0], [9.0], ["a"]), [[1.0]]).params == 0


def test_threads_compute_in_the_precision_of_their_caller(monkeypatch, without_x64):
    """Here 64 bits are switched on for a while, in one thread."""
    monkeypatch.setattr(lockstep.ThreadPoolExecutor, "__init__", functools.partialmethod(_three_threads))
    with lockstep.enable_x64(True):
        likelihood, data = hep_models.load("uncorrelated").likelihood, about("uncorrelated", 3000)
        whole, parts = (toys.fit_toys(likelihood, data, chunk_size=size) for size in (4096, 512))
    assert whole.params.dtype == np.float64
    assert whole.params.tobytes() == parts.params.tobytes()


_WITH = lockstep.ThreadPoolExecutor.__init__


def _three_threads(self, threads):
    _WITH(self, 3)


@pytest.mark.usefixtures("without_x64")
def test_toys_in_float32():
    likelihood = hep_fits.Likelihood(
        lambda p, n: 5 * p[0] + 10 - n[0] * jnp.log(5 * p[0] + 10), np.float32([0.5]), [[0, 9]], "m"
    )
    found = toys.fit_toys(likelihood, np.float32([[15], [30], [5]]))
    assert found.params.dtype == found.errors.dtype == np.float32
    assert found.converged.all()
    assert np.allclose(found.params[:, 0], [1, 4, 0], rtol=1e-3)
    assert np.allclose(found.errors[:, 0], [15**0.5 / 5, 30**0.5 / 5, 0], rtol=1e-3)


# Tests.


@functools.cache
def counting(s=4.0, b=2.0):
    """Return a count without any uncertainty, whose p-values are sums."""
    return hep_fits.Likelihood(
        nll=lambda p, n: (s * p + b - n * jnp.log(s * p + b))[0],
        init=np.array([1.0]),
        bounds=np.array([[0.0, 20.0]]),
        names=["mu"],
        poi=0,
        sample=lambda p, key: jax.random.poisson(key, s * p + b).astype(float),
        expected=lambda p: s * p + b,
        vectorized=True,
    )


@pytest.mark.parametrize("observed", [0, 2, 5])
def test_p_values_of_a_count_are_sums(observed):
    """The fewer events, the larger q: toys with the observed count belong to the tail."""
    likelihood, n = counting(), 40_000
    found = toys.hypotest(1.0, [float(observed)], likelihood, KEY, n)
    truth = stats.poisson.cdf(observed, [6.0, 2.0])
    # All counts above s + b have q = 0.
    assert found.q > 0
    for value, error, p in zip(found[2:4], found[5:7], truth, strict=True):
        assert abs(value - p) < 4 * np.sqrt(p * (1 - p) / n)
        assert np.isclose(error, np.sqrt(p * (1 - p) / n), rtol=0.1)
    assert np.isclose(found.cls, found.cl_sb / found.cl_b)
    relative = [error / p for error, p in zip(found[5:7], truth, strict=True)]
    assert np.isclose(found.cls_error, found.cls * np.hypot(*relative), rtol=0.1)


def test_the_expected_band_is_that_of_the_counts():
    likelihood = counting()
    found = toys.hypotest(1.0, [2.0], likelihood, KEY, 40_000)
    counts = np.arange(40)
    cls = np.where(counts < 6, stats.poisson.cdf(counts, 6.0) / stats.poisson.cdf(counts, 2.0), 1)
    expected = cls[stats.poisson.ppf(stats.norm.cdf([-2, -1, 0, 1, 2]), 2.0).astype(int)]
    assert np.allclose(found.expected, expected, rtol=0.1)
    assert np.all(np.diff(found.expected) >= 0)


def test_asymptotic_formulas_hold_where_there_are_many_events():
    _, _, likelihood, data = hep_models.load("statistical")
    found, formula = toys.hypotest(2.2, data, likelihood, KEY, 20_000), hep_fits.hypotest(2.2, data, likelihood)
    assert np.isclose(found.q, formula.q, atol=1e-8)
    assert abs(found.cls - formula.cls) < 4 * found.cls_error
    assert abs(found.cl_b - formula.cl_b) < 4 * found.cl_b_error


def test_toys_of_a_test_are_the_same_however_many():
    likelihood = counting()
    few, many = (toys.hypotest(1.0, [2.0], likelihood, KEY, n, chunk_size=c) for n, c in ((500, None), (9000, 2048)))
    for part in ("signal", "background"):
        for a, b in zip(getattr(few, part), getattr(many, part), strict=True):
            assert a.tobytes() == b[:500].tobytes()
    assert not np.array_equal(few.signal.q, few.background.q)


def test_flagged_toys_are_not_counted():
    good = counting()
    broken = good._replace(nll=lambda p, n: good.nll(p, n) + jnp.where(n[0] == 3, jnp.nan, 0))
    with pytest.warns(RuntimeWarning, match="flagged toys are not counted"):
        found = toys.hypotest(1.0, [2.0], broken, KEY, 20_000)
    for statistics, rate, value in ((found.signal, 6.0, found.cl_sb), (found.background, 2.0, found.cl_b)):
        assert abs(np.mean(~statistics.converged) - stats.poisson.pmf(3, rate)) < 0.01
        p = stats.poisson.cdf(2, rate) / (1 - stats.poisson.pmf(3, rate))
        assert abs(value - p) < 0.015


def test_no_toys_far_out_do_not_make_an_error_of_zero():
    found = toys.hypotest(1.0, [0.0], counting(40.0, 50.0), KEY, 1000)
    assert found.cl_sb == 0
    assert 0 < found.cl_sb_error < 0.002
    assert np.isnan(found.cls)


# Errors.

COUNT = counting()
GENERATE = {
    "no sampler": ((TWO._replace(sample=None), TWO.init, KEY, 3), "(likelihood=...)` should know how to draw data"),
    "no likelihood": ((None, [1.0], KEY, 3), "(likelihood=...)` should be a `Likelihood`. Got NoneType"),
    "a seed": ((COUNT, [1.0], 7, 3), "(key=...)` should be a key, such as jax.random.key(0). Got int"),
    "two keys": ((COUNT, [1.0], jax.random.split(KEY), 3), "(key=...)` should be one key"),
    "no number": ((COUNT, [np.nan], KEY, 3), "(params=...)` should be finite. Got [nan]"),
    "another generator": (
        (COUNT, [1.0], jax.random.key(0, impl="rbg"), 3),
        "(key=...)` should be of the kind threefry2x32. Got rbg",
    ),
    "numbers as a key": ((COUNT, [1.0], jnp.array([0.0, 1.0]), 3), "(key=...)` should be a key"),
    "parameters": ((COUNT, [1.0, 2.0], KEY, 3), "(params=...)` should have shape (1,). Got shape (2,)"),
    "none": ((COUNT, [1.0], KEY, 0), "`n`"),
    "a first": ((COUNT, [1.0], KEY, 3, -1), "(first=...)` should be an integer from 0"),
}


@pytest.mark.parametrize("case", GENERATE)
def test_what_cannot_be_drawn_is_refused(case):
    (likelihood, params, key, n, *first), message = GENERATE[case]
    with pytest.raises((TypeError, ValueError)) as caught:
        toys.generate(likelihood, params, key, n, **{"first": first[0]} if first else {})
    assert "`toys.generate" in str(caught.value)
    assert message.strip("`") in str(caught.value)


FIT = {
    "one toy": ((COUNT, [2.0]), {}, "(data=...)` should have shape (N, d), one toy a row. Got shape (1,)"),
    "no toys": ((COUNT, np.zeros((0, 1))), {}, "(data=...)` should have shape (N, d)"),
    "ragged rows": ((COUNT, [[2.0], [1.0, 2.0]]), {}, "(data=...)` should have shape (N, d), rows of one length"),
    "words": ((COUNT, [["a"]]), {}, "(data=...)` should hold numbers"),
    "not a number": ((COUNT, [[2.0], [np.nan]]), {}, "(data=...)` should be finite"),
    "a negative count": (
        (hep_models.load("uncorrelated").likelihood, -np.ones((3, 4))),
        {},
        "Got -1.0 at position 0 of toy 0",
    ),
    "too few numbers": (
        (hep_models.load("uncorrelated").likelihood, np.ones((3, 3))),
        {},
        "shape (N, 4). Got shape (3, 3)",
    ),
    "a chunk": ((COUNT, [[2.0]]), {"chunk_size": 0}, "chunk_size"),
    "a mesh": ((COUNT, [[2.0]]), {"mesh": 2}, "(mesh=...)` should be a jax.sharding.Mesh. Got int"),
    "all held": ((COUNT, [[2.0]]), {"fixed": {"mu": 1.0}}, "should have a parameter that is free"),
    "a name": ((COUNT, [[2.0]]), {"fixed": {"nu": 1.0}}, "'nu'"),
    "not vectorized": (
        (COUNT._replace(nll=lambda p, n: jnp.sum(p - n * jnp.log(p))), [[2.0]]),
        {},
        "for three columns of parameters and data, as vectorized=True says",
    ),
}


@pytest.mark.parametrize("case", FIT)
def test_what_cannot_be_fitted_is_refused(case):
    arguments, options, message = FIT[case]
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        toys.fit_toys(*arguments, **options)
    assert "toys.fit_toys" in str(caught.value)


def test_fits_of_toys_are_for_the_host():
    with pytest.raises(TypeError, match="runs on the host"):
        jax.jit(lambda data: toys.fit_toys(COUNT, data).params)(jnp.ones((3, 1)))


TEST = {
    "too many": ((1.0, [2.0], COUNT, KEY, 2**33), "(n=...)` should be at most 2**32"),
    "zero": ((0.0, [2.0], COUNT, KEY, 10), "(mu=...)` should be a number above 0"),
    "above the bound": ((21.0, [2.0], COUNT, KEY, 10), "at most the upper bound of the parameter, 20. Got 21.0"),
    "many": (([1.0, 2.0], [2.0], COUNT, KEY, 10), "(mu=...)` should be a number above 0"),
    "no toys": ((1.0, [2.0], COUNT, KEY, 0), "`n`"),
    "no parameter of interest": ((1.0, [2.0], COUNT._replace(poi=None), KEY, 10), "needs a parameter of interest"),
    "a fixed one": (
        (1.0, [2.0], COUNT._replace(bounds=np.ones((1, 2))), KEY, 10),
        "(likelihood.poi)` should be a parameter that is free",
    ),
    "a seed": ((1.0, [2.0], COUNT, 7, 10), "(key=...)` should be a key"),
    "no sampler": ((1.0, [2.0], COUNT._replace(sample=None), KEY, 10), "should know how to draw data"),
}


@pytest.mark.parametrize("case", TEST)
def test_what_cannot_be_tested_is_refused(case):
    arguments, message = TEST[case]
    with pytest.raises((TypeError, ValueError), match=re.escape(message.strip("`"))):
        toys.hypotest(*arguments)
