"""Finite differences against SymPy's rational weights, mpmath's derivatives and JAX's own transforms."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from autodiff_tutorial import finite_differences as fd

mpmath.mp.dps = 50

REAL_SCHEMES = [("forward", 1), ("forward", 2), ("backward", 1), ("central", 2), ("central", 4), ("richardson", 2)]
SCHEMES = [*REAL_SCHEMES, ("complex", 2)]

FIXED_STEPS = [("forward", 1, 1), ("backward", 1, 1), ("central", 2, 1), ("central", 4, 1), ("central", 6, 1)]
FIXED_STEPS += [("central", 2, 2), ("complex", 2, 3)]

STENCILS = {
    "forward 2": ([0, 1], 0, 1),
    "backward 2": ([-1, 0], 0, 1),
    "central 3": ([-1, 0, 1], 0, 1),
    "central 5": ([-2, -1, 0, 1, 2], 0, 1),
    "central 7": (list(range(-3, 4)), 0, 1),
    "central 9": (list(range(-4, 5)), 0, 1),
    "second 3": ([-1, 0, 1], 0, 2),
    "second 5": ([-2, -1, 0, 1, 2], 0, 2),
    "second 9": (list(range(-4, 5)), 0, 2),
    "third 5": ([-2, -1, 0, 1, 2], 0, 3),
    "fourth 7": (list(range(-3, 4)), 0, 4),
    "sixth 9": (list(range(-4, 5)), 0, 6),
    "one-sided 3": ([0, 1, 2], 0, 1),
    "one-sided 6": (list(range(6)), 0, 1),
    "one-sided second": ([0, 1, 2, 3], 0, 2),
    "off center": ([0, 1, 2, 3], "3/2", 1),
    "extrapolated": ([1, 2, 3], 5, 1),
    "interpolation": ([-1, 0, 2], "1/2", 0),
    "uneven": (["-1/3", "1/10", "4/5", 2], "1/4", 2),
    "unsorted": ([3, -1, "1/2", 7, -4], 1, 3),
    "ladder": ([1, "1/2", "1/4", "1/8", -1, "-1/2", "-1/4", "-1/8"], 0, 1),
}

# Function, as NumPy and as mpmath know it, and a point where it varies over a length of about one.
FUNCTIONS = {
    "sin": (np.sin, mpmath.sin, 1.0),
    "cos": (np.cos, mpmath.cos, 0.4),
    "tan": (np.tan, mpmath.tan, 0.5),
    "exp": (np.exp, mpmath.exp, 1.5),
    "log": (np.log, mpmath.log, 3.0),
    "sqrt": (np.sqrt, mpmath.sqrt, 2.0),
    "arctan": (np.arctan, mpmath.atan, 0.7),
    "tanh": (np.tanh, mpmath.tanh, 0.3),
    "sinh": (np.sinh, mpmath.sinh, -0.8),
    "cosh": (np.cosh, mpmath.cosh, 1.2),
    "cubic": (lambda t: t * t * t - 2 * t, lambda t: t**3 - 2 * t, 1.7),
    "bell": (lambda t: 1 / (1 + t * t), lambda t: 1 / (1 + t * t), 0.5),
    "gauss": (lambda t: np.exp(-t * t), lambda t: mpmath.exp(-t * t), 0.9),
    "logistic": (lambda t: 1 / (1 + np.exp(-t)), lambda t: 1 / (1 + mpmath.exp(-t)), -0.6),
    "damped": (lambda t: np.exp(-t) * np.sin(t), lambda t: mpmath.exp(-t) * mpmath.sin(t), 2.0),
    "power": (lambda t: t**2.5, lambda t: t ** mpmath.mpf("2.5"), 2.5),
    "nested": (lambda t: np.sin(np.exp(-t)), lambda t: mpmath.sin(mpmath.exp(-t)), 0.2),
}


def exact(name, x, order=1):
    return float(mpmath.diff(FUNCTIONS[name][1], mpmath.mpf(float(x)), order))


def rational(values):
    return [sympy.Rational(value) for value in values]


@pytest.mark.parametrize("points, x0, order", STENCILS.values(), ids=STENCILS)
def test_weights_are_the_rational_ones(points, x0, order):
    """Weights agree with SymPy's, which are computed in exact fractions."""
    points, x0 = rational(points), sympy.Rational(x0)
    expected = np.array(sympy.finite_diff_weights(order, points, x0)[order][-1], dtype=float)
    found = fd.weights(np.array(points, dtype=float), float(x0), order)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13 * abs(expected).max())


@given(st.sets(st.integers(-40, 40), min_size=2, max_size=7), st.integers(-10, 10), st.data())
def test_weights_differentiate_polynomials_exactly(points, x0, data):
    """On any points the weights are exact for every power below their number."""
    points, order = sorted(points), data.draw(st.integers(1, len(points) - 1))
    t = (np.array(points, dtype=float) - x0) / 10
    found = fd.weights(t, order=order)
    moments = [found @ t**power for power in range(len(points))]
    expected = [math.factorial(order) * (power == order) for power in range(len(points))]
    np.testing.assert_allclose(moments, expected, rtol=0, atol=1e-10 * abs(found).max())


def test_weights_take_stacks_of_points():
    """Leading axes hold independent stencils."""
    points = np.random.default_rng(0).normal(size=(4, 3, 5)).cumsum(axis=-1)
    x0 = points.mean(axis=-1)
    expected = [[fd.weights(points[i, j], x0[i, j], 2) for j in range(3)] for i in range(4)]
    np.testing.assert_allclose(fd.weights(points, x0, 2), expected, rtol=1e-12)


@pytest.mark.parametrize("points", [np.arange(8) * 1e-60, np.array([0, 1, 2, 3], np.uint8), np.arange(6) * 1e60])
def test_weights_scale_with_the_points(points):
    """Points of any size and integer type give the weights of 0, 1, 2, ... over the spacing."""
    spacing = float(points[1]) - float(points[0])
    expected = fd.weights(np.arange(points.size), 1.0)
    np.testing.assert_allclose(fd.weights(points, points[1]) * spacing, expected, rtol=1e-12)


def test_weight_of_one_point_is_one():
    assert fd.weights([1.5], 1.5, order=0) == [1.0]


def test_weights_keep_small_gaps_far_from_the_point():
    """On points from 1e-4 to 1e4, seen from the last one, every weight is right to fifteen digits."""
    points = 10.0 ** np.arange(-4, 5)
    exact = sympy.finite_diff_weights(1, [sympy.Rational(p) for p in points], sympy.Rational(points[-1]))[1][-1]
    np.testing.assert_allclose(fd.weights(points, points[-1]), [float(w) for w in exact], rtol=1e-15)


def test_weights_are_traceable():
    """Under jit and in float32 the weights are the same, and they can be differentiated in the points."""
    points = jnp.array([0.0, 0.3, 1.1, 1.6])
    compiled = jax.jit(lambda p: fd.weights(p, 0.5))
    np.testing.assert_allclose(compiled(points), fd.weights(np.asarray(points), 0.5), rtol=1e-12)
    single = compiled(points.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, fd.weights(np.asarray(points), 0.5), rtol=1e-5)
    shift = jax.jvp(lambda s: fd.weights(points + s, 0.5 + s), (0.0,), (1.0,))[1]
    np.testing.assert_allclose(shift, np.zeros(4), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivative_is_within_its_error(name, scheme, accuracy, dtype):
    """Each scheme is within 10 times its estimated error of mpmath's derivative, and the estimate is no mere bound."""
    f, _, x = FUNCTIONS[name]
    x = dtype(x)
    df, error, _, _ = fd.derivative(f, x, scheme=scheme, accuracy=accuracy)
    truth = exact(name, x)
    assert abs(df - truth) <= 1.5 * error  # 10 is promised
    limits = {"forward": 0.5, "backward": 0.5, "central": 2 / 3, "richardson": 2 / 3, "complex": 0.99}
    assert error <= 30 * np.finfo(dtype).eps ** limits[scheme] * max(1, abs(f(x)), abs(truth))


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
@pytest.mark.parametrize("name", ["sin", "exp", "bell", "logistic"])
def test_higher_derivatives_are_within_their_error(name, scheme, accuracy, order):
    """Higher orders too are within 10 times their estimated error of mpmath's derivative."""
    f, _, x = FUNCTIONS[name]
    df, error, _, _ = fd.derivative(f, x, order=order, scheme=scheme, accuracy=accuracy)
    assert abs(df - exact(name, x, order)) <= 10 * error
    assert error < 0.1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex_step_is_exact(name):
    """The complex step agrees with mpmath to 1e-15, relative."""
    f, _, x = FUNCTIONS[name]
    truth = exact(name, x)
    assert abs(fd.derivative(f, x, scheme="complex").df - truth) <= 1e-15 * abs(truth)


@pytest.mark.parametrize(
    "scheme, accuracy, order",
    [(s, p, q) for s, p in [*SCHEMES[:-1], ("central", 6)] if s != "richardson" for q in (1, 2)],
)
def test_truncation_falls_like_the_accuracy(scheme, accuracy, order):
    """Where truncation rules, halving the step divides the error by two to the power of the accuracy."""
    h = 0.2 if accuracy > 2 else 0.02
    coarse, fine = (
        abs(fd.derivative(np.sin, 1.0, order=order, scheme=scheme, accuracy=accuracy, step=step).df - truth)
        for truth in [-math.sin(1.0) if order == 2 else math.cos(1.0)]
        for step in (h, h / 2)
    )
    assert math.log2(coarse / fine) == pytest.approx(accuracy, abs=0.25)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scheme, accuracy, order", FIXED_STEPS)
def test_optimal_step_is_near_the_best(scheme, accuracy, order, dtype):
    """The median error at the predicted step is within a factor 3 of the least over all steps."""
    x = np.linspace(0.5, 1.5, 101).astype(dtype)
    wide = x.astype(float)
    truth = {1: np.cos(wide), 2: -np.sin(wide), 3: -np.cos(wide)}[order]

    def typical(step):
        options = {"order": order, "scheme": scheme, "accuracy": accuracy, "step": step, "batched": True}
        return np.median(abs(fd.derivative(np.sin, x, **options).df - truth))

    best = fd.optimal_step(scheme, accuracy, dtype, order)
    assert typical(best) <= 3 * min(typical(best * factor) for factor in np.geomspace(0.02, 50, 41))


def test_ladder_begins_where_three_levels_suffice():
    """The widest step of the ladder balances T[2, 2], of accuracy 6; it is a quarter at most."""
    steps = np.array([1.0, 1 / 3, 1 / 9])
    points = np.concatenate([-steps, steps])
    w = fd.weights(points)
    truncation, roundoff = abs(w @ points**7) / math.factorial(7), abs(w).sum()
    expected = (roundoff * 2.0**-53 / (6 * truncation)) ** (1 / 7)
    assert fd.optimal_step("richardson", 2, "float64") == pytest.approx(expected, rel=1e-6)
    assert fd.optimal_step("richardson", 4, "float32", order=2) == 0.25


def test_optimal_step_of_five_points_is_a_fifth_root():
    """The step of the five-point stencil falls like the fifth root of eps, not the fourth."""
    ratio = fd.optimal_step("central", 4, "float32") / fd.optimal_step("central", 4, "float64")
    assert math.log(ratio) / math.log(2.0**29) == pytest.approx(1 / 5)


def typical_error(step, accuracy=2, dtype=np.float64):
    x = np.linspace(0.5, 1.5, 101).astype(dtype)
    return np.median(abs(fd.derivative(np.sin, x, accuracy=accuracy, step=step).df - np.cos(x.astype(float))))


def test_fourth_root_is_too_short_for_five_points():
    """For the five-point stencil the step eps**(1/5) leaves less than half the error of eps**(1/4)."""
    eps = np.finfo(float).eps
    assert typical_error(eps ** (1 / 5), 4) < typical_error(eps ** (1 / 4), 4) / 2


def test_step_of_float64_is_too_short_for_float32():
    """In float32 the step 1e-4 errs by about 1e-4 to 1e-3, and 1e-2 by about 1e-5."""
    assert typical_error(1e-2, dtype=np.float32) < 3e-5 < 5e-5 < typical_error(1e-4, dtype=np.float32) < 1e-3


def test_few_points_need_not_be_inaccurate():
    """On 11 points np.gradient errs by 14 for x**3; with a step of 1e-5 at the same points it is below 1e-8."""
    x = np.linspace(-5, 5, 11)
    assert abs(np.gradient(x**3, x) - 3 * x**2).max() == pytest.approx(14)
    assert abs(fd.derivative(lambda t: t * t * t, x, step=1e-5).df - 3 * x**2).max() < 1e-8


def test_step_grows_with_x_and_keeps_x_exact():
    """The default step has few bits and is in proportion to max(1, |x|), so that x + step is exact."""
    x = np.array([0.1, 1.0, -1024.0, 1e6])
    step = fd.derivative(np.sin, x).step
    np.testing.assert_array_equal((x + step) - x, step)
    np.testing.assert_allclose(step / step[0], [1, 1, 1024, 1e6], rtol=2**-7)


def test_large_x_is_no_obstacle():
    """At x = 1e8 the derivative of a function of that scale keeps its digits."""
    df, error, _, _ = fd.derivative(lambda t: t * t, 1e8)
    assert abs(df - 2e8) <= error <= 1e-9 * 2e8


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
def test_jacobian_is_that_of_jax(scheme, accuracy, batched):
    """A 4 x 3 Jacobian is within 10 times its error of jax.jacfwd, on the host and in one call."""
    A, x = np.random.default_rng(3).normal(size=(4, 3)), np.array([0.3, -1.2, 2.0])
    found = fd.jacobian(lambda p: np.sin(p @ A.T), x, scheme=scheme, accuracy=accuracy, batched=batched)
    expected = jax.jacfwd(lambda p: jnp.sin(p @ A.T))(x)
    assert found.df.shape == (4, 3)
    assert (abs(found.df - expected) <= 10 * found.error + 1e-15).all()


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
def test_hessian_is_that_of_jax(scheme, accuracy, batched):
    """A Hessian is symmetric, and within 10 times its error of jax.hessian."""
    x = np.array([0.3, -1.2, 2.0, 0.7])

    def f(p, xp=np):
        return xp.exp(p[..., 0]) * p[..., 1] ** 2 * xp.sin(p[..., 2] * p[..., 3]) + p[..., 3] ** 3

    found = fd.hessian(f, x, scheme=scheme, accuracy=accuracy, batched=batched)
    np.testing.assert_array_equal(found.df, found.df.T)
    assert (abs(found.df - jax.hessian(lambda p: f(p, jnp))(x)) <= 10 * found.error).all()
    assert found.error.max() < 1e-3


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
def test_jvp_is_that_of_jax(scheme, accuracy, batched):
    """A product with a direction, for an x of any shape, is within 10 times its error of jax.jvp."""
    random = np.random.default_rng(4)
    x, v, A = random.normal(size=(2, 3)), 100 * random.normal(size=(2, 3)), random.normal(size=(5, 2))

    def f(p, xp=np):
        return xp.sin(A @ p).sum(axis=-1)

    found = fd.jvp(f, x, v, scheme=scheme, accuracy=accuracy, batched=batched)
    expected = jax.jvp(lambda p: f(p, jnp), (x,), (v,))[1]
    assert found.df.shape == (5,)
    assert (abs(found.df - expected) <= 10 * found.error + 1e-14).all()


def test_gradient_of_a_scalar_function():
    """For a function that returns a number the Jacobian is the gradient, of shape (n,)."""
    x = np.array([3.0, 4.0])
    np.testing.assert_allclose(fd.jacobian(lambda p: np.sqrt(p @ p), x).df, x / 5, rtol=1e-9)


@pytest.mark.parametrize("scheme", ["forward", "central", "complex"])
def test_gradient_of_many_inputs(scheme):
    """With more inputs than are laid out at a time, every component finds its place."""
    x = np.linspace(0.5, 2.0, 700)
    found = fd.jacobian(lambda p: (p**3).sum(), x, scheme=scheme)
    np.testing.assert_allclose(found.df, 3 * x**2, rtol=1e-5)


def test_derivative_of_a_curve():
    """A function of one variable may return an array, and x may be one: the shapes are joined."""
    found = fd.derivative(lambda t: np.array([np.cos(t), np.sin(t), t]), np.linspace(0, 1, 4).reshape(2, 2))
    assert found.df.shape == found.error.shape == (2, 2, 3)
    np.testing.assert_allclose(found.df[..., 2], 1, rtol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("scheme, accuracy", SCHEMES)
def test_batched_differences_compile_and_map(scheme, accuracy, dtype):
    """Under jit and vmap the answers are those of the host, within the errors of both, in the dtype of x."""
    A = jnp.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], dtype=dtype)
    x = jnp.array([[0.3, 0.7], [-1.0, 2.0]], dtype=dtype)
    options = {"scheme": scheme, "accuracy": accuracy}
    mapped = jax.jit(jax.vmap(lambda p: fd.jacobian(lambda q: jnp.sin(q @ A.T), p, batched=True, **options)))(x)
    assert mapped.df.dtype == dtype
    for row, p in enumerate(np.asarray(x)):
        host = fd.jacobian(lambda q: np.sin(np.asarray(A) @ q), p, **options)
        tolerance = 10 * (host.error + mapped.error[row]) + float(jnp.finfo(dtype).eps)
        assert (abs(mapped.df[row] - host.df) <= tolerance).all()


def test_batched_calls_once():
    """With batched=True all points come in one call."""
    calls = []

    def f(points):
        calls.append(points.shape)
        return (points**2).sum(axis=-1)

    assert fd.jacobian(f, np.ones(5), batched=True).nfev == 20
    assert calls == [(20, 5)]


@pytest.mark.parametrize(
    "scheme, accuracy, count",
    [("forward", 1, 13), ("backward", 2, 19), ("central", 2, 24), ("central", 4, 36), ("complex", 2, 8)],
)
def test_evaluations_are_counted(scheme, accuracy, count):
    """The number of evaluations is what was called, and what the docstring says for n = 6."""
    calls = []
    found = fd.jacobian(lambda p: calls.append(1) or p * p, np.ones(6), scheme=scheme, accuracy=accuracy)
    assert len(calls) == found.nfev == count


def test_direction_costs_the_same_for_any_n():
    """A directional derivative costs four evaluations, for 2 components or for 1000."""
    assert {fd.jvp(np.sum, np.ones(n), np.ones(n)).nfev for n in (2, 1000)} == {4}


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_differences_are_linear(a, b):
    """The derivative of a f + b g is that of f times a plus that of g times b, within the errors."""
    both, f, g = (fd.derivative(h, 0.7) for h in (lambda t: a * np.sin(t) + b * np.exp(t), np.sin, np.exp))
    allowed = both.error + abs(a) * f.error + abs(b) * g.error + 1e-15
    assert abs(both.df - (a * f.df + b * g.df)) <= 10 * allowed


def test_direction_moves_no_component_too_far():
    """Along a lopsided direction the step is that of the component that moves most."""
    v = np.array([1.0, 1e3])
    assert fd.jvp(np.sum, np.ones(2), v).step * 1e3 == pytest.approx(fd.optimal_step("central", 2, float), rel=0.01)


@pytest.mark.parametrize("scheme, accuracy", REAL_SCHEMES)
def test_roundoff_of_a_large_constant_is_in_the_error(scheme, accuracy):
    """A million added to a function costs digits, and the error says so; x far from 0 does the same."""
    for f, x in ((lambda t: np.sin(t) + 1e6, 0.7), (lambda t: np.sin(t - 4096.0), 4096.7)):
        step = None if x < 1 else fd.derivative(np.sin, 0.7, scheme=scheme, accuracy=accuracy).step
        df, error, _, _ = fd.derivative(f, x, scheme=scheme, accuracy=accuracy, step=step)
        truth = np.cos(0.7) if x < 1 else np.cos(x - 4096.0)
        assert abs(df - truth) <= error < 0.1


def test_hessian_counts_the_rounding_of_each_component():
    """In a mixed derivative the component far from 0 matters, whichever it is."""
    step = np.full(2, 1e-3)

    def f(p):
        return np.sin(p[0] - 4096.0) * np.sin(p[1])

    def swapped(p):
        return f(p[::-1])

    x = np.array([4096.3, 0.4])
    one, other = fd.hessian(f, x, step=step), fd.hessian(swapped, x[::-1], step=step)
    np.testing.assert_allclose(one.error, other.error[::-1, ::-1], rtol=0.2)


def test_direction_zero_gives_zero():
    """Along the zero direction nothing changes."""
    assert fd.jvp(np.sum, np.ones(3), np.zeros(3)).df == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_complex_step_is_honest_near_zeros_of_the_derivative(dtype):
    """Where the derivative is small because its terms cancel, the error does not shrink with it."""
    x = np.linspace(0.5, 0.65, 301).astype(dtype)
    found = fd.derivative(lambda t: t**3 - t, x, scheme="complex", batched=True)
    assert (abs(found.df - (3 * x.astype(float) ** 2 - 1)) <= 10 * found.error).all()


def test_long_imaginary_step_is_reported():
    """An imaginary step of the caller's that truncates is seen in the error."""
    df, error, _, _ = fd.derivative(np.sin, 1.0, scheme="complex", step=0.1)
    assert 1e-4 < abs(df - np.cos(1.0)) <= error


def test_odd_function_passes_the_analytic_check():
    """A derivative that vanishes is no reason to suspect the function."""
    assert abs(fd.derivative(lambda t: t**3, 0.0, scheme="complex").df) < 1e-30


def test_buffer_that_f_uses_again_is_copied():
    """A function that returns the same array at each call, with new numbers in it, is differentiated rightly."""
    buffer = np.zeros(2)
    found = fd.jacobian(lambda p: np.multiply(p, p, out=buffer), np.array([1.0, 2.0]))
    np.testing.assert_allclose(found.df, [[2, 0], [0, 4]], atol=1e-9)


@pytest.mark.parametrize("scheme", ["forward", "central", "richardson", "complex"])
def test_function_that_changes_its_argument_does_no_harm(scheme):
    """A function that works in place neither changes the caller's x nor spoils the answer."""
    x = np.array([1.0, 2.0])

    def f(p):
        p *= p
        return p.sum()

    np.testing.assert_allclose(fd.jacobian(f, x, scheme=scheme).df, [2, 4], rtol=1e-6)
    np.testing.assert_allclose(fd.hessian(f, x, scheme=scheme).df, [[2, 0], [0, 2]], atol=1e-4)
    np.testing.assert_array_equal(x, [1, 2])


@pytest.mark.parametrize("x", [0.3, 1.0, -37.0, 100.0])
def test_richardson_is_honest_about_fast_functions(x):
    """For sin(k x) with k from 1 to 300, much faster than the widest step, the error covers the truth."""
    rates = np.geomspace(1, 300, 60)
    found = [fd.derivative(lambda t, k=k: np.sin(k * t), x, scheme="richardson") for k in rates]
    off = [abs(estimate.df - k * np.cos(k * x)) for estimate, k in zip(found, rates, strict=True)]
    assert [k for k, o, e in zip(rates, off, found, strict=True) if o > 10 * e.error] == []


SMALL_X = {
    "log": (np.log, 1e-9, 1e9),
    "reciprocal": (lambda t: 1 / t, 1e-9, -1e18),
    "log near zero": (lambda t: np.log(1 + t * t), 1e-8, 2e-8),
    "sqrt, single": (np.sqrt, np.float32(1e-6), 500.0),
    "fast": (lambda t: np.sin(1e7 * t), 3.0, 1e7 * math.cos(3e7)),
}


@pytest.mark.parametrize("f, x, truth", SMALL_X.values(), ids=SMALL_X)
def test_complex_step_is_right_where_differences_are_not(f, x, truth):
    """The check that f is analytic does not refuse functions that vary over a very short length."""
    df = fd.derivative(f, x, scheme="complex").df
    assert abs(df - truth) < 1e-6 * abs(truth)


def drops_part(p):
    return p[0] * np.array([p[1], abs(p[1])])


NOT_ANALYTIC = {
    "x|x|": lambda: fd.derivative(lambda t: abs(t) * t, 1.0, scheme="complex"),
    "some entries": lambda: fd.derivative(lambda t: t * abs(t), np.array([0.0, 1.0]), scheme="complex"),
    "differences only": lambda: fd.jacobian(
        lambda p: np.vdot(p[:2] - p[2:], p[:2] - p[2:]), np.array([0.1, 0.2, 0.5, 0.9]), scheme="complex"
    ),
    "squared modulus": lambda: fd.derivative(lambda t: abs(t) ** 2 + 0j, 1.0, scheme="complex"),
    "one component": lambda: fd.jacobian(drops_part, np.array([1.0, 2.0]), scheme="complex"),
    "hessian": lambda: fd.hessian(lambda p: p[1] * abs(p[1]), np.array([1.0, 2.0]), scheme="complex"),
    "jvp": lambda: fd.jvp(lambda p: (p * p.conj()).sum(), np.ones(3), np.ones(3), scheme="complex"),
    "batched": lambda: fd.jacobian(lambda p: p[:, 0] * jnp.conj(p[:, 1]), jnp.ones(2), scheme="complex", batched=True),
    "single": lambda: fd.derivative(lambda t: abs(t) * t, np.float32(1.0), scheme="complex"),
}


@pytest.mark.parametrize("call", NOT_ANALYTIC.values(), ids=NOT_ANALYTIC)
def test_complex_step_refuses_functions_that_drop_it(call):
    """A function whose imaginary part is lost on the way is refused, not answered wrongly."""
    with pytest.raises(ValueError, match="should be analytic for scheme='complex'"):
        call()


def real_only(t):
    return math.sin(complex(t))


def not_everywhere(t):
    return np.log(t) if t.real > 1 else np.float64("nan")


BAD_INPUT = {
    "integer x": (lambda: fd.derivative(np.sin, 2), TypeError, "real floating point numbers, float32 or float64"),
    "half precision": (lambda: fd.derivative(np.sin, np.float16(1)), TypeError, "float32 or float64. Got float16"),
    "complex x": (lambda: fd.derivative(np.sin, 2j), TypeError, "should hold real floating point numbers"),
    "text": (lambda: fd.derivative(np.sin, "2"), TypeError, "should hold real floating point numbers"),
    "empty x": (lambda: fd.jacobian(np.sin, np.array([])), ValueError, "should not be empty"),
    "NaN in x": (lambda: fd.jacobian(np.sin, np.array([1.0, np.nan])), ValueError, "should be finite"),
    "matrix x": (lambda: fd.jacobian(np.sin, np.ones((2, 2))), ValueError, r"should have shape \(n,\)"),
    "scalar x": (lambda: fd.hessian(np.sin, 1.0), ValueError, r"should have shape \(n,\)"),
    "no function": (lambda: fd.derivative(3.0, 1.0), TypeError, "should be a function"),
    "unknown scheme": (lambda: fd.derivative(np.sin, 1.0, scheme="centre"), ValueError, "should be one of 'forward'"),
    "odd accuracy": (lambda: fd.derivative(np.sin, 1.0, accuracy=3), ValueError, "should be even for scheme='central'"),
    "accuracy 0": (lambda: fd.derivative(np.sin, 1.0, accuracy=0), ValueError, "should be at least 1"),
    "accuracy 2.0": (lambda: fd.derivative(np.sin, 1.0, accuracy=2.0), TypeError, "should be an integer"),
    "order 0": (lambda: fd.derivative(np.sin, 1.0, order=0), ValueError, "should be at least 1"),
    "step 0": (lambda: fd.derivative(np.sin, 1.0, step=0.0), ValueError, "should be positive and finite"),
    "negative step": (lambda: fd.derivative(np.sin, 1.0, step=-0.1), ValueError, "should be positive and finite"),
    "infinite step": (lambda: fd.derivative(np.sin, 1.0, step=np.inf), ValueError, "should be positive and finite"),
    "NaN step": (lambda: fd.derivative(np.sin, 1.0, step=np.nan), ValueError, "should be positive and finite"),
    "step that underflows": (
        lambda: fd.derivative(np.sin, np.float32(1), scheme="complex", step=1e-50), ValueError, "positive and finite",
    ),
    "lost step": (lambda: fd.derivative(np.sin, 1.0, step=1e-17), ValueError, "x [+] step differs from x"),
    "lost step along v": (
        lambda: fd.jvp(np.sin, np.ones(2), np.array([1.0, 0.0]), step=1e-17),
        ValueError, "x [+] step [*] v differs from x",
    ),
    "step shape": (lambda: fd.jacobian(np.sin, np.ones(3), step=np.ones(2)), ValueError, r"or have shape \(3,\)"),
    "v shape": (lambda: fd.jvp(np.sin, np.ones(3), np.ones(2)), ValueError, "should have the shape of x"),
    "f of rank 2": (lambda: fd.jacobian(lambda p: np.outer(p, p), np.ones(2)), ValueError, r"Got shape \(2, 2\)"),
    "f of rank 1": (lambda: fd.hessian(lambda p: p, np.ones(2)), ValueError, "should return a number. Got shape"),
    "f returns NaN": (lambda: fd.derivative(not_everywhere, 1.0), ValueError, "should return finite numbers near x"),
    "f returns None": (lambda: fd.derivative(lambda t: None, 1.0), TypeError, "should return real numbers"),
    "f returns complex": (lambda: fd.derivative(lambda t: t + 1j, 1.0), TypeError, "should return real numbers"),
    "f changes shape": (lambda: fd.derivative(lambda t: np.ones(1 + (t > 1)), 1.0), ValueError, "one shape at all"),
    "f drops to float32": (lambda: fd.derivative(np.float32, 1.0), TypeError, "should return the precision of x"),
    "f drops the imaginary part": (
        lambda: fd.derivative(np.real, 1.0, scheme="complex"), TypeError, "drops the imaginary part",
    ),
    "f takes no complex": (
        lambda: fd.derivative(real_only, 1.0, scheme="complex"), TypeError, "should be given a function of complex",
    ),
    "f is not batched": (
        lambda: fd.jacobian(np.sum, np.ones(3), batched=True), ValueError, "one value for each of the 12 points",
    ),
    "traced x on the host": (
        lambda: jax.jit(lambda x: fd.jacobian(jnp.sin, x))(jnp.ones(2)), TypeError, "Pass batched=True",
    ),
    "complex x0": (lambda: fd.weights([0.0, 1.0], 1j), TypeError, "should be real numbers"),
    "NaN x0": (lambda: fd.weights([0.0, 1.0], np.nan), ValueError, r"x0=...\)` should be finite"),
    "no dtype": (lambda: fd.optimal_step("central", 2, "foo"), TypeError, "should be a dtype. Got 'foo'"),
    "ragged step": (lambda: fd.derivative(np.sin, 1.0, step=[[1], [2, 3]]), ValueError, "Got a ragged list"),
    "few points": (lambda: fd.weights([0.0, 1.0], order=2), ValueError, "more than 2 points for order=2"),
    "equal points": (lambda: fd.weights([0.0, 1.0, 1.0]), ValueError, "should be finite and distinct"),
    "NaN point": (lambda: fd.weights([0.0, np.nan]), ValueError, "should be finite and distinct"),
    "infinite point": (lambda: fd.weights([0.0, np.inf]), ValueError, "should be finite and distinct"),
    "a single number": (lambda: fd.weights(1.0), TypeError, "and points an array"),
    "complex points": (lambda: fd.weights([0.0, 1j]), TypeError, "should be real numbers"),
    "negative order": (lambda: fd.weights([0.0, 1.0], order=-1), ValueError, "should be at least 0"),
    "integer dtype": (lambda: fd.optimal_step("central", 2, int), TypeError, "should be a floating type"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(call, kind, message):
    """Bad input raises an error that names the call, what it should be and what it got."""
    with pytest.raises(kind, match=message) as caught:
        call()
    assert str(caught.value).startswith("`finite_differences.")


@pytest.mark.usefixtures("without_x64")
def test_float64_points_in_float32_jax_are_refused():
    """Without x64 a JAX function rounds float64 points to float32, for which the step would be too short."""
    with pytest.raises(TypeError, match="should return the precision of x"):
        fd.jacobian(jnp.sin, np.ones(2))
