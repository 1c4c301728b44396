"""Integrals over arrays of bounds against closed forms, their errors against the truth, and their derivatives."""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import LITTLE_EFFORT, compiled, quick_jit

from autodiff_tutorial import integrals
from autodiff_tutorial.integrals import integrate, rules

INF = np.inf


def difference(F):
    """Return the integral as a difference of an antiderivative F(x, t)."""
    return lambda a, b, t: F(b, t) - F(a, t)


# Integrand, ends, parameter, the integral by a closed form, and of what that is a function.
REGULAR = {
    "a parabola": (lambda x, t: x**2 + t**2, 0, 2, 3, difference(lambda x, t: x**3 / 3 + t**2 * x), "abt"),
    "from right to left": (lambda x, t: jnp.exp(t * x), 1, -2, 0.5, difference(lambda x, t: mp.exp(t * x) / t), "abt"),
    "waves": (lambda x, t: jnp.cos(t * x), 0, 10, 20, difference(lambda x, t: mp.sin(t * x) / t), "abt"),
    "a peak": (lambda x, t: 1 / (x**2 + t**2), -1, 2, 0.01, difference(lambda x, t: mp.atan(x / t) / t), "abt"),
    "a kink": (lambda x, t: jnp.abs(x - t) ** 3, 0, 1, 0.3, lambda a, b, t: ((t - a) ** 4 + (b - t) ** 4) / 4, "abt"),
    "Bessel's J": (lambda x, t: jnp.cos(t * jnp.sin(x)), 0, np.pi, 5, lambda a, b, t: mp.pi * mp.besselj(0, t), "t"),
    "Bessel's I": (lambda x, t: jnp.exp(t * jnp.cos(x)), 0, np.pi, 5, lambda a, b, t: mp.pi * mp.besseli(0, t), "t"),
    "Legendre's F": (lambda x, t: (1 - t * jnp.sin(x) ** 2) ** -0.5, 0, 1.5, 0.9, difference(mp.ellipf), "abt"),
    "Legendre's E": (lambda x, t: (1 - t * jnp.sin(x) ** 2) ** 0.5, 0, 1.5, 0.9, difference(mp.ellipe), "abt"),
    "sine integral": (lambda x, t: jnp.sin(t * x) / x, 1, 9, 2, difference(lambda x, t: mp.si(t * x)), "abt"),
    "through a gap": (lambda x, t: jnp.sin(t * x) / x, -1, 1, 2, difference(lambda x, t: mp.si(t * x)), "abt"),
    "dilogarithm": (lambda x, t: jnp.log1p(t * x) / x, 1, 2, 3, difference(lambda x, t: -mp.polylog(2, -t * x)), "abt"),
    "a gamma's part": (lambda x, t: x ** (t - 1) * jnp.exp(-x), 1, 5, 3.5, lambda a, b, t: mp.gammainc(t, a, b), "abt"),
    "a long way": (lambda x, t: 1 / (x + t), 0, 1000, 0.1, difference(lambda x, t: mp.log(x + t)), "abt"),
    "a step": (
        lambda x, t: jax.nn.sigmoid(x / t), -1, 2, 0.05, difference(lambda x, t: t * mp.log1p(mp.exp(x / t))), "abt",
    ),
    "decay": (lambda x, t: jnp.exp(-t * x), 1, INF, 2, lambda a, b, t: mp.exp(-t * a) / t, "at"),
    "decay to the left": (lambda x, t: jnp.exp(t * x), -INF, 1, 2, lambda a, b, t: mp.exp(t * b) / t, "bt"),
    "a bell": (lambda x, t: jnp.exp(-t * x**2), -INF, INF, 2, lambda a, b, t: mp.sqrt(mp.pi / t), "t"),
    "a bell backwards": (lambda x, t: jnp.exp(-t * x**2), INF, -INF, 2, lambda a, b, t: -mp.sqrt(mp.pi / t), "t"),
    "Cauchy's bell": (lambda x, t: 1 / (x**2 + t**2), -INF, INF, 3, lambda a, b, t: mp.pi / t, "t"),
    "its tail": (lambda x, t: 1 / (x**2 + t**2), INF, 2, 3, lambda a, b, t: (mp.atan(b / t) - mp.pi / 2) / t, "bt"),
    "a spectrum": (
        lambda x, t: jnp.exp(-(x**2) / 2) * jnp.cos(t * x), -INF, INF, 2,
        lambda a, b, t: mp.sqrt(2 * mp.pi) * mp.exp(-(t**2) / 2), "t",
    ),
    "Fermi's law": (
        lambda x, t: x ** (t - 1) / (jnp.exp(x) + 1), 0, INF, 4, lambda a, b, t: mp.gamma(t) * mp.altzeta(t), "t",
    ),
    "Laplace's": (lambda x, t: jnp.exp(-x) * jnp.sin(t * x), 0, INF, 9, lambda a, b, t: t / (1 + t**2), "t"),
    "Euler's": (lambda x, t: 1 / (1 + x**t), 0, INF, 3.5, lambda a, b, t: mp.pi / t / mp.sin(mp.pi / t), "t"),
}  # fmt: skip
SINGULAR = {
    "a power": (lambda x, t: x**t, 0, 2, -0.5, lambda a, b, t: b ** (t + 1) / (t + 1), "bt"),
    "a power, backwards": (lambda x, t: x**t, 2, 0, -0.5, lambda a, b, t: -(a ** (t + 1)) / (t + 1), "at"),
    "hardly integrable": (lambda x, t: x**t, 0, 1, -0.9, lambda a, b, t: b ** (t + 1) / (t + 1), "bt"),
    "a logarithm": (lambda x, t: jnp.log(t * x), 0, 3, 2, lambda a, b, t: b * (mp.log(t * b) - 1), "bt"),
    "gamma": (lambda x, t: x ** (t - 1) * jnp.exp(-x), 0, INF, 0.5, lambda a, b, t: mp.gamma(t), "t"),
    "beta": (lambda x, t: x ** (t - 1) * (1 - x) ** 2, 0, 1, 0.3, lambda a, b, t: mp.beta(t, 3), "t"),
    "a mean logarithm": (
        lambda x, t: jnp.log(x) / (x**2 + t**2),
        0,
        INF,
        2,
        lambda a, b, t: mp.pi * mp.log(t) / (2 * t),
        "t",
    ),
    "Laplace's, singular": (
        lambda x, t: jnp.exp(-t * x) / jnp.sqrt(x),
        0,
        INF,
        2,
        lambda a, b, t: mp.sqrt(mp.pi / t),
        "t",
    ),
}


def truths(F, a, b, t, known):
    """Return the integral, its slopes and the rows of its second derivatives, NaN where the closed form has none."""
    mp.mp.dps = 40
    at = tuple(mp.mpf(float(x)) for x in (a, b, t))

    def along(*orders):
        if any(n and name not in known for n, name in zip(orders, "abt", strict=True)):
            return np.nan
        return float(mp.diff(F, at, orders, h=mp.mpf(10) ** -12))

    first = np.eye(3, dtype=int)
    return float(F(*at)), [along(*row) for row in first], [[along(*(row + other)) for other in first] for row in first]


@pytest.fixture(scope="module", params=[("gauss_kronrod", REGULAR), ("tanh_sinh", SINGULAR)], ids=lambda p: p[0])
def many(request):
    """Return all integrals of a table with their derivatives, found and true, from one program."""
    method, table = request.param
    fs, a, b, t, exact, known = zip(*table.values(), strict=True)
    ends = tuple(jnp.asarray(x, jnp.float64) for x in (a, b, t))

    def integral(a, b, t):
        which = jnp.arange(len(fs))
        return integrate(lambda x, t, k: jax.lax.switch(k, fs, x, t), a, b, (t, which), method=method)

    def total(*ends):
        found = integral(*ends)
        return found.value.sum(), found

    def slopes(*ends):
        return jax.grad(total, argnums=(0, 1, 2), has_aux=True)(*ends)

    def derivatives(ends):
        # The intervals know nothing of each other: a row of all their Hessians in one product.
        a, b, t = ends
        if method == "tanh_sinh":
            by_t = jax.grad(lambda t: integral(a, b, t).value.sum())
            second = jax.jvp(by_t, (t,), (jnp.ones_like(t),))[1][:, None, None]
            first, found = slopes(*ends)
        else:
            steps = [jnp.outer(row, jnp.ones_like(t)) for row in np.eye(3)]
            along = jax.vmap(lambda *step: jax.jvp(slopes, ends, step, has_aux=True), out_axes=(None, 0, None))
            first, rows, found = along(*steps)
            second = jnp.stack(rows).T.swapaxes(1, 2)
        return found, jnp.stack(first, -1), second

    wanted = [truths(*case) for case in zip(exact, a, b, t, known, strict=True)]
    return list(table), compiled(derivatives, ends), [np.array(part) for part in zip(*wanted, strict=True)]


def test_values_are_right_to_the_tolerance(many):
    """Thirty-three integrals, on finite and infinite ranges, regular and singular, are known to ten digits."""
    names, (found, _, _), (truth, _, _) = many
    off = abs(found.value - truth)
    assert bool(found.converged.all()), np.array(names)[~found.converged]
    assert bool((off <= 4e-11 * (1 + abs(truth))).all()), dict(zip(names, off.tolist(), strict=True))
    assert bool((off <= found.error).all()), dict(zip(names, (off / found.error).tolist(), strict=True))


def test_slopes_follow_leibniz(many):
    """The slopes in both ends and in the parameter are those of the closed forms, where these have one."""
    names, (_, slopes, _), (_, truth, _) = many
    off = abs(slopes - truth) / (1 + abs(truth))
    wrong = ~(off < 1e-10) & ~np.isnan(truth)
    assert not wrong.any(), [(names[i], "abt"[j]) for i, j in np.argwhere(wrong)]


def test_second_derivatives_are_those_of_the_closed_forms(many):
    """All nine of them on regular integrands; in the parameter alone where an end is singular."""
    names, (_, _, second), (_, _, truth) = many
    truth = truth[:, 3 - second.shape[1] :, 3 - second.shape[1] :]
    off = abs(second - truth) / (1 + abs(truth))
    wrong = ~(off < 1e-10) & ~np.isnan(truth)
    assert not wrong.any(), [(names[i], "abt"[j], "abt"[k]) for i, j, k in np.argwhere(wrong)]


# Random integrals with an exact value: their integrand by number, and the antiderivative in p and q.
FAMILIES = [
    (lambda x, p, q: p / (p**2 + (x - q) ** 2), lambda x, p, q: np.arctan((x - q) / p)),
    (lambda x, p, q: jnp.cos(x / p + q), lambda x, p, q: p * np.sin(x / p + q)),
    (
        lambda x, p, q: jnp.abs(x - q) ** (p + 0.05),
        lambda x, p, q: np.sign(x - q) * abs(x - q) ** (p + 1.05) / (p + 1.05),
    ),
    (lambda x, p, q: jnp.where(x < q, 1.0, p), lambda x, p, q: np.where(x < q, x - q, p * (x - q))),
    (lambda x, p, q: jax.nn.sigmoid((x - q) / p) + 5, lambda x, p, q: p * np.logaddexp(0, (x - q) / p) + 5 * x),
]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_errors_are_honest_on_random_integrals(dtype):
    """Peaks, waves, kinks, jumps and steps at random: the error covers the truth, converged or not."""
    rng = np.random.default_rng(8)
    size = 1000
    which = rng.integers(len(FAMILIES), size=size)
    p, q = 10 ** rng.uniform(-3, 0, size), rng.uniform(-1, 1, size)
    a, b = rng.uniform(-2, 2, (2, size))
    a, b, p, q = (np.asarray(x, dtype).astype(float) for x in (a, b, p, q))
    upper, lower = (np.choose(which, [F(end, p, q) for _, F in FAMILIES]) for end in (b, a))
    # The closed form is rounded, too.
    truth, unsure = upper - lower, 4 * np.finfo(float).eps * (abs(upper) + abs(lower))

    def integrand(x, p, q, k):
        return jax.lax.switch(k, [f for f, _ in FAMILIES], x, p, q)

    def random_integrals(operands):
        a, b, p, q = operands
        return [integrate(integrand, a, b, (p, q, which), **options) for options in variants]

    variants = {}, {"max_intervals": 1}, {"method": "gauss_legendre", "max_intervals": 4}
    tolerance = jnp.finfo(dtype).eps ** (2 / 3)
    results = compiled(random_integrals, [jnp.asarray(x, dtype) for x in (a, b, p, q)])
    for options, found in zip(variants, results, strict=True):
        converged = np.asarray(found.converged)
        covered = abs(np.asarray(found.value, float) - truth) <= np.asarray(found.error) + unsure
        assert 0.3 < converged.mean() < 0.99, (options, converged.mean())
        assert covered.mean() > 0.95, (options, covered.mean())
        wrong = abs(found.value - truth) > 10 * tolerance * (1 + abs(truth))
        assert (converged & wrong).mean() < 0.03, (options, (converged & wrong).mean())
        np.testing.assert_array_equal(converged, found.error <= tolerance + tolerance * abs(found.value))


def test_what_has_no_value_does_not_converge():
    """Divergent integrals are flagged, and derivatives that need one are NaN."""

    def divergent(x, k):
        return jnp.stack([1 / x, 1 / x**2, jnp.cos(x)])[k]

    found = compiled(lambda b: integrate(divergent, 0, b, (np.arange(3),)), np.array([1, INF, INF]))
    assert not bool(found.converged.any())

    def of_t(t):
        return integrate(lambda x, t: x**t, 0.0, 1.0, (t,), method="tanh_sinh", max_intervals=2)

    slopes = compiled(jax.vmap(jax.grad(lambda t: of_t(t).value)), jnp.array([-0.5, -1.1]))
    np.testing.assert_allclose(slopes, [-4, np.nan], rtol=1e-10)


def test_a_singular_end_away_from_zero_is_told():
    """Numbers near 1 are 1e-16 apart: what lies nearer to a singular end than that is counted in the error."""

    def singular(x, at_one):
        return jnp.where(at_one, 1 - x, x) ** -0.5

    sides = np.array([True, False])
    found = compiled(lambda sides: integrate(singular, 0.0, 1.0, (sides,), method="tanh_sinh"), sides)
    off = abs(np.asarray(found.value) - 2)
    assert found.converged.tolist() == [False, True]
    assert off[1] < 1e-14
    assert 1e-10 < off[0] < found.error[0] < 1e-6


@pytest.mark.parametrize("count", [1, 1100])
def test_an_infinite_value_has_not_converged(count):
    """What overflows has an error that is within a tolerance relative to it."""
    found = compiled(lambda b: integrate(lambda x: 8e307 + x, 0, b, max_intervals=2), jnp.full(count, 3.0))
    assert np.isinf(found.value).all()
    assert not bool(found.converged.any())


@pytest.mark.parametrize("dtype, powers", [("float64", [-0.9, -0.92, -0.94, -0.95, -0.97]), ("float32", [-0.7, -0.8])])
def test_what_lies_beyond_the_last_node_is_counted_in_the_error(dtype, powers):
    """Of x^p with p near -1 a part lies nearer to 0 than any node."""
    p = np.array(powers, dtype)
    found = compiled(lambda p: integrate(lambda x, p: x**p, 0, 1, (p,), method="tanh_sinh", max_intervals=1), p)
    assert (abs(np.asarray(found.value, float) - 1 / (1 + p.astype(float))) <= found.error).all()
    assert found.converged[0]
    assert not found.converged[-1]


@pytest.mark.parametrize("n", [7, 15, 21, 31, 61])
def test_kronrod_rules_are_exact_to_their_degree(n):
    """The rule of 2k + 1 nodes holds k of Gauss, and is exact for polynomials up to degree 3k + 1."""
    rule, k = rules.gauss_kronrod(n), n // 2
    nodes = rule.left - 1
    degrees = np.arange(3 * k + 2)
    # Legendre polynomials have integral 0 but for the first; their values are at most 1.
    np.testing.assert_allclose(
        rule.weights @ np.polynomial.legendre.legvander(nodes, 3 * k + 1), 2.0 * (degrees == 0), atol=1e-14
    )
    np.testing.assert_allclose(nodes[1::2], np.polynomial.legendre.leggauss(k)[0], atol=1e-15)
    assert min(rule.weights) > 0
    assert min(np.diff(nodes)) > 0
    next_even = 3 * k + 2 + k % 2
    assert abs(rule.weights @ nodes**next_even - 2 / (next_even + 1)) > 1e-14 or n > 21


def test_kronrod_nodes_are_those_of_quadpack():
    """Against SciPy's port of QUADPACK's table for 21 nodes: one subinterval of `quad`."""
    nodes = []
    scipy.integrate.quad(lambda x: nodes.append(x) or 1.0, -1, 1)
    np.testing.assert_allclose(np.sort(nodes), rules.gauss_kronrod(21).left - 1, atol=2e-15)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from([1, 2000]))
def test_integrals_add_up(seed, repeats):
    """From a to b, and on to c, is from a to c; there and back is nothing; constants come out."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=3)
    t = rng.uniform(0.5, 2)
    found = additive(np.repeat([a, b, a, b, a], repeats), np.repeat([b, c, c, a, a], repeats), t)
    ab, bc, ac, ba, aa = (float(found[i * repeats]) for i in range(5))
    assert abs(ab + bc - ac) < 1e-10
    assert ab == -ba or abs(ab + ba) < 1e-13
    assert aa == 0


@quick_jit
def additive(a, b, t):
    return integrate(lambda x, t: jnp.exp(-t * x) * jnp.cos(3 * x), a, b, (t,)).value


def test_hard_intervals_are_found_among_easy_ones():
    """Among 5000 intervals, 1500 need halving, and some are infinite, empty or unknown: each gets its own integral."""
    rng = np.random.default_rng(0)
    a, b, t = rng.uniform(-1, 0, 5000), rng.uniform(0, 1, 5000), np.ones(5000)
    t[rng.permutation(5000)[:1500]] = 1e-3
    a[7], b[8], b[9], a[10], a[11] = -INF, INF, a[9], np.nan, INF
    a[12], b[12], t[12] = -INF, INF, 1e-3
    found = quick_jit(lambda a, b, t: integrate(lambda x, t: t / (t**2 + x**2), a, b, (t,)))(a, b, t)
    truth = np.arctan(b / t) - np.arctan(a / t)
    known = np.arange(5000) != 10
    np.testing.assert_allclose(found.value[known], truth[known], rtol=1e-10, atol=1e-13)
    assert bool((abs(found.value - truth) <= found.error + 1e-15)[known].all())
    assert found.value[9] == 0
    assert np.isnan(found.value[10])
    assert not found.converged[10]
    assert bool(found.converged[known].all())


def test_easy_intervals_get_one_rule():
    """Where errors are bounded at once, or known to be small, value, error and flag are the rule's; also one alone."""
    b = np.linspace(1, 3, 2000)

    def found(b, rate, **options):
        return integrate(lambda x, rate: jnp.cos(rate * x) * jnp.exp(-x), 0.0, b, (rate,), **options)

    by_rule, at_once = quick_jit(functools.partial(found, max_intervals=1)), quick_jit(found)
    alone = [quick_jit(lambda *x, field=field: getattr(found(*x), field)) for field in integrals.Integral._fields]
    for rate in 0.1, 1.0:
        once = by_rule(b, rate)
        assert bool(once.converged.all())
        for of_rule, *others in zip(once, at_once(b, rate), [f(b, rate) for f in alone], strict=True):
            for other in others:
                np.testing.assert_allclose(other, of_rule, rtol=1e-12, atol=1e-15)


def test_integrand_may_be_a_constant():
    """A function that returns a number of Python is one like others."""
    assert integrate(lambda x: 2.0, 0.0, 3.0).value == pytest.approx(6.0, rel=1e-14)
    np.testing.assert_allclose(integrals.cumulative(lambda x: 2.0, [0.0, 1.0, 3.0]).values, [0, 2, 6], rtol=1e-14)


def test_shapes_broadcast():
    """Ends and parameters of shapes (3, 1), (4,) and () give integrals of shape (3, 4), lists and integers included."""
    a, b = np.array([[0.0], [1.0], [2.0]]), np.arange(4)
    found, of_a_list, empty = compiled(
        lambda ends: (
            integrate(lambda x, y, n: x**n + y, *ends, (0.5, 2)),
            integrate(jnp.cos, 0, [1, 2]),
            integrate(jnp.cos, np.zeros((0, 2)), 1),
        ),
        (a, b),
    )
    np.testing.assert_allclose(found.value, (b**3 - a**3) / 3 + 0.5 * (b - a), atol=1e-12)
    assert found.value.shape == found.error.shape == found.converged.shape == (3, 4)
    assert of_a_list.value.shape == (2,)
    assert empty.value.shape == (0, 2)


@pytest.mark.parametrize("method", ["gauss_kronrod", "gauss_legendre", "tanh_sinh"])
def test_precision_follows_the_ends(method):
    """Float32 in, float32 out, right to its digits; Python's numbers take JAX's default."""
    b = jnp.linspace(0.5, 3, 3000, dtype=jnp.float32)
    found = compiled(lambda b: integrate(lambda x, t: jnp.exp(-x) * t, 0, b, (2.0,), method=method), b)
    assert found.value.dtype == found.error.dtype == jnp.float32
    assert bool(found.converged.all())
    np.testing.assert_allclose(found.value, 2 * (1 - np.exp(-np.asarray(b, float))), rtol=3e-6)
    assert jax.eval_shape(lambda: integrate(jnp.exp, 0, 1, method=method)).value.dtype == jnp.float64


def test_python_numbers_without_x64(without_x64):
    """A reader who has not asked for float64 gets float32 without a warning."""
    found = compiled(lambda _: integrate(lambda x, t: x**2 + t**2, 0.0, 1.0, (2.0,)), None)
    assert found.value.dtype == jnp.float32
    assert bool(found.converged)


def test_vmap_and_closures():
    """Under vmap each row is as without; f may close over values of the program around, traced or not."""
    t = jnp.array([0.5, 1.0, 2.0])

    def integral(t, b):
        return integrate(lambda x: jnp.exp(-t * x), 0.0, b).value

    b = jnp.linspace(0, 2, 5)

    def rows_and_slopes(x):
        t, b = x
        return jax.vmap(integral, (0, None))(t, b), jax.vmap(jax.grad(lambda b: integral(2.0, b)))(b)

    rows, slopes = compiled(rows_and_slopes, (t, b))
    np.testing.assert_allclose(rows, (1 - np.exp(-t[:, None] * b)) / t[:, None], atol=1e-14)
    np.testing.assert_allclose(slopes, np.exp(-2 * b), rtol=1e-14)


def test_directions_agree_between_modes():
    """Forward, reverse and mixed modes give the same second derivatives, in ends and parameters together."""

    def total(ends):
        return integrate(lambda x, t: jnp.exp(-t * x), 0.2, ends[0], (ends[1],)).value

    def closed(ends):
        return (jnp.exp(-0.2 * ends[1]) - jnp.exp(-ends[0] * ends[1])) / ends[1]

    mixtures = itertools.product((jax.jacfwd, jax.jacrev), repeat=2)
    seconds = [jax.hessian(closed), *(outer(inner(total)) for outer, inner in mixtures)]
    wanted, *found = compiled(lambda ends: [second(ends) for second in seconds], jnp.array([1.5, 0.7]))
    for matrix in found:
        np.testing.assert_allclose(matrix, wanted, atol=1e-11)


def test_memory_is_bounded():
    """Ten million ends and their derivatives need a few arrays of that size, not one a node."""
    b = jax.ShapeDtypeStruct((10**7,), jnp.float64)

    def total(b, y):
        return integrate(lambda x, y: x**2 + y**2, 0.0, b, (y,)).value.sum()

    program = jax.jit(jax.value_and_grad(total, argnums=(0, 1))).lower(b, b)
    used = program.compile(LITTLE_EFFORT).memory_analysis().temp_size_in_bytes
    assert used < 12 * 8 * 10**7, used / 8e7


F_ON_PIECES = {
    "cosine": (jnp.cos, np.linspace(0, 10, 11), np.sin, 1e-13),
    "a kink at a point": (lambda x: jnp.abs(x - 1), [0.0, 1.0, 3.0], lambda x: ((x - 1) * abs(x - 1) + 1) / 2, 1e-15),
    "unequal steps": (
        lambda x: 1 / (1 + x),
        np.geomspace(0.01, 1000, 60),
        lambda x: np.log1p(x) - np.log1p(0.01),
        1e-12,
    ),
}


@pytest.mark.parametrize("f, grid, truth, tolerance", F_ON_PIECES.values(), ids=F_ON_PIECES)
def test_cumulative_is_right_between_the_points(f, grid, truth, tolerance):
    """Values at the points, between them and their slopes; outside there is neither."""

    def known_of(x):
        F = integrals.cumulative(f, grid)
        outside = jax.vmap(jax.value_and_grad(F))(jnp.array([grid[0] - 1e-9, grid[-1] + 1e-9, jnp.nan]))
        return F(x), F.values, F(grid), jax.vmap(jax.grad(F))(x.ravel()), f(x).ravel(), outside

    x = np.random.default_rng(1).uniform(grid[0], grid[-1], (10, 100))
    found, values, there, slopes, expected, outside = compiled(known_of, x)
    np.testing.assert_allclose(found, truth(x), atol=10 * tolerance)
    np.testing.assert_allclose(values, truth(np.asarray(grid)), atol=10 * tolerance)
    np.testing.assert_allclose(there, values, atol=10 * tolerance)
    np.testing.assert_allclose(slopes, expected, rtol=1e-8)
    assert np.isnan(outside).all()


def test_errors_of_cumulative_are_honest():
    """On the random integrands, too coarse grids included, the estimate at the end covers the truth."""
    rng = np.random.default_rng(3)
    p, q, which = 10 ** rng.uniform(-2, 0, 500), rng.uniform(-1, 1, 500), np.arange(500) % 5
    grid = np.linspace(-1.5, 2, 20)

    def last(p, q, k):
        F = integrals.cumulative(lambda x, *_: jax.lax.switch(k, [f for f, _ in FAMILIES], x, p, q), grid)
        return F.values[-1], F.error[-1]

    value, error = jax.jit(jax.vmap(last))(p, q, which)
    truth = np.choose(which, [F(2.0, p, q) - F(-1.5, p, q) for _, F in FAMILIES])
    off = abs(value - truth)
    assert (off <= error + 1e-14).mean() > 0.97
    # And it is not a mere bound: where f is resolved, so it says.
    assert (error < 1e-8).mean() > 0.2


def test_cumulative_has_derivatives_in_its_parameters():
    """First and second, at many upper ends at once, in both modes; the parameters may be a tree."""
    grid, x = jnp.linspace(0.0, 3.0, 13), jnp.linspace(0.1, 3.0, 7)

    def at(t):
        return integrals.cumulative(lambda s, t: jnp.exp(-t["rate"] * s), grid, ({"rate": t},))(x)

    def closed(t):
        return -jnp.expm1(-t * x) / t

    def derivatives(t):
        first, second = jax.jvp(jax.jacrev(at), (t,), (1.0,))
        return (at(t), first, second), (closed(t), jax.jacfwd(closed)(t), jax.jacfwd(jax.jacfwd(closed))(t))

    (value, first, second), exact = compiled(derivatives, 2.0)
    np.testing.assert_allclose(value, exact[0], atol=1e-13)
    np.testing.assert_allclose(first, exact[1], atol=1e-12)
    np.testing.assert_allclose(second, exact[2], atol=1e-12)


def test_cumulative_is_a_step_of_runge_and_kutta():
    """With two points an interval it is the method of Gauss of order four for F' = f, as SciPy's Simpson is another."""
    for m in 20, 40:
        grid = np.linspace(0, 1, m + 1)
        off = float(compiled(lambda grid: integrals.cumulative(jnp.exp, grid, n=2).values, grid)[-1] - np.expm1(1.0))
        # The rule of two points is off by -h^4 / 4320 times the difference of the third derivatives at the ends.
        assert abs(off + np.expm1(1.0) / 4320 / m**4) < 0.01 * abs(off)


def test_cumulative_in_single_precision():
    """Float32 in, float32 out."""
    x = np.linspace(0, 10, 1000, dtype=np.float32)

    def found(grid):
        F = integrals.cumulative(jnp.cos, grid)
        return F(x), F.error

    value, error = compiled(found, np.linspace(0, 10, 21, dtype=np.float32))
    assert value.dtype == error.dtype == jnp.float32
    np.testing.assert_allclose(value, np.sin(x.astype(float)), atol=3e-6)


WRONG = {
    "shapes": (
        lambda: integrate(jnp.cos, np.zeros(3), np.ones(4)),
        ValueError,
        "`integrate(a, b, args)` should have shapes that broadcast. Got a of shape (3,), b of shape (4,).",
    ),
    "shape of args": (
        lambda: integrate(jnp.add, 0.0, np.ones(4), (np.ones(3),)),
        ValueError,
        "b of shape (4,), args[0] of shape (3,)",
    ),
    "NaN": (
        lambda: integrate(jnp.cos, [0.0, np.nan, np.nan], 1.0),
        ValueError,
        "`integrate(a=...)` should have no NaN. Got 2 of them.",
    ),
    "complex": (lambda: integrate(jnp.cos, 0.0, 1j), TypeError, "`integrate(b=...)` should hold real numbers. Got 1j."),
    "words": (lambda: integrate(jnp.cos, "0", 1.0), TypeError, "`integrate(a=...)` should hold real numbers. Got '0'."),
    "ragged": (
        lambda: integrate(jnp.cos, [[0.0], [1.0, 2.0]], 1.0),
        TypeError,
        "`integrate(a=...)` should hold real numbers.",
    ),
    "no end": (
        lambda: integrate(jnp.cos, None, 1.0),
        TypeError,
        "`integrate(a=...)` should hold real numbers. Got None.",
    ),
    "args": (
        lambda: integrate(jnp.add, 0.0, 1.0, 2.0),
        TypeError,
        "`integrate(args=...)` should be a tuple; write (x,) for one. Got float.",
    ),
    "a vector": (
        lambda: integrate(lambda x: jnp.stack([x, x]), 0.0, 1.0),
        TypeError,
        "`integrate(f=...)` should return one float. Got float64[2].",
    ),
    "a pair": (
        lambda: integrate(lambda x: (x, x), 0.0, 1.0),
        TypeError,
        "should return one float. Got ('float64[]', 'float64[]').",
    ),
    "an integer": (lambda: integrate(lambda x: 1, 0.0, 1.0), TypeError, "should return one float. Got"),
    "nothing": (
        lambda: integrate(lambda x: None, 0.0, 1.0),
        TypeError,
        "should return one float. Got None.",
    ),
    "no function": (
        lambda: integrate(3.0, 0.0, 1.0),
        TypeError,
        "`integrate(f=...)` should be a function of x and args. Got 3.0.",
    ),
    "branches": (
        lambda: integrate(lambda x: x if x > 0 else -x, 0.0, 1.0),
        TypeError,
        "`integrate(f=...)` should be traceable by JAX",
    ),
    "method": (
        lambda: integrate(jnp.cos, 0.0, 1.0, method="simpson"),
        ValueError,
        "`integrate(method=...)` should be one of 'gauss_kronrod', 'gauss_legendre', 'tanh_sinh'. Got 'simpson'.",
    ),
    "even": (
        lambda: integrate(jnp.cos, 0.0, 1.0, n=16),
        ValueError,
        "`integrate(n=...)` should be odd, and at least 7, for 'gauss_kronrod'. Got 16.",
    ),
    "few": (
        lambda: integrate(jnp.cos, 0.0, 1.0, n=2, method="gauss_legendre"),
        ValueError,
        "should be at least 3 for 'gauss_legendre'. Got 2.",
    ),
    "half a node": (
        lambda: integrate(jnp.cos, 0.0, 1.0, n=7.5),
        TypeError,
        "`integrate(n=...)` should be an integer. Got 7.5.",
    ),
    "rtol": (
        lambda: integrate(jnp.cos, 0.0, 1.0, rtol=-1.0),
        ValueError,
        "`integrate(rtol=...)` should be a number from 0 to 1, without 1. Got -1.0.",
    ),
    "atol": (
        lambda: integrate(jnp.cos, 0.0, 1.0, atol="small"),
        ValueError,
        "`integrate(atol=...)` should be a finite number, 0 or more. Got 'small'.",
    ),
    "parts": (
        lambda: integrate(jnp.cos, 0.0, 1.0, max_intervals=0),
        ValueError,
        "`integrate(max_intervals=...)` should be at least 1. Got 0.",
    ),
    "a grid that descends": (
        lambda: integrals.cumulative(jnp.cos, [1.0, 0.0]),
        ValueError,
        "`integrals.cumulative(grid=...)` should ascend, from one finite number to another. Got [1. 0.].",
    ),
    "a grid without end": (
        lambda: integrals.cumulative(jnp.cos, [0.0, INF]),
        ValueError,
        "`integrals.cumulative(grid=...)` should ascend, from one finite number to another. Got [ 0. inf].",
    ),
    "a point": (
        lambda: integrals.cumulative(jnp.cos, 1.0),
        ValueError,
        "`integrals.cumulative(grid=...)` should be a vector of at least two points. Got shape ().",
    ),
    "a grid of words": (
        lambda: integrals.cumulative(jnp.cos, ["0", "1"]),
        TypeError,
        "`integrals.cumulative(grid=...)` should hold real numbers. Got <U1.",
    ),
    "one point an interval": (
        lambda: integrals.cumulative(jnp.cos, [0.0, 1.0], n=1),
        ValueError,
        "`integrals.cumulative(n=...)` should be at least 2. Got 1.",
    ),
    "a cumulative vector": (
        lambda: integrals.cumulative(lambda x: jnp.zeros(2), [0.0, 1.0]),
        TypeError,
        "`integrals.cumulative(f=...)` should return one float. Got float64[2].",
    ),
    "closure": (
        lambda: jax.eval_shape(jax.grad(lambda t: integrate(lambda x: x * t, 0.0, 1.0).value), 2.0),
        TypeError,
        "`integrate(f=...)` should have what is differentiated in args. Got f that closes over it.",
    ),
}


@pytest.mark.parametrize("call, kind, message", WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused(call, kind, message):
    """What cannot be integrated is refused before work starts, and the message says what was given."""
    with pytest.raises(kind, match=re.escape(message.replace("`integrate", "`integrals.integrate"))):
        call()
