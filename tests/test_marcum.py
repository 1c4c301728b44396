"""The Marcum Q function: right to twelve digits, tails and derivatives included, by sums that share nothing with it."""

import functools
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from programs import quick_jit

from autodiff_tutorial.integrals import log_marcum_q, marcum_q

GRADIENT = quick_jit(jax.vmap(jax.grad(marcum_q, (0, 1, 2))))
LOG_GRADIENT = quick_jit(jax.vmap(jax.grad(log_marcum_q, (0, 1, 2))))


def mixture(order, a, b, digits=30):
    """Return Q and 1 - Q, each summed without subtractions: probabilities of Poisson times gamma functions."""
    with mpmath.workdps(digits):
        order, x, y = mpmath.mpf(order), mpmath.mpf(a) ** 2 / 2, mpmath.mpf(b) ** 2 / 2
        weight, step = mpmath.exp(-x), mpmath.exp(-y + order * mpmath.log(y) - mpmath.loggamma(order + 1))
        upper, q, p, terms = mpmath.gammainc(order, y, mpmath.inf, regularized=True), 0, 0, []
        largest = max(x, mpmath.sqrt(x * y))
        n = int(largest + 20 * mpmath.sqrt(largest)) + 4 * digits
        for k in range(n):
            q += weight * upper
            terms.append((weight, step))
            upper, weight, step = upper + step, weight * x / (k + 1), step * y / (order + k + 1)
        lower = mpmath.gammainc(order + n, 0, y, regularized=True)
        for weight, step in reversed(terms):
            lower += step
            p += weight * lower
        return q, p


def log_of(q, p):
    return mpmath.log(q) if q < p else mpmath.log1p(-p)


def fast_mixture(order, a, b):
    """Return the smaller of Q and 1 - Q, for one a and vectors of orders and of b, by SciPy's gamma functions."""
    x, y = a * a / 2, b * b / 2
    found, above = np.empty_like(y), y > x + order
    largest = max(x, a * b.max() / 2)
    k = np.arange(int(largest + 9 * np.sqrt(largest)) + 60)[:, None]
    weights = scipy.stats.poisson.pmf(k[:, 0], x)
    for side, gamma in [(above, scipy.special.gammaincc), (~above, scipy.special.gammainc)]:
        found[side] = weights @ gamma(order[side] + k, y[side])
    return found


def density(order, a, b):
    """Return minus the slope in b^2 / 2, by mpmath's Bessel function."""
    return mpmath.exp(-(a * a + b * b) / 2) * (b / a) ** (order - 1) * mpmath.besseli(order - 1, a * b)


def derivatives(order, a, b):
    """Return the gradient of Q, its Hessian, and both of log Q, by mpmath to 25 digits or more."""
    with mpmath.workdps(50):
        point = tuple(map(mpmath.mpf, (order, a, b)))
        h = mpmath.mpf(10) ** -12
        ends = [mixture(point[0] + j * h, *point[1:], digits=60) for j in (-2, -1, 0, 1, 2)]
        # The smaller of Q and P is differentiated, the sum of both being constant.
        small = 0 if ends[2][0] < ends[2][1] else 1
        v, sign = [end[small] for end in ends], 1 - 2 * small
        in_order = sign * (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * h)
        in_order_twice = sign * (-v[0] + 16 * v[1] - 30 * v[2] + 16 * v[3] - v[4]) / (12 * h * h)

        def slope(i):
            return lambda *p: p[1] * density(p[0] + 1, *p[1:]) if i == 1 else -p[2] * density(*p)

        def second(i, j):
            return mpmath.diff(slope(i), point, tuple(int(k == j) for k in range(3)))

        gradient = [in_order, slope(1)(*point), slope(2)(*point)]
        hessian = [[in_order_twice, *(second(i, 0) for i in (1, 2))]]
        hessian += [[second(i, j) for j in range(3)] for i in (1, 2)]
        q = ends[2][0]
        log_gradient = [g / q for g in gradient]
        log_hessian = [[hessian[i][j] / q - log_gradient[i] * log_gradient[j] for j in range(3)] for i in range(3)]
        return [np.array(r, float) for r in (gradient, hessian, log_gradient, log_hessian)]


def error(found, truth):
    """Return the largest error, relative to each element; NaN counts as infinite."""
    errors = [abs(f / t - 1) if t else abs(f) for f, t in zip(np.ravel(found).tolist(), np.ravel(truth), strict=True)]
    return max(np.inf if np.isnan(float(e)) else float(e) for e in errors)


def points(n, seed=0):
    """Return orders, a and b: all over the domain, near where Q falls, and near the edges."""
    rng = np.random.default_rng(seed)
    order = rng.choice([0.5, 0.6, 0.75, 1, 1.5, 2, 3.3, 5, 10, 20, 50], n)
    a = np.where(rng.random(n) < 0.5, rng.uniform(0, 30, n), 10 ** rng.uniform(-4, 1.7, n))
    near, edge, far = abs(np.hypot(a, np.sqrt(2 * order)) + rng.normal(size=n)), 10 ** rng.uniform(-6, 1.7, n), 60 * a
    b = np.choose(rng.integers(0, 4, n), [near, edge, rng.uniform(0, 50, n), np.minimum(far, 90)])
    return order, a, b


@functools.cache
def solved(n=100):
    cases = points(n)
    return cases, [mixture(*case) for case in zip(*cases, strict=True)]


def test_values_are_those_of_mpmath():
    """Q is right to twelve digits wherever it is a normal number, and so is its logarithm below and near 1."""
    cases, truth = solved()
    normal = np.array([q > 1e-300 for q, _ in truth])
    assert error(np.asarray(marcum_q(*cases))[normal], [q for q, _ in truth if q > 1e-300]) < 1e-12
    told = np.array([p > 1e-300 for _, p in truth])
    assert error(np.asarray(log_marcum_q(*cases))[told], [log_of(q, p) for q, p in truth if p > 1e-300]) < 1e-12
    assert min(log_of(*pair) for pair in truth) < -1000
    assert sum(p < 1e-20 for _, p in truth) > 5


@pytest.mark.parametrize(
    "planted",
    [
        lambda order, a, b: log_marcum_q(order, a, b * (1 + 1e-10)),
        lambda order, a, b: log_marcum_q(order + 1e-10, a, b),
        lambda order, a, b: jnp.log(marcum_q(order, a, b)),
        lambda order, a, b: log_marcum_q(b, a, order),
    ],
    ids=["b", "order", "logarithm of a rounded number", "swapped"],
)
def test_planted_mistakes_are_seen(planted):
    """The comparison above rejects what is wrong in the tenth digit, or in a tail only."""
    cases, truth = solved()
    assert error(planted(*cases), [log_of(q, p) for q, p in truth]) > 1e-12


def test_ten_thousand_points_agree_with_a_mixture():
    """On a grid up to order 50 and arguments 50, Q or 1 - Q, the smaller, has ten digits down to 1e-280."""
    orders, a, b = np.linspace(0.5, 50, 12), np.linspace(0, 50, 29), np.linspace(0.1, 50, 30)
    grid = np.meshgrid(a, orders, b, indexing="ij")
    order, a, b = (v.reshape(29, -1) for v in (grid[1], grid[0], grid[2]))
    truth = np.array([fast_mixture(o, value, c) for o, value, c in zip(order, a[:, 0], b, strict=True)])
    q, small_p = np.asarray(marcum_q(order, a, b)), -np.expm1(np.asarray(log_marcum_q(order, a, b)))
    found = np.where(b * b / 2 > a * a / 2 + order, q, small_p)
    normal = truth > 1e-280
    assert truth.size > 10_000
    assert np.sum(normal & (truth < 1e-200)) > 100
    assert np.max(abs(found[normal] / truth[normal] - 1)) < 1e-10
    assert np.all(found[~normal] < 1e-279)


def test_the_fast_mixture_is_right():
    """The other answer on the grid agrees with mpmath."""
    for order, a, b in [(0.5, 0.0, 30.0), (50.0, 50.0, 20.0), (3.0, 20.0, 45.0), (20.0, 5.0, 8.0), (7.0, 50.0, 50.0)]:
        assert error(fast_mixture(np.array([order]), a, np.array([b])), min(mixture(order, a, b))) < 1e-11


def test_scipy_agrees_where_it_is_right():
    """SciPy's noncentral chi-square gives the same, as long as it does not give zero."""
    rng = np.random.default_rng(1)
    order, a, b = rng.uniform(0.5, 50, 3000), rng.uniform(0.1, 50, 3000), rng.uniform(0.1, 50, 3000)
    q, log_q = np.asarray(marcum_q(order, a, b)), np.asarray(log_marcum_q(order, a, b))
    for truth, found, least in [
        (scipy.stats.ncx2.sf(b * b, 2 * order, a * a), q, 1e-180),
        (scipy.stats.ncx2.cdf(b * b, 2 * order, a * a), -np.expm1(log_q), 1e-60),
    ]:
        told = found > least
        assert np.sum(told) > 1000
        assert np.max(abs(truth[told] / found[told] - 1)) < 1e-11


@pytest.mark.parametrize(
    "order, a, b",
    [
        (36.06837187216401, 38.184510246154915, 68.88428587063584),
        (6.365316883518348, 20.073603240552245, 1.8422333713224837),
        (1.5, 24.0, 1.6e-6),
    ],
    ids=["survival", "distribution", "overflow"],
)
def test_right_where_scipy_is_not(order, a, b):
    """SciPy 1.17 returns zero for tails of 1e-198 and 1e-81, and raises OverflowError for tiny arguments."""
    assert error(log_marcum_q(order, a, b), log_of(*mixture(order, a, b))) < 1e-12


def test_order_one_half_is_gaussian():
    """For order 1/2 two error functions are the answer, for arguments as large as they come."""
    cases = [
        (0, 200),
        (1e3, 1005),
        (1e6, 1e6 + 20),
        (1e10, 3e10),
        (1e15, 1e15 + 20),
        (1, 1e100),
        (1e70, 1e70),
        (7, 1e-9),
    ]
    a, b = np.array(cases).T
    with mpmath.workdps(40):
        q = [
            (mpmath.erfc((mpmath.mpf(d) - c) / mpmath.sqrt(2)) + mpmath.erfc((mpmath.mpf(d) + c) / mpmath.sqrt(2))) / 2
            for c, d in zip(a, b, strict=True)
        ]
        p = [
            (mpmath.erf((mpmath.mpf(d) - c) / mpmath.sqrt(2)) + mpmath.erf((mpmath.mpf(d) + c) / mpmath.sqrt(2))) / 2
            for c, d in zip(a, b, strict=True)
        ]
    assert error(log_marcum_q(0.5, a, b), [log_of(*pair) for pair in zip(q, p, strict=True)]) < 1e-13


@pytest.mark.parametrize("order", [1e-3, 1.0, 300.0, 1e4])
def test_a_zero_is_a_gamma_function(order):
    """Without a the answer is the incomplete gamma function, for small and for large orders."""
    b = np.sqrt(2 * order) + np.array([-4.0, -1.0, 0.1, 1.0, 6.0])
    b = b[b > 0]
    with mpmath.workdps(40):
        y = [mpmath.mpf(value) ** 2 / 2 for value in b]
        tails = [
            [mpmath.gammainc(order, *ends, regularized=True) for ends in ((value, mpmath.inf), (0, value))]
            for value in y
        ]
    assert error(log_marcum_q(order, 0.0, b), [log_of(*tail) for tail in tails]) < (1e-10 if order < 0.5 else 2e-12)


def test_edges():
    """At zero, at infinity and outside of the domain, values are limits, or NaN."""
    inf, nan = np.inf, np.nan
    order = [2, 0.5, 1, 1, inf, 1, 0, -1, 1, 1, nan, 1, 1, 1e-13, 1]
    a = [3, 0, inf, 1, 1, inf, 1, 1, -1, 1, 1, nan, 1, 1, 1]
    b = [0, 0, 1, inf, 1, inf, 1, 1, 1, -1, 1, 1, nan, 1, 1e200]
    q = [1, 1, 1, 0, 1] + 10 * [nan]
    log_q = [0, 0, 0, -inf, 0] + 10 * [nan]
    np.testing.assert_array_equal(marcum_q(*map(np.array, (order, a, b))), q)
    np.testing.assert_array_equal(log_marcum_q(*map(np.array, (order, a, b))), log_q)
    slopes = np.array(GRADIENT(*(jnp.array(v, jnp.float64) for v in (order, a, b))))
    np.testing.assert_array_equal(slopes[:, 2:5], 0)
    assert np.all(np.isnan(slopes[:, 5:]))


def test_slopes_at_zero():
    """At b = 0 the slope in b is 0 above order 1/2, minus a Gaussian density, twice, at 1/2, and infinite below."""
    order = jnp.array([0.3, 0.5, 0.7, 1.0] + 11 * [2.0])  # as many as above, to be compiled once
    slopes = GRADIENT(order, jnp.ones(15), jnp.zeros(15))
    assert np.allclose(slopes[2], [-np.inf, -np.sqrt(2 / np.pi) * np.exp(-0.5)] + 13 * [0], rtol=1e-13, atol=0)
    assert not np.any(np.array(slopes[:2]))
    curvature = quick_jit(jax.grad(jax.grad(marcum_q, 2), 2))(1.0, 1.5, 0.0)
    assert np.allclose(curvature, -np.exp(-1.125), rtol=1e-12, atol=0)


@functools.cache
def differentiated():
    cases = points(16, seed=4)

    def both(v):
        def gradients(v):
            found = [jax.grad(lambda v, fn=fn: fn(*v))(v) for fn in (marcum_q, log_marcum_q)]
            return found, found

        hessians, gradients = jax.jacfwd(gradients, has_aux=True)(v)
        return gradients[0], hessians[0], gradients[1], hessians[1]

    found = quick_jit(jax.vmap(both))(jnp.stack(cases, axis=1))
    return found, [derivatives(*case) for case in zip(*cases, strict=True)]


@pytest.mark.parametrize(
    "which, tolerance",
    [(0, 1e-12), (1, 1e-12), (2, 1e-12), (3, 1e-10)],
    ids=["gradient", "Hessian", "gradient of log", "Hessian of log"],
)
def test_derivatives_are_those_of_mpmath(which, tolerance):
    """First and second derivatives are right, in all three arguments; in tails, log loses digits to squared slopes."""
    found, truth = differentiated()
    truth = np.array([t[which] for t in truth])
    normal = abs(truth) > 1e-280
    assert np.mean(normal) > 0.5
    assert error(np.asarray(found[which])[normal], truth[normal]) < tolerance


def test_third_derivative():
    """Differentiated in the order and twice in b, the rules give what mpmath finds for the slope in b."""
    third = quick_jit(jax.grad(jax.grad(jax.grad(marcum_q, 0), 2), 2))(1.0, 2.0, 3.0)
    with mpmath.workdps(40):
        truth = mpmath.diff(lambda order, b: -b * density(order, mpmath.mpf(2), b), (1, 3), (1, 1))
    assert error(third, truth) < 1e-12


def test_modes_agree():
    """Forward mode gives the gradient of reverse mode, through broadcasting."""
    order, a, b = jnp.array([[0.8], [4.0]]), jnp.array([0.0, 2.0, 9.0]), 5.0

    def total(*v):
        return jnp.sum(log_marcum_q(*v))

    forward, reverse = quick_jit(lambda *v: [d(total, (0, 1, 2))(*v) for d in (jax.jacfwd, jax.jacrev)])(order, a, b)
    assert jax.tree.map(jnp.shape, reverse) == ((2, 1), (3,), ())
    assert all(np.allclose(f, r, rtol=1e-13) for f, r in zip(forward, reverse, strict=True))


def test_reverse_mode_does_not_keep_the_nodes():
    """A gradient takes a few numbers an element, whose nodes would take hundreds."""
    n = 10_000
    whole = quick_jit(jax.grad(lambda *v: jnp.sum(marcum_q(*v)), (0, 2)))
    memory = whole.lower(*3 * (jax.ShapeDtypeStruct((n,), jnp.float64),)).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 60 * 8 * n


VALUES = quick_jit(lambda order, a, b: [marcum_q(order + k, a, b) for k in (0, 1)])


@given(st.floats(0.5, 50), st.floats(1e-3, 50), st.floats(1e-3, 50))
def test_recurrence_in_the_order(order, a, b):
    """Raising the order by one adds (b / a)^M e^-(a^2 + b^2)/2 I_M(a b), and Q grows by it."""
    lower, upper = map(float, VALUES(order, a, b))
    step = np.exp(order * np.log(b / a) - (a - b) ** 2 / 2) * scipy.special.ive(order, a * b)
    assert upper - lower == pytest.approx(step, rel=1e-10, abs=1e-12 * upper)


@given(st.floats(0.5, 50), st.floats(0, 50), st.floats(0, 50), st.floats(1.001, 2))
def test_monotonic(order, a, b, factor):
    """Q grows with a and the order, and falls with b; none of it beyond 0 and 1."""
    log_q = LOG(order, a, b)
    least = 1e-13 * float(log_q)
    assert float(log_q) <= 0
    assert float(LOG(order * factor, a, b)) >= float(log_q) + least
    assert float(LOG(order, a * factor, b)) >= float(log_q) + least
    assert float(LOG(order, a, b * factor)) <= float(log_q) - least


LOG = quick_jit(log_marcum_q)


def test_float32():
    """In float32 there are five digits where Q is above 1e-10, four in the tails, and the same in slopes."""
    cases = [jnp.asarray(v, jnp.float32) for v in points(3000)]
    wide = [jnp.asarray(v, jnp.float64) for v in cases]
    log_q = np.asarray(log_marcum_q(*wide))
    for found, truth in [(marcum_q(*cases), np.exp(log_q)), (log_marcum_q(*cases), log_q)]:
        assert found.dtype == jnp.float32
        told = abs(truth) > 1e-34
        errors = abs(np.asarray(found)[told] / truth[told] - 1)
        assert np.max(errors) < 2e-4
        assert np.max(errors[abs(truth[told]) > 1e-10]) < 3e-5
    for found, truth in np.array([LOG_GRADIENT(*cases), LOG_GRADIENT(*wide)]).swapaxes(0, 1):
        told = abs(truth) > 1e-30
        assert np.allclose(found[told], truth[told], rtol=3e-4, atol=0)


@pytest.mark.usefixtures("without_x64")
def test_without_x64():
    """Numbers, lists and NumPy's arrays are float32 where JAX has no other, and slopes are."""
    found = log_marcum_q(1, [1.0, 2.0], np.array([[3.0], [4.0]]))
    assert found.dtype == jnp.float32
    assert found.shape == (2, 2)
    assert jax.grad(marcum_q, (0, 1, 2))(1.0, 2.0, 3.0)[0].dtype == jnp.float32


def test_kinds_of_arguments():
    """Integers count as numbers, shapes are broadcast, and empty arrays stay empty."""
    whole = marcum_q(np.arange(1, 4)[:, None], [1, 2], 2)
    assert whole.shape == (3, 2)
    assert error(whole[2, 1], marcum_q(3.0, 2.0, 2.0)) < 1e-15
    assert marcum_q(jnp.float32(1), jnp.zeros(2, jnp.float32), 1.0).dtype == jnp.float32
    assert marcum_q(1.0, np.zeros((0, 3)), 1.0).shape == (0, 3)
    assert error(jax.vmap(marcum_q, (0, None, None))(jnp.arange(1.0, 4.0), 2.0, 2.0), whole[:, 1]) < 1e-15


SHAPES = "`integrals.log_marcum_q(order=..., a=..., b=...)` should have shapes that broadcast. Got (2,), (3,), ()."
MISTAKES = {
    "text": (marcum_q, ("1", 1.0, 1.0), TypeError, "`integrals.marcum_q(order=...)` should hold real numbers"),
    "complex": (log_marcum_q, (1, 1j, 1.0), TypeError, "`integrals.log_marcum_q(a=...)` should hold real numbers"),
    "nothing": (marcum_q, (1, 1.0, None), TypeError, "float32, float64 or integers. Got object."),
    "truth": (marcum_q, (True, 1.0, 1.0), TypeError, "Got bool."),
    "half": (marcum_q, (1, jnp.float16(1), 1.0), TypeError, "Got float16."),
    "bfloat16": (marcum_q, (1, jnp.bfloat16(1), 1.0), TypeError, "Got bfloat16."),
    "ragged": (
        marcum_q,
        (1, [[1.0], [1.0, 2.0]], 1.0),
        ValueError,
        "`integrals.marcum_q(a=...)` should be an array. Got",
    ),
    "shapes": (log_marcum_q, (np.ones(2), np.ones(3), 1.0), ValueError, SHAPES),
}


@pytest.mark.parametrize("fn, given, error, message", MISTAKES.values(), ids=MISTAKES)
def test_bad_input_is_refused(fn, given, error, message):
    """What is no array of real numbers raises before work starts."""
    with pytest.raises(error, match=re.escape(message)):
        fn(*given)
