"""Derivatives of expectations: unbiased, with errors that are honest, and refused where they would be wrong."""

import functools
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import polygamma

from autodiff_tutorial.integrals import Distribution, expectation_gradient, expectations

KEY = jax.random.key(20)
NORMAL = {"loc": 0.7, "scale": 1.3}
ESTIMATORS = {"score": {}, "reparameterized": {"estimator": "reparameterized"}}


def within_errors(found, value, gradient, errors=4):
    """Tell whether estimates lie within some standard errors of the truth, or a few roundings."""
    pairs = [(found.value, value, found.value_error)]
    pairs += [(found.gradient[name], gradient[name], found.gradient_error[name]) for name in gradient]
    return found.gradient.keys() == gradient.keys() and all(
        np.all(np.abs(np.asarray(x) - y) <= errors * np.asarray(error) + 1e-12) for x, y, error in pairs
    )


def moments_of_normal(loc, scale):
    """Return, for five functions of a normal variable, the mean, and its derivatives in loc and scale."""
    s, c, damped, cut = np.sin(loc), np.cos(loc), np.exp(-(scale**2) / 2), (2 - loc) / scale
    grown, density = np.exp(loc + scale**2 / 2), stats.norm.pdf(cut) / scale
    return {
        "square": (loc**2 + scale**2, 2 * loc, 2 * scale),
        "cube": (loc**3 + 3 * loc * scale**2, 3 * (loc**2 + scale**2), 6 * loc * scale),
        "sine": (s * damped, c * damped, -scale * s * damped),
        "exponential": (grown, grown, scale * grown),
        "hard cut": (stats.norm.sf(cut), density, cut * density),
    }


TRUTH = moments_of_normal(**NORMAL)
FUNCTIONS = [lambda x: x**2, lambda x: x**3, jnp.sin, jnp.exp, lambda x: jnp.where(x > 2, 1.0, 0.0)]


@pytest.mark.parametrize("options", ESTIMATORS.values(), ids=ESTIMATORS)
def test_expectations_of_a_normal_variable_are_known(options):
    """Five closed forms hold within four standard errors; the hard cut by the score only."""

    def estimate(index):
        return expectation_gradient(
            lambda x: jax.lax.switch(index, FUNCTIONS, x), "normal", NORMAL, KEY, 10_000, **options
        )

    found = jax.jit(jax.vmap(estimate))(jnp.arange(5))
    for i, (name, (value, loc, scale)) in enumerate(TRUTH.items()):
        row = jax.tree.map(lambda a, i=i: a[i], found)
        if name == "hard cut" and options.get("estimator"):
            # Wrong, and seen to be: the check is not blind.
            assert row.gradient == row.gradient_error == {"loc": 0, "scale": 0}
            assert not within_errors(row, value, {"loc": loc, "scale": scale})
        else:
            assert within_errors(row, value, {"loc": loc, "scale": scale}), name


def poisson_truth(f, rate):
    """Return a mean and its derivative, from the series to 30 digits: d/dr E f(x) = E f(x + 1) - E f(x)."""
    with mpmath.workdps(30):
        r = mpmath.mpf(rate)
        value, shifted = (
            mpmath.nsum(lambda k, by=by: f(k + by) * mpmath.exp(-r) * r**k / mpmath.factorial(k), [0, mpmath.inf])
            for by in (0, 1)
        )
        return np.array([float(value), float(shifted - value)])


# At a rate below ten and at one above, which JAX draws by different methods.
SQUARE, INVERSE = poisson_truth(lambda k: k**2, 3.5), poisson_truth(lambda k: 100 / (1 + k), 12)

CORRELATED = Distribution(
    sample=lambda key, params: params["mean"] + jnp.tril(params["root"]) @ jax.random.normal(key, (2,)),
    log_prob=lambda x, params: jax.scipy.stats.multivariate_normal.logpdf(
        x, params["mean"], jnp.tril(params["root"]) @ jnp.tril(params["root"]).T
    ),
    reparameterized=True,
)
CATEGORICAL = Distribution(
    sample=lambda key, params: jax.random.categorical(key, params["logits"]),
    log_prob=lambda x, params: jax.nn.log_softmax(params["logits"])[x],
)
PRIZES = np.array([3.0, -1.0, 0.5])
CHANCES = np.array([0.2, 0.5, 0.3])

# What is drawn, its parameters, f, and the mean of f with its gradient.
CASES = {
    "exponential": ("exponential", {"rate": 1.7}, lambda x: x**2, 2 / 1.7**2, {"rate": -4 / 1.7**3}),
    # Two elements that share a shape.
    "gamma": (
        "gamma",
        {"shape": 2.5, "rate": np.array([1.5, 0.4])},
        lambda x: jnp.sum(jnp.log(x)),
        2 * polygamma(0, 2.5) - np.log(1.5) - np.log(0.4),
        {"shape": 2 * polygamma(1, 2.5), "rate": np.array([-1 / 1.5, -1 / 0.4])},
    ),
    # Both outcomes summed: p f(1) + (1 - p) f(0).
    "bernoulli": (
        "bernoulli",
        {"p": 0.3},
        lambda x: (x - 0.45) ** 2,
        0.3 * 0.55**2 + 0.7 * 0.45**2,
        {"p": 0.55**2 - 0.45**2},
    ),
    "poisson": (
        "poisson",
        {"rate": np.array([3.5, 12.0])},
        lambda x: x[0] ** 2 + 100 / (1 + x[1]),
        SQUARE[0] + INVERSE[0],
        {"rate": np.array([SQUARE[1], INVERSE[1]])},
    ),
    "correlated normals": (
        CORRELATED,
        {"mean": np.array([1.0, 2.0]), "root": np.array([[1.5, 0.0], [0.6, 0.8]])},
        lambda x: x[0] * x[1],
        2 + 1.5 * 0.6,
        {"mean": np.array([2.0, 1.0]), "root": np.array([[0.6, 0.0], [1.5, 0.0]])},
    ),
    "categorical": (
        CATEGORICAL,
        {"logits": np.log(CHANCES)},
        lambda x: jnp.asarray(PRIZES)[x],
        CHANCES @ PRIZES,
        {"logits": CHANCES * (PRIZES - CHANCES @ PRIZES)},
    ),
}
CONTINUOUS = ["gamma", "correlated normals"]


@pytest.mark.parametrize(
    "name, estimator", [*((name, "score") for name in CASES), *((name, "reparameterized") for name in CONTINUOUS)]
)
def test_expectations_are_known(name, estimator):
    """The mean and its gradient are those of closed forms and series, within four standard errors."""
    distribution, params, f, value, gradient = CASES[name]

    def estimate(key):
        return expectation_gradient(f, distribution, params, key, 10_000, estimator=estimator, baseline=False)

    found = jax.jit(estimate)(KEY)
    assert within_errors(found, value, gradient)
    assert jax.tree.map(jnp.shape, found.gradient) == jax.tree.map(jnp.shape, found.gradient_error)
    assert float(found.value_error) < 0.1 * abs(value)


N = 4
OUTCOMES = np.array(list(np.ndindex(*N * (2,))), dtype=float)


def enumerated(outcomes):
    """Return a Bernoulli variable, of a logit, that draws given outcomes: the i-th for the i-th sample."""
    keys = jax.random.key_data(jax.vmap(lambda i: jax.random.fold_in(KEY, i))(jnp.arange(N)))

    def sample(key, params):
        return outcomes[jnp.argmax(jnp.all(jax.random.key_data(key) == keys, axis=1))]

    return Distribution(sample, lambda x, logit: x * logit - jnp.logaddexp(0.0, logit))


LOGIT = 0.4
P = 1 / (1 + np.exp(-LOGIT))
WEIGHTS = np.prod(np.where(OUTCOMES == 1, P, 1 - P), axis=1)
# Of f(0) = 2 and f(1) = 5: the mean, and two derivatives with respect to the logit.
EXACT = np.array([2 + 3 * P, 3 * P * (1 - P), 3 * P * (1 - P) * (1 - 2 * P)])


@pytest.mark.parametrize("baseline", [True, False])
def test_every_outcome_summed_is_exact(baseline):
    """Over all 16 outcomes of four samples, means, gradients, second derivatives and variances are exact."""

    def estimate(logit, outcomes):
        found = expectation_gradient(lambda x: 2 + 3 * x, enumerated(outcomes), logit, KEY, N, baseline=baseline)
        return found.value, found

    def derivatives(outcomes):
        value, found = estimate(LOGIT, outcomes)
        second, _ = jax.grad(jax.grad(estimate, has_aux=True), has_aux=True)(LOGIT, outcomes)
        return jnp.array([value, found.gradient, second]), jnp.array([found.value_error, found.gradient_error])

    estimates, errors = jax.jit(jax.vmap(derivatives))(jnp.asarray(OUTCOMES))
    assert np.allclose(WEIGHTS @ estimates, EXACT, rtol=1e-13)
    variances = WEIGHTS @ (np.asarray(estimates)[:, :2] - EXACT[:2]) ** 2
    assert np.allclose(WEIGHTS @ np.asarray(errors) ** 2, variances, rtol=1e-13)


def test_baseline_with_the_own_sample_is_found_biased():
    """The mean over all samples, the own among them, loses (n - 1) / n of the gradient, and the sum shows it."""
    f = 2 + 3 * OUTCOMES
    score = OUTCOMES - P
    others = (f.sum(axis=1, keepdims=True) - f) / (N - 1)
    right = WEIGHTS @ np.mean((f - others) * score, axis=1)
    planted = WEIGHTS @ np.mean((f - f.mean(axis=1, keepdims=True)) * score, axis=1)
    assert np.isclose(right, EXACT[1], rtol=1e-13)
    assert np.isclose(planted, EXACT[1] * (N - 1) / N, rtol=1e-13)
    assert not np.isclose(planted, EXACT[1], rtol=0.2)


@pytest.mark.parametrize("options", ESTIMATORS.values(), ids=ESTIMATORS)
def test_standard_errors_are_honest(options):
    """Over 500 repetitions, estimates spread as much as they say that they do."""

    def estimate(key):
        return expectation_gradient(jnp.sin, "normal", NORMAL, key, 200, **options)

    found = jax.jit(jax.vmap(estimate))(jax.random.split(KEY, 500))
    for x, error in (
        (found.value, found.value_error),
        *((found.gradient[name], found.gradient_error[name]) for name in NORMAL),
    ):
        assert abs(np.std(x, ddof=1) / np.mean(error) - 1) < 0.15


def test_baseline_lowers_the_variance_as_computed_by_hand():
    """Of a standard normal x, var((10 + x) x) = 100 + 2; with the baseline, var(x x) = 2."""

    def estimate(baseline):
        params = {"loc": 0.0, "scale": 1.0}
        return expectation_gradient(lambda x: 10 + x, "normal", params, KEY, 100_000, baseline=baseline)

    plain, lowered = jax.jit(lambda: [estimate(baseline) for baseline in (False, True)])()
    variances = [100_000 * float(found.gradient_error["loc"]) ** 2 for found in (plain, lowered)]
    assert np.allclose(variances, [102, 2], rtol=0.03)
    assert within_errors(plain, 10, {"loc": 1, "scale": 0})
    assert within_errors(lowered, 10, {"loc": 1, "scale": 0})


@pytest.mark.parametrize("options", ESTIMATORS.values(), ids=ESTIMATORS)
def test_derivatives_of_the_value_are_estimates(options):
    """With respect to the parameters it is the gradient; to what f closes over, the mean of the derivative of f."""
    n, rate, center = 5_000, 1.7, 0.2

    def value(params, center):
        found = expectation_gradient(lambda x: (x - center) ** 2, "exponential", params, KEY, n, **options)
        return found.value, found

    (slopes, slope), found = jax.jit(jax.grad(value, argnums=(0, 1), has_aux=True))({"rate": rate}, center)
    truth = (1 / rate - center) ** 2 + 1 / rate**2
    assert within_errors(found, truth, {"rate": -4 / rate**3 + 2 * center / rate**2})
    assert np.isclose(slopes["rate"], found.gradient["rate"], rtol=1e-12)
    assert abs(slope + 2 * (1 / rate - center)) < 4 * 2 / rate / n**0.5


@functools.cache
def line():
    def estimate(a, b, seed):
        key = jax.random.key(seed)
        return expectation_gradient(lambda x: a * jnp.sin(x) + b, "normal", NORMAL, key, 20)

    return jax.jit(estimate)


@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(0, 1000))
def test_estimate_is_linear_and_blind_to_constants(a, b, seed):
    """From the same samples, the gradient of a f + b is a times that of f, and its error |a| times."""
    plain, other = line()(1.0, 0.0, seed), line()(a, b, seed)
    assert np.allclose(other.value, a * plain.value + b, atol=1e-12)
    for name in NORMAL:
        assert np.allclose(other.gradient[name], a * plain.gradient[name], atol=1e-12)
        assert np.allclose(other.gradient_error[name], abs(a) * plain.gradient_error[name], atol=1e-12)


def test_chunks_change_roundings_only(monkeypatch):
    """Sample by sample, in chunks that do not divide n, or at once: the same samples, and the same numbers."""

    def estimate(numbers):
        monkeypatch.setattr(expectations, "CHUNK", numbers)
        f = lambda x: 1e3 + x**2  # noqa: E731
        options = {"estimator": "reparameterized"}
        return jax.tree.leaves(
            jax.jit(lambda: expectation_gradient(f, "exponential", {"rate": 2.0}, KEY, 50, **options))()
        )

    once = estimate(10_000)
    assert np.allclose(estimate(1), once, rtol=1e-12)
    assert np.allclose(estimate(17), once, rtol=1e-12)


def test_memory_is_bounded():
    """Of ten million samples, and of a reverse pass through them, few are held at a time."""

    def value(params):
        return expectation_gradient(jnp.sin, "exponential", params, KEY, 10**7).value

    program = jax.jit(jax.grad(value)).lower({"rate": 1.0}).compile()
    assert program.memory_analysis().temp_size_in_bytes < 20e6


def test_float32_is_kept_and_loses_nothing_to_large_means_or_small_units():
    """A mean of 1e4, and a unit whose square underflows, leave gradients and errors right."""
    params = {"loc": np.float32(0.7), "scale": np.float32(1.3)}

    def estimate(offset, unit):
        return expectation_gradient(lambda x: offset + unit * x, "normal", params, KEY, 50_000)

    rows = np.float32([[1e4, 1], [0, 1e-30]])
    found = jax.jit(jax.vmap(estimate))(*rows.T)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}
    assert np.allclose(found.value_error / rows[:, 1] * 50_000**0.5, 1.3, rtol=0.02)
    units = jax.tree.map(lambda a: np.asarray(a, float) / rows[:, 1].astype(float), found._replace(value=0.0))
    assert np.all(abs(units.gradient["loc"] - 1) < 4 * units.gradient_error["loc"])
    assert np.all(abs(units.gradient["scale"]) < 4 * units.gradient_error["scale"])
    # By hand: var(x s) for the scores u / sigma of loc, and (u^2 - 1) / sigma of scale, where x - loc = sigma u.
    assert np.allclose(units.gradient_error["loc"] * 50_000**0.5, 2**0.5, rtol=0.03)
    assert np.allclose(units.gradient_error["scale"] * 50_000**0.5, 10**0.5, rtol=0.03)


def test_traced_parameters_out_of_domain_give_nan():
    """In a batch, the rows that make no sense are NaN, even for a hard cut, and the other is right."""

    def estimate(loc, scale, key):
        f = lambda x: jnp.where(x > 0.5, 1.0, 0.0)  # noqa: E731
        return expectation_gradient(f, "normal", {"loc": loc, "scale": scale}, key, 100, baseline=False)

    locs, scales = jnp.array([0.1, 0.2, jnp.inf, 0.3]), jnp.array([-1.0, 1.5, 1.0, 0.0])
    keys = jax.random.key_data(jax.random.split(KEY, 4))
    found = jax.jit(jax.vmap(estimate))(locs, scales, keys)
    assert np.all(np.isnan(np.array(jax.tree.leaves(found))[:, [0, 2, 3]]))
    alone, t = jax.tree.map(lambda a: a[1], found), 0.2
    density = stats.norm.pdf(t) / 1.5
    assert within_errors(alone, stats.norm.sf(t), {"loc": density, "scale": t * density})


def call(f=jnp.sin, distribution="normal", params=NORMAL, key=KEY, n=10, **options):
    return expectation_gradient(f, distribution, params, key, n, **options)


def branch(x):
    return x if x > 0 else -x


FLAT = Distribution(lambda key, params: jax.random.normal(key, (2,)), lambda x, params: -(x**2) / 2)
COUNT = Distribution(lambda key, params: jax.random.poisson(key, params), lambda x, params: 0.0 * params, True)
AT = "`integrals.expectation_gradient("
NAMES = "'normal', 'exponential', 'gamma', 'bernoulli', 'poisson'"

WRONG = {
    "an unknown name": (
        {"distribution": "cauchy"},
        f"{AT}distribution=...)` should be a `Distribution`, or one of {NAMES}. Got 'cauchy'.",
    ),
    "no distribution": (
        {"distribution": 3},
        f"{AT}distribution=...)` should be a `Distribution`, or one of {NAMES}. Got 3.",
    ),
    "an unknown estimator": (
        {"estimator": "pathwise"},
        f"{AT}estimator=...)` should be one of 'score', 'reparameterized'. Got 'pathwise'.",
    ),
    "a discrete distribution, reparameterized": (
        {"distribution": "poisson", "params": {"rate": 1.0}, "estimator": "reparameterized"},
        f"{AT}estimator=...)` should be 'score' for poisson, which has no reparameterization. Got 'reparameterized'.",
    ),
    "one's own without it": (
        {"distribution": CATEGORICAL, "params": {"logits": np.zeros(3)}, "estimator": "reparameterized"},
        f"{AT}estimator=...)` should be 'score' for a distribution, which has no reparameterization. "
        "Got 'reparameterized'.",
    ),
    "one's own that claims it for integers": (
        {"distribution": COUNT, "params": 2.0, "estimator": "reparameterized", "f": lambda x: x * 1.0},
        f"{AT}distribution=...)` should draw floats, to be reparameterized. Got int64.",
    ),
    "a parameter too few": (
        {"params": {"loc": 0.0}},
        f"{AT}params=...)` should be a dictionary of loc, scale, for normal. Got loc.",
    ),
    "a parameter too many": (
        {"params": {**NORMAL, "skew": 1.0}},
        f"{AT}params=...)` should be a dictionary of loc, scale, for normal. Got loc, scale, skew.",
    ),
    "no parameters": ({"params": {}}, f"{AT}params=...)` should be a dictionary of loc, scale, for normal. Got none."),
    "parameters in a tuple": (
        {"params": (0.0, 1.0)},
        f"{AT}params=...)` should be a dictionary of loc, scale, for normal. Got shape (2,).",
    ),
    "integers": (
        {"params": {"loc": 0, "scale": 1.0}},
        f"{AT}params=...)` should hold floating point numbers. Got int64. Write 2.0 for 2, or convert.",
    ),
    "empty parameters": (
        {"params": {"loc": np.zeros(0), "scale": np.ones(0)}},
        f"{AT}params=...)` should not be empty. Got no numbers.",
    ),
    "shapes that do not broadcast": (
        {"params": {"loc": np.zeros(2), "scale": np.ones(3)}},
        f"{AT}params=...)` should have shapes that broadcast. Got {{'loc': (2,), 'scale': (3,)}}.",
    ),
    "a negative scale": (
        {"params": {"loc": 0.0, "scale": -2.0}},
        f"{AT}params=...)` should have scale between 0 and inf, without these. Got -2.0.",
    ),
    "an infinite location": (
        {"params": {"loc": np.array([0.0, np.inf]), "scale": 1.0}},
        f"{AT}params=...)` should have loc between -inf and inf, without these. Got inf.",
    ),
    "a certain outcome": (
        {"distribution": "bernoulli", "params": {"p": 1.0}},
        f"{AT}params=...)` should have p between 0 and 1, without these. Got 1.0.",
    ),
    "a rate that JAX draws too roughly": (
        {"distribution": "poisson", "params": {"rate": 1e6}},
        f"{AT}params=...)` should have rate between 0 and 10000.0, without these. Got 1000000.0.",
    ),
    "a shape that is not a number": (
        {"distribution": "gamma", "params": {"shape": np.nan, "rate": 1.0}},
        f"{AT}params=...)` should have shape between 0 and inf, without these. Got nan.",
    ),
    "one sample": ({"n": 1}, f"{AT}n=...)` should be at least 2 and at most 10^9. Got 1."),
    "too many samples": ({"n": 2**31}, f"{AT}n=...)` should be at least 2 and at most 10^9. Got 2147483648."),
    "a number of samples with digits": ({"n": 1e3}, f"{AT}n=...)` should be an integer. Got 1000.0."),
    "a baseline that is a number": (
        {"baseline": 0.5},
        f"{AT}baseline=...)` should be True or False. Got 0.5.",
    ),
    "a seed for a key": ({"key": 3}, f"{AT}key=...)` should be one key, from `jax.random.key`. Got int."),
    "several keys": (
        {"key": jax.random.split(KEY, 2)},
        f"{AT}key=...)` should be one key, from `jax.random.key`. Got shape (2,).",
    ),
    "an f of more than one number": (
        {"f": lambda x: jnp.array([x, x])},
        f"{AT}f=...)` should return one float. Got float64[2].",
    ),
    "an f of truth values": ({"f": lambda x: x > 1}, f"{AT}f=...)` should return one float. Got bool[]."),
    "an f of nothing": ({"f": lambda x: None}, f"{AT}f=...)` should return one float. Got None."),
    "an f that branches": (
        {"f": branch},
        f"{AT}f=...)` should be traceable by JAX: written with jax.numpy, without branches on values. Got ",
    ),
    "a density for each element": (
        {"distribution": FLAT, "f": jnp.sum},
        f"{AT}distribution.log_prob=...)` should return one float. Got float64[2].",
    ),
}


@pytest.mark.parametrize("arguments, message", WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_explained(arguments, message):
    """What cannot be taken is refused before work starts, by name, with what was got."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        call(**arguments)
