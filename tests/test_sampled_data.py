"""Sampled data against exact integers, the stencil weights of every window, NumPy, SciPy and closed forms."""

import math
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from autodiff_tutorial import sampled_data as sd
from autodiff_tutorial.checks import check_derivatives
from autodiff_tutorial.finite_differences import weights

U = 2.0**-53
FORMULAS = [(1, 1), (1, 2), (1, 3), (1, 4), (1, 6), (2, 1), (2, 2), (2, 3), (3, 1), (3, 3), (4, 2), (4, 3)]


def jittered(n, seed=0):
    """Return a grid over about [0, 1] whose gaps differ by a factor of up to three."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.5, 1.5, n)) / n


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape)


GRIDS = {
    "uniform": np.arange(13.0),
    "jittered": jittered(13),
    "descending": -jittered(13),
    "graded": 1.6 ** np.arange(13.0),
    "shortest": jittered(7),
}


def windows(x, k):
    """Yield, for each point, the starts of the windows that its derivative is the mean of."""
    n = len(x)
    for i in range(n):
        if k % 2:
            yield [min(max(i - k // 2, 0), n - k)]
            continue
        left, right = i - k // 2, i - k // 2 + 1
        if left < 0 or right + k > n:
            yield [min(max(right, 0), n - k)]
            continue
        yield [left, right]


def matrix(x, order, accuracy):
    """Return the derivative as a matrix, each window by itself."""
    W, k = np.zeros((len(x), len(x))), order + accuracy
    for i, starts in enumerate(windows(x, k)):
        for s in starts:
            W[i, s : s + k] += weights(x[s : s + k], x[i], order) / len(starts)
    return W


def assert_rows_close(found, expected, tolerance):
    """Assert that two matrices agree, each row relative to its largest entry."""
    size = abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found / size, expected / size, rtol=0, atol=tolerance)


def assert_within_roundoff(found, expected, x, y, order=1, accuracy=2, *, times=8):
    """Assert that results differ by about ten units of the roundoff that their weights cannot avoid."""
    bound = U * abs(matrix(x, order, accuracy)) @ abs(y)
    np.testing.assert_array_less(abs(found - expected), times * bound + np.finfo(float).tiny)


integer_grids = st.lists(st.integers(1, 12), min_size=10, max_size=24).map(lambda gaps: list(np.cumsum(gaps).tolist()))


@given(integer_grids, st.integers(1, 4), st.integers(1, 6), st.data())
def test_polynomials_are_differentiated_exactly(grid, order, accuracy, data):
    """Polynomials of degree below order + accuracy are exact to roundoff, on any grid; the truth is in integers."""
    size = order + accuracy
    c = data.draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size))
    y = np.array([float(sum(a * t**d for d, a in enumerate(c))) for t in grid])
    truth = [float(sum(a * math.perm(d, order) * t ** max(0, d - order) for d, a in enumerate(c))) for t in grid]
    x = np.array(grid, dtype=float)
    assert_within_roundoff(sd.derivative(y, x, order=order, accuracy=accuracy), truth, x, y, order, accuracy)


@pytest.mark.parametrize("seed", range(5))
def test_default_is_the_gradient_of_numpy(seed):
    """At order 1 and accuracy 2 the result is that of np.gradient with edge_order=2."""
    x, y = np.cumsum(np.random.default_rng(seed).exponential(size=50)), noise(50)
    assert_within_roundoff(sd.derivative(y, x), np.gradient(y, x, edge_order=2), x, y)


@pytest.mark.parametrize("order, accuracy", FORMULAS)
@pytest.mark.parametrize("x", GRIDS.values(), ids=GRIDS)
def test_every_row_has_the_weights_of_its_window(x, order, accuracy):
    """Unit vectors give the weights of each window, centered or nearly so, and clamped at the ends."""
    expected = matrix(x, order, accuracy)
    found = sd.derivative(np.eye(len(x)), x, order=order, accuracy=accuracy, axis=0)
    assert_rows_close(found, expected, 1e-13)


def test_as_few_samples_as_points_in_a_window():
    """With exactly k samples, k even or odd, every point takes them all."""
    x = jittered(6)
    for k in (2, 3, 4, 5, 6):
        found = sd.derivative(np.eye(k), x[:k], order=1, accuracy=k - 1, axis=0)
        np.testing.assert_allclose(found, [weights(x[:k], a) for a in x[:k]], rtol=1e-12, atol=1e-12 * abs(found).max())


@pytest.mark.parametrize("order, accuracy", [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (3, 2), (4, 3)])
def test_error_falls_like_the_accuracy(order, accuracy):
    """On ever finer random grids the largest error falls like the largest gap to the power of the accuracy."""
    sizes, errors = [25, 50, 100, 200], []
    for n in sizes:
        grids = [2 * jittered(n, seed) for seed in range(8)]
        truth = [[np.sin, np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t)][order % 4](x) for x in grids]
        found = [sd.derivative(np.sin(x), x, order=order, accuracy=accuracy) for x in grids]
        errors.append(np.median([abs(f - t).max() for f, t in zip(found, truth, strict=True)]))
    slope = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(accuracy, abs=0.25)


@pytest.mark.parametrize("order, accuracy", [(1, 1), (1, 2), (1, 4), (2, 2), (2, 3)])
def test_error_is_that_of_the_docstring(order, accuracy):
    """Result minus truth is -q! / k! f^(k) times the coefficient of t^q, the mean of both windows for even k."""
    k, x = order + accuracy, jittered(12) / 10
    expected = [
        -np.mean([math.factorial(order) / math.factorial(k) * np.poly(x[s : s + k] - a)[k - order] for s in starts])
        for a, starts in zip(x, windows(x, k), strict=True)
    ]
    error = sd.derivative(np.exp(x), x, order=order, accuracy=accuracy) - np.exp(x)
    np.testing.assert_allclose(error, expected, rtol=0.1, atol=0.05 * abs(np.array(expected)).max())


def test_last_bits_of_the_grid_do_not_matter():
    """For even k both windows count alike, so that rounding the points of a uniform grid does no more than that."""
    even = 1 + np.arange(101) / 128
    rounded = even * (1 + 4 * U * (np.arange(101) % 2))
    for accuracy in (1, 3):
        found, expected = (sd.derivative(np.exp(x), x, accuracy=accuracy) for x in (rounded, even))
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from(FORMULAS))
def test_derivatives_are_linear(a, b, formula):
    """The derivative of a y + b z is a times that of y plus b times that of z."""
    x, (y, z) = jittered(20), noise(2, 20)
    order, accuracy = formula
    both, dy, dz = (sd.derivative(v, x, order=order, accuracy=accuracy) for v in (a * y + b * z, y, z))
    assert_within_roundoff(both, a * dy + b * dz, x, abs(a * y) + abs(b * z) + abs(y) + abs(z), order, accuracy)


@pytest.mark.parametrize("order, accuracy", FORMULAS)
@pytest.mark.parametrize("x", GRIDS.values(), ids=GRIDS)
def test_reversed_grid_gives_the_reversed_derivative(x, order, accuracy):
    """The direction of the grid does not matter, not even where two windows are as near."""
    y = noise(len(x))
    found = sd.derivative(y[::-1], x[::-1], order=order, accuracy=accuracy)[::-1]
    assert_within_roundoff(found, sd.derivative(y, x, order=order, accuracy=accuracy), x, y, order, accuracy)


@given(integer_grids, st.integers(-20, 20), st.integers(-1000, 1000), st.sampled_from(FORMULAS))
def test_shifted_and_scaled_grids(grid, power, shift, formula):
    """A shift by whole numbers changes nothing, and a scale that is a power of two enters exactly."""
    order, accuracy = formula
    x, y = np.array(grid, dtype=float), noise(len(grid))
    expected = sd.derivative(y, x, order=order, accuracy=accuracy)
    found = sd.derivative(y, (x + shift) * 2.0**power, order=order, accuracy=accuracy)
    np.testing.assert_array_equal(found * 2.0 ** (power * order), expected)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_any_unit_will_do(scale):
    """Grids in very small or large units neither under- nor overflow, though products of k gaps would."""
    x, y = jittered(20), noise(20)
    found = sd.derivative(y, x * scale, order=1, accuracy=7) * scale
    np.testing.assert_allclose(found, sd.derivative(y, x, order=1, accuracy=7), rtol=1e-9)


def test_graded_grids_do_not_overflow_in_float32():
    """Fourteen decades of gaps are no obstacle, though the fourth power of their ratio is no number in float32."""
    x = np.geomspace(1e-7, 1e7, 141, dtype=np.float32)
    np.testing.assert_allclose(sd.derivative(np.log(x), x, accuracy=4) * x, 1, atol=0.05)


@pytest.mark.parametrize("scale", [1e-13, 1e13])
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["numpy", "jax"])
def test_scales_are_applied_step_by_step(scale, transform):
    """In float32 the third power of a gap of 1e13 is no number, but the third derivative is."""
    x = (scale * np.arange(20)).astype(np.float32)
    y = np.float32(scale) * np.arange(20, dtype=np.float32) ** 3 * np.float32(scale)
    for f in (lambda y, x: sd.derivative(y, x, order=3), lambda y, x: sd.smooth_derivative(y, x, 5, 3, 3)):
        np.testing.assert_allclose(transform(f)(y, x) * scale, 6, rtol=1e-2)


def test_factorials_beyond_floats():
    """The factor 171! is no float; where all differences vanish, it does no harm."""
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(sd.derivative(np.ones(200), np.arange(200.0), order=171), 0)


def test_waves_are_scaled_step_by_step():
    """In float32 the fifth power of 2 pi / 1e-5 is no trouble, nor are those of waves of no amplitude."""
    x = np.arange(16, dtype=np.float32) / 16
    y = (1e-20 * np.sin(2 * np.pi * x)).astype(np.float32)
    truth = (2e5 * np.pi) ** 5 * 1e-20 * np.cos(2 * np.pi * x)
    found = sd.spectral_derivative(y, np.float32(1e-5), 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth, atol=0.05 * abs(truth).max())


STAMPS = {
    "float32 y": (np.float32, 20_000_000 + 3 * np.arange(8)),
    "float32 y, descending": (np.float32, 20_000_000 - 3 * np.arange(8)),
    "nanoseconds": (float, 1_700_000_000_000_000_000 + 3 * np.arange(8)),
    "negative": (float, -1_700_000_000_000_000_000 + 3 * np.arange(8)),
    "unsigned, descending": (float, (2**64 - 1 - 3 * np.arange(8, dtype=np.uint64)).astype(np.uint64)),
    "small integers": (float, np.array([-128, -100, -1, 1, 2, 60, 100, 127], dtype=np.int8)),
}


@pytest.mark.parametrize("dtype, x", STAMPS.values(), ids=STAMPS)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["numpy", "y traced"])
def test_gaps_of_integer_grids_are_exact(dtype, x, transform):
    """Integers too large for a float keep their gaps, up and down."""
    y = np.array([int(a) - int(x[0]) for a in x]).astype(dtype)
    for f in (sd.derivative, lambda y, x: sd.smooth_derivative(y, x, 5, 2)):
        np.testing.assert_allclose(transform(lambda y, f=f: f(y, x))(y), 1, rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.usefixtures("without_x64")
def test_gaps_survive_without_float64():
    """A float64 grid far from 0, or graded towards 0, keeps its gaps in float32."""
    far, graded = 1e9 + np.arange(8.0), np.geomspace(1e7, 1e-7, 141)
    np.testing.assert_allclose(sd.derivative(jnp.arange(8.0), far), 1, rtol=1e-6)
    np.testing.assert_allclose(sd.derivative(jnp.asarray(np.log(graded)), graded, accuracy=4) * graded, 1, atol=0.05)
    with pytest.raises(ValueError, match="x is too fine for float32"):
        sd.derivative(jnp.arange(8.0), 1e-60 * far)


@pytest.mark.usefixtures("without_x64")
def test_numbers_too_large_for_float32_are_refused():
    """Without float64, what is finite may not be so any more."""
    for name, y, x in (("y", np.full(8, 1e39), jnp.arange(8)), ("x", jnp.ones(3), [0, 1e38, 1e39])):
        with pytest.raises(ValueError, match=rf"{name}=...\)` should be finite in float32. Got 1e\+39 at index"):
            sd.derivative(y, x)
    with pytest.raises(ValueError, match="one number, positive and finite"):
        sd.spectral_derivative(jnp.ones(8), 1e39)


def test_memory_for_wide_windows_is_bounded():
    """Windows of a thousand samples are worked through a few at a time."""
    x = np.linspace(0, 1, 4001)
    tracemalloc.start()
    sd.smooth_derivative(np.sin(x), x, 1001, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


CALLS = {
    "derivative": lambda y, x, **axis: sd.derivative(y, x, accuracy=3, **axis),
    "second": lambda y, x, **axis: sd.derivative(y, x, order=2, accuracy=3, **axis),
    "smooth": lambda y, x, **axis: sd.smooth_derivative(y, x, 5, 3, **axis),
    "smooth, order 0": lambda y, x, **axis: sd.smooth_derivative(y, x, 5, 2, 0, **axis),
    "spectral": lambda y, x, **axis: sd.spectral_derivative(y, x[-1] - x[0], **axis),
    "spectral, order 2": lambda y, x, **axis: sd.spectral_derivative(y, x[-1] - x[0], 2, **axis),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
each_function = pytest.mark.parametrize("name", ["derivative", "smooth", "spectral"])


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
@each_call
def test_samples_may_lie_along_any_axis(call, axis):
    """Along any axis each line of samples is differentiated by itself."""
    y, x = np.moveaxis(noise(3, 2, 9), -1, axis), jittered(9)
    expected = np.apply_along_axis(lambda line: call(line, x), axis, y)
    np.testing.assert_allclose(call(y, x, axis=axis), expected, rtol=1e-11)


@pytest.mark.parametrize("shape", [(0, 9), (9, 0)])
def test_no_lines_are_no_obstacle(shape):
    """A stack of no lines gives a stack of no lines."""
    assert sd.derivative(np.ones(shape), jittered(9), axis=shape.index(9)).shape == shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_call
def test_jax_arrays_compile_and_map(call, dtype):
    """Under jit and vmap, in y and in x, the answers are those of NumPy, in the dtype of the samples."""
    y, x = noise(4, 9).astype(dtype), np.stack([jittered(9, seed) for seed in range(4)]).astype(dtype)
    found = jax.jit(jax.vmap(call))(y, x)
    assert found.dtype == dtype
    expected = np.stack([call(line, grid) for line, grid in zip(y.astype(float), x.astype(float), strict=True)])
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=(2e-4 if dtype == np.float32 else 1e-11) * abs(expected).max()
    )


@each_function
def test_samples_of_jax_may_lie_along_any_axis(name):
    """JAX arrays, too, have an axis in the middle."""
    y, x = noise(3, 9, 2), jittered(9)
    found = jax.jit(lambda y, x: CALLS[name](y, x, axis=-2))(y, x)
    np.testing.assert_allclose(found, CALLS[name](y, x, axis=1), rtol=1e-11)


@each_call
def test_grid_may_be_known_when_compiling(call):
    """With y traced and x closed over, whether NumPy's or JAX's, the answers are the same."""
    y, x = noise(2, 9), jittered(9)
    for grid in (x, jnp.asarray(x)):
        np.testing.assert_allclose(jax.jit(lambda y, grid=grid: call(y, grid))(y), call(y, x), rtol=1e-11)


@pytest.mark.parametrize(
    "call",
    [lambda y, x: sd.derivative(y, x, accuracy=1), lambda y, x: sd.spectral_derivative(y, x[-1])],
    ids=["derivative", "spectral"],
)
def test_numpy_in_numpy_out(call):
    """NumPy gives NumPy, and one JAX array among the arguments gives JAX."""
    y, x = noise(9), jittered(9)
    kinds = [isinstance(call(a, b), jax.Array) for a in (y, jnp.asarray(y)) for b in (x, jnp.asarray(x))]
    assert kinds == [False, True, True, True]


DTYPES = [
    (np.float32, np.float32, np.float32),
    (np.float32, np.int64, np.float32),
    (np.float32, np.float64, np.float64),
    (np.int32, np.float32, np.float32),
    (np.uint8, np.uint8, np.float64),
    (np.complex64, np.float32, np.complex64),
    (np.complex64, np.float64, np.complex128),
]


@pytest.mark.parametrize("of_y, of_x, expected", DTYPES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["numpy", "jax"])
def test_precision_is_the_higher_one(transform, of_y, of_x, expected):
    """Floats keep their precision, whole numbers follow, and unsigned ones do not wrap around."""
    y, x = np.array([9, 4, 1, 0, 1, 4, 9], dtype=of_y), np.arange(6, -1, -1, dtype=of_x)
    found = [transform(sd.derivative)(y, x), transform(lambda y, x: sd.smooth_derivative(y, x, 3, 2))(y, x)]
    assert [f.dtype for f in found] == [expected, expected]
    np.testing.assert_allclose(found, [2 * np.arange(3, -4, -1.0)] * 2, atol=1e-5)


@pytest.mark.usefixtures("without_x64")
@each_call
def test_jax_without_float64_gives_float32(call):
    """A reader who has not switched JAX to float64 gets float32, without a warning."""
    y, x = noise(9), jittered(9)
    found = jax.jit(lambda y: call(y, x))(y)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, call(y, x), atol=1e-4 * abs(call(y, x)).max())


@each_call
def test_complex_samples_are_two_real_ones(call):
    """The derivative of y + i z is that of y plus i times that of z."""
    x, (y, z) = jittered(10), noise(2, 10)
    np.testing.assert_allclose(call(y + 1j * z, x), call(y, x) + 1j * call(z, x), rtol=1e-11)


@pytest.mark.parametrize("order, accuracy", [(1, 2), (1, 3), (2, 2), (4, 3)])
def test_gradient_in_y_is_the_transpose(order, accuracy):
    """The pullback by JAX is the product with the transposed matrix of weights."""
    x, y_bar = jittered(13), noise(13)
    gradient = jax.jit(jax.grad(lambda y: y_bar @ sd.derivative(y, x, order=order, accuracy=accuracy)))
    expected = matrix(x, order, accuracy).T @ y_bar
    np.testing.assert_allclose(gradient(jnp.zeros(13)), expected, rtol=0, atol=1e-12 * abs(expected).max())


@each_function
def test_derivative_in_the_grid(name):
    """The answers can be differentiated in y and x at once; differences agree."""

    def f(arguments):
        return CALLS[name](*arguments)

    jvp = jax.jit(lambda point, change: jax.jvp(f, (point,), (change,))[1])
    vjp = jax.jit(lambda point, y_bar: jax.vjp(f, point)[1](y_bar)[0])
    check_derivatives(jax.jit(f), (jnp.asarray(noise(9)), jnp.asarray(jittered(9))), jvp=jvp, vjp=vjp)


@pytest.mark.parametrize("shape", [(500,), (3, 500)])
@pytest.mark.parametrize("size", [1, 40, 177, 3000])
@each_call
def test_pieces_change_nothing(call, size, shape, monkeypatch):
    """Long arrays, which NumPy works through in pieces, give bit by bit what they give as a whole."""
    y, x = noise(*shape), jittered(500)
    whole = call(y, x)
    monkeypatch.setattr("autodiff_tutorial.sampled_data.samples.PIECE", size)
    np.testing.assert_allclose(call(y, x), whole, rtol=1e-13)


def test_long_arrays_are_right():
    """A hundred thousand samples, in more than one piece, are those of np.gradient."""
    x, y = jittered(100_000), noise(100_000)
    np.testing.assert_allclose(sd.derivative(y, x), np.gradient(y, x, edge_order=2), rtol=1e-9, atol=1e-9 * 1e5)


@pytest.mark.parametrize("n", [40, 41])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_spectral_derivative_of_a_periodic_function(n, order):
    """For exp(sin x), 40 samples give 10 digits and more."""
    x = 2 * np.pi * np.arange(n) / n
    s, c, f = np.sin(x), np.cos(x), np.exp(np.sin(x))
    truth = {1: c * f, 2: (c**2 - s) * f, 3: (c**3 - 3 * s * c - c) * f}[order]
    np.testing.assert_allclose(sd.spectral_derivative(f, 2 * np.pi, order), truth, atol=1e-10)


@given(st.integers(1, 15), st.integers(1, 5), st.floats(0.1, 100), st.data())
def test_waves_are_differentiated_exactly(n, order, length, data):
    """Waves of fewer than n / 2 periods, real and complex, are exact to roundoff, for odd and even n."""
    m, phase = data.draw(st.integers(-((n - 1) // 2), (n - 1) // 2)), data.draw(st.floats(0, 6))
    k, turn = 2 * np.pi * m / length, phase + 2 * np.pi * m * np.arange(n) / n
    tolerance = 100 * U * (np.pi * n / length) ** order
    found = sd.spectral_derivative(np.exp(1j * turn), length, order)
    np.testing.assert_allclose(found, (1j * k) ** order * np.exp(1j * turn), rtol=0, atol=tolerance)
    found = sd.spectral_derivative(np.cos(turn), length, order)
    np.testing.assert_allclose(found, k**order * np.cos(turn + order * np.pi / 2), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("order, expected", [(1, 0), (2, -1), (3, 0), (4, 1)])
def test_fastest_wave_has_no_odd_derivative(order, expected, dtype):
    """The wave +1, -1, +1, ... is standing: odd derivatives vanish at the samples, even ones do not."""
    y = np.array([1, -1] * 4, dtype=dtype)
    np.testing.assert_allclose(sd.spectral_derivative(y, 2 * np.pi, order), expected * 4.0**order * y, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("window, degree", [(3, 2), (5, 2), (5, 3), (7, 3), (11, 4), (21, 3), (25, 5)])
def test_smoothing_is_that_of_savitzky_and_golay(window, degree, order):
    """On uniform grids the result is SciPy's, up to the ends."""
    if order > degree:
        degree = order
        window = max(window, degree + 2)
    y, h = noise(40), 0.3
    expected = scipy.signal.savgol_filter(y, window, degree, deriv=order, delta=h, mode="interp")
    found = sd.smooth_derivative(y, h * np.arange(40), window, degree, order)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * abs(expected).max())


@given(integer_grids, st.sampled_from([3, 5, 7, 9]), st.data())
def test_smoothing_keeps_polynomials(grid, window, data):
    """Polynomials up to the degree pass on any grid, with their derivatives; the truth is in integers."""
    degree = data.draw(st.integers(0, window - 1))
    order = data.draw(st.integers(0, degree))
    c = data.draw(st.lists(st.integers(-9, 9), min_size=degree + 1, max_size=degree + 1))
    y = np.array([float(sum(a * t**d for d, a in enumerate(c))) for t in grid])
    truth = [float(sum(a * math.perm(d, order) * t ** max(0, d - order) for d, a in enumerate(c))) for t in grid]
    x = np.array(grid, dtype=float)
    found = sd.smooth_derivative(y, x, window, degree, order)
    w = abs(sd.smooth_derivative(np.eye(len(x)), x, window, degree, order, axis=0))
    bound = U * w.sum(axis=1) * (abs(y) * (w > 0)).max(axis=1)
    np.testing.assert_array_less(abs(found - truth), 20 * bound + np.finfo(float).tiny)


def test_smoothing_multiplies_in_full_precision():
    """Recent GPUs round what they multiply, unless they are told not to."""
    y, x = jnp.ones(9, "float32"), np.arange(9, dtype="float32")
    assert "HIGHEST" in str(jax.make_jaxpr(lambda y: sd.smooth_derivative(y, x, 5, 2))(y))


@pytest.mark.parametrize("window, order", [(3, 0), (3, 1), (3, 2), (5, 1), (5, 3), (9, 2), (11, 1)])
@pytest.mark.parametrize("name", ["uniform", "jittered", "descending", "graded"])
def test_smoothing_that_fits_all_points_is_the_derivative(name, window, order):
    """A polynomial of degree window - 1 goes through all points of its window."""
    x = GRIDS[name]
    expected = matrix(x, order, window - order) if order else np.eye(len(x))
    found = sd.smooth_derivative(np.eye(len(x)), x, window, window - 1, order, axis=0)
    assert_rows_close(found, expected, 1e-12)


@pytest.mark.parametrize("window", [5, 9, 31])
def test_noise_falls_as_the_window_widens(window):
    """For noise of variance one, the slope of lines on uniform grids has the variance 12 / (h^2 w (w^2 - 1))."""
    h = 0.1
    w = sd.smooth_derivative(np.eye(41), h * np.arange(41), window, 1, axis=0)
    np.testing.assert_allclose((w**2).sum(axis=1), 12 / (h**2 * window * (window**2 - 1)), rtol=1e-12)


def test_large_windows_of_high_degree_are_stable():
    """A polynomial of degree 20 on 51 random points keeps 10 digits; one sum of powers would keep none."""
    x = jittered(80)
    found = sd.smooth_derivative(np.exp(x), x, 51, 20)
    np.testing.assert_allclose(found, np.exp(x), rtol=1e-10)


def logistic(t):
    return 1 / (1 + np.exp(-t))


CURVES = {
    "cubic": (lambda t: t**3, np.linspace(-1, 1, 21), {}, [0.0]),
    "cubic, without 0": (lambda t: t**3, np.linspace(-1, 1, 20), {}, [0.0]),
    "cubic, descending": (lambda t: t**3, np.linspace(1, -1, 21), {}, [0.0]),
    "cubic, random grid": (lambda t: (t - 0.5) ** 3, jittered(60), {}, [0.5]),
    "cubic, four samples": (lambda t: t**3, np.array([-2.0, -1.0, 1.0, 3.0]), {}, [0.0]),
    "cubic, smoothed": (lambda t: t**3, np.linspace(-1, 1, 21), {"window": 7}, [0.0]),
    "cubic, single": (lambda t: t**3, np.linspace(-1, 1, 21, dtype=np.float32), {}, [0.0]),
    "fourth power": (lambda t: t**4, np.linspace(-1, 1, 21), {}, []),
    "fourth power, smoothed": (lambda t: t**4, np.linspace(-1, 1, 21), {"window": 5, "degree": 4}, []),
    "parabola": (lambda t: t * t - t, jittered(50), {}, []),
    "line": (lambda t: 3 * t - 1, np.linspace(0, 1, 1001), {}, []),
    "line, random grid": (lambda t: 3 * t - 1, jittered(1000), {}, []),
    "line, smoothed": (lambda t: 3 * t - 1, jittered(1000), {"window": 9}, []),
    "line, single": (lambda t: 3 * t - 1, np.linspace(0, 1, 101, dtype=np.float32), {}, []),
    "constant": (lambda t: 0 * t + 0.1, jittered(50), {}, []),
    "zero": (lambda t: 0 * t, jittered(50), {}, []),
    "whole numbers": (lambda t: t**3 - 15 * t**2, np.arange(11), {}, [5.0]),
    "logistic": (lambda t: logistic(3 * (t - 1)), np.linspace(-2, 3, 300), {}, [1.0]),
    "logistic, large": (lambda t: 1e6 * logistic(3 * (t - 1)), np.linspace(-2, 3, 300), {}, [1.0]),
    "logistic, far away": (lambda t: logistic(3 * (t - 1001)), np.linspace(998, 1003, 300), {}, [1001.0]),
    "sine": (np.sin, np.linspace(1, 10, 400), {}, [np.pi, 2 * np.pi, 3 * np.pi]),
    "sine, smoothed": (np.sin, np.linspace(1, 10, 5000), {"window": 9}, [np.pi, 2 * np.pi, 3 * np.pi]),
    "sine, faint": (lambda t: 1 + 1e-6 * np.sin(t), np.linspace(1, 10, 400), {}, [np.pi, 2 * np.pi, 3 * np.pi]),
    "sine, descending": (np.sin, np.linspace(10, 1, 400), {}, [3 * np.pi, 2 * np.pi, np.pi]),
    "plus, straight, minus": (
        lambda t: np.where(t < -1, (t + 1) ** 2, -np.where(t > 2, (t - 2) ** 2, 0)), np.arange(-5, 6.5, 0.5), {}, [0.5],
    ),
    "plus, straight, plus": (lambda t: np.where(abs(t) > 1, (abs(t) - 1) ** 2, 0), np.arange(-5, 5.5, 0.5), {}, []),
    "straight, plus": (lambda t: np.where(t > 1, (t - 1) ** 2, 0), np.arange(-5, 5.5, 0.5), {}, []),
}  # fmt: skip


@pytest.mark.parametrize("f, x, options, expected", CURVES.values(), ids=CURVES)
def test_inflection_points_of_curves(f, x, options, expected):
    """As many places as the curve has, where it has them, in the order of the grid."""
    found = sd.inflection_points(f(x), x, **options)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_inflection_at_a_sample_is_that_sample():
    """On a grid that holds 0 the cubic bends over at 0 exactly, whatever its neighbors."""
    x = np.array([-3.0, -2.0, -1.0, 0.0, 1.5, 2.5, 4.0])
    np.testing.assert_array_equal(sd.inflection_points(x**3, x), [0.0])


def test_window_tells_inflections_from_noise():
    """Noise of 1e-3 hides the inflection of a logistic curve among a hundred others; a window finds it alone."""
    x = np.linspace(-1, 1, 201)
    y = logistic(3 * x) + 1e-3 * noise(201)
    assert len(sd.inflection_points(y, x)) > 50
    np.testing.assert_allclose(sd.inflection_points(y, x, window=101), [0.0], atol=0.05)


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.sampled_from([None, 5, 9]))
def test_lines_have_no_inflection_points(seed, a, b, window):
    """Rounding alone bends no line, however it is written and on whichever grid."""
    x = np.cumsum(np.random.default_rng(seed).exponential(size=40))
    assert [len(sd.inflection_points(y, x, window=window)) for y in (a * x + b, a * (x - b), (b - x) / a)] == [0, 0, 0]


@pytest.mark.parametrize("of_y, of_x", [(np.float32, np.float64), (np.float64, np.float32)])
@pytest.mark.parametrize("window", [None, 9])
def test_roundoff_is_that_of_the_coarser_array(of_y, of_x, window):
    """A line that was rounded to float32 once is still a line, and a logistic curve still bends over once."""
    x = np.linspace(0, 1, 101)
    assert sd.inflection_points((3 * x - 1).astype(of_y), x.astype(of_x), window=window).size == 0
    x = np.linspace(-1, 1.1, 22)
    found = sd.inflection_points(logistic(3 * x).astype(of_y), x.astype(of_x), window=window)
    np.testing.assert_allclose(found, [0.0], atol=0.01)


@pytest.mark.parametrize("window", [None, 5])
def test_inflection_points_of_integer_stamps(window):
    """The places are those of the given grid, wherever the gaps were counted from."""
    t = np.arange(-20, 21)
    found = sd.inflection_points(t**3, 1_700_000_000_000_000_000 + 1_000_000 * t, window=window)
    np.testing.assert_allclose(found, [1.7e18], rtol=1e-15)


def test_inflection_points_of_jax_arrays():
    """JAX arrays with values are welcome; the answer is on the host."""
    x = jnp.linspace(-1, 1, 21)
    assert isinstance(sd.inflection_points(x**3, x), np.ndarray)


X, Y, SPOILT = np.arange(20.0), np.arange(20.0) ** 2, np.where(np.arange(20) == 17, np.nan, 1.0)
REPEATS = jnp.zeros(20)


def changed(**values):
    x = X.copy()
    for index, value in values.items():
        x[int(index[1:])] = value
    return x


BAD_INPUT = {
    "repeat in x": (
        lambda: sd.derivative(Y, changed(_3=2.0)),
        ValueError, "strictly increasing or decreasing. Got 2.0 after 2.0 at index 3. Sort the samples and drop repeat",
    ),
    "unsorted x": (lambda: sd.derivative(Y, changed(_5=0.5)), ValueError, "Got 0.5 after 4.0 at index 5"),
    "unsorted x, descending": (lambda: sd.derivative(Y, -changed(_5=0.5)), ValueError, "Got -0.5 after -4.0 at ind"),
    "constant x": (lambda: sd.derivative(Y, 0 * X), ValueError, "Got 0.0 after 0.0 at index 1"),
    "x too fine for float32": (
        lambda: sd.derivative(np.ones(3, np.float32), [1, 2, 2**26 + 1, 2**26 + 2][1:]), ValueError,
        "in float32, too. Got 67108866 after 67108865 at index 2: x is too fine for float32. Give y in float64",
    ),
    "unsorted x, smooth": (lambda: sd.smooth_derivative(Y, changed(_5=0.5), 5, 2), ValueError, "strictly increasing"),
    "unsorted x, inflection": (lambda: sd.inflection_points(Y, changed(_5=0.5)), ValueError, "strictly increasing"),
    "repeat in x, y traced": (
        lambda: jax.jit(lambda y: sd.derivative(y, changed(_3=2.0)))(Y), ValueError, "Got 2.0 after 2.0 at index 3",
    ),
    "repeats in JAX's x, y traced": (
        lambda: jax.jit(lambda y: sd.derivative(y, REPEATS))(Y), ValueError, "Got 0.0 after 0.0 at index 1",
    ),
    "repeats in JAX's x": (lambda: sd.derivative(Y, REPEATS), ValueError, "Got 0.0 after 0.0 at index 1"),
    "NaN in x": (lambda: sd.derivative(Y, SPOILT), ValueError, r"x=...\)` should be finite in float64. Got nan at"),
    "infinite x": (lambda: sd.derivative(Y, changed(_19=np.inf)), ValueError, "finite in float64. Got inf at index 19"),
    "NaN in y": (
        lambda: sd.derivative(SPOILT, X), ValueError,
        r"y=...\)` should be finite in float64. Got nan at index 17. Leave those samples out: any grid will do",
    ),
    "infinite y": (
        lambda: sd.derivative(np.where(X > 3, np.inf, X), X), ValueError, "finite in float64. Got inf at index 4",
    ),
    "NaN in a stack": (lambda: sd.derivative([X, SPOILT], X), ValueError, r"Got nan at index \(1, 17\)"),
    "NaN in JAX's y": (lambda: sd.derivative(jnp.asarray(SPOILT), X), ValueError, "Got nan at index 17"),
    "NaN in complex y": (lambda: sd.derivative(SPOILT + 1j, X), ValueError, r"Got \(?nan\+1"),
    "NaN in smooth y": (lambda: sd.smooth_derivative(SPOILT, X, 5, 2), ValueError, "Got nan at index 17"),
    "NaN in periodic y": (
        lambda: sd.spectral_derivative(SPOILT, 1.0), ValueError, "Got nan at index 17. .* `derivative` takes any grid",
    ),
    "NaN, inflection": (lambda: sd.inflection_points(SPOILT, X), ValueError, "Got nan at index 17"),
    "scalar x": (
        lambda: sd.derivative(Y, 0.1), ValueError, r"the grid, of shape \(20,\). Got shape \(\). For a spacing h, give",
    ),
    "matrix x": (lambda: sd.derivative(Y, np.ones((20, 1))), ValueError, r"Got shape \(20, 1\)"),
    "length of x": (
        lambda: sd.derivative(np.ones((4, 20)), X, axis=0), ValueError,
        r"each of the 4 samples of y along axis 0. Got 20 points, for y of shape \(4, 20\)",
    ),
    "traced x of wrong length": (
        lambda: jax.jit(sd.derivative)(Y, X[1:]), ValueError, "each of the 20 samples of y along axis 0. Got 19",
    ),
    "too few samples": (
        lambda: sd.derivative(Y[:4], X[:4], order=2, accuracy=3), ValueError,
        "at least 5 samples for order=2 and accuracy=3. Got 4",
    ),
    "no samples": (lambda: sd.derivative([], []), ValueError, "at least 3 samples for order=1 and accuracy=2. Got 0"),
    "fewer samples than the window": (
        lambda: sd.smooth_derivative(Y[:6], X[:6], 7, 2), ValueError, "at least 7 samples for window=7. Got 6",
    ),
    "three samples, inflection": (
        lambda: sd.inflection_points(Y[:3], X[:3]), ValueError, "at least 4 samples for a second derivative. Got 3",
    ),
    "wide window, inflection": (
        lambda: sd.inflection_points(Y, X, window=21), ValueError, "at least 21 samples for window=21. Got 20",
    ),
    "empty period": (lambda: sd.spectral_derivative([], 1.0), ValueError, "should not be empty"),
    "scalar y": (lambda: sd.derivative(1.0, X), ValueError, r"should be an axis of y, whose shape is \(\)"),
    "axis": (lambda: sd.derivative(Y, X, axis=1), ValueError, r"an axis of y, whose shape is \(20,\). Got 1"),
    "negative axis": (lambda: sd.spectral_derivative(Y, 1.0, axis=-2), ValueError, "should be an axis of y.* Got -2"),
    "axis 0.0": (lambda: sd.derivative(Y, X, axis=0.0), TypeError, r"axis=...\)` should be an integer. Got 0.0"),
    "complex x": (lambda: sd.derivative(Y, X + 0j), TypeError, r"x=...\)` should hold real numbers.* Got complex128"),
    "boolean y": (lambda: sd.derivative(Y > 1, X), TypeError, r"y=...\)` should hold numbers.* Got bool"),
    "object y": (lambda: sd.derivative(Y.astype(object), X), TypeError, "Got object"),
    "text": (lambda: sd.derivative(Y.astype(str), X), TypeError, "Got <U"),
    "dates": (lambda: sd.derivative(Y, X.astype("M8[s]")), TypeError, "should hold real numbers.* Got datetime64"),
    "half precision": (lambda: sd.derivative(Y.astype(np.float16), X), TypeError, "32 or 64 bits. Got float16"),
    "bfloat16": (lambda: sd.derivative(jnp.asarray(Y, jnp.bfloat16), X), TypeError, "32 or 64 bits. Got bfloat16"),
    "masked y": (
        lambda: sd.derivative(np.ma.masked_equal(Y, 25), X), ValueError,
        r"y=...\)` should have no masked samples. Got 1. Drop them, as by y.compressed\(\) and x\[~y.mask\]",
    ),
    "masked x": (lambda: sd.smooth_derivative(Y, np.ma.masked_less(X, 2), 5, 2), ValueError, "masked samples. Got 2"),
    "masked, inflection": (lambda: sd.inflection_points(np.ma.masked_equal(Y, 25), X), ValueError, "no masked samples"),
    "ragged y": (lambda: sd.derivative([[1.0], [1.0, 2.0]], X), TypeError, "Got a ragged list"),
    "complex y, inflection": (lambda: sd.inflection_points(Y + 0j, X), TypeError, "should hold real numbers"),
    "matrix, inflection": (
        lambda: sd.inflection_points(np.ones((20, 20)), X), ValueError, r"should have shape \(n,\). Got \(20, 20\)",
    ),
    "traced y, inflection": (
        lambda: jax.jit(lambda y: sd.inflection_points(y, X))(Y), TypeError, r"y=...\)` should be concrete",
    ),
    "traced x, inflection": (
        lambda: jax.jit(lambda x: sd.inflection_points(Y, x))(X), TypeError, r"x=...\)` should be concrete",
    ),
    "degree, inflection": (lambda: sd.inflection_points(Y, X, degree=-1.5), TypeError, "should be an integer"),
    "low degree, inflection": (lambda: sd.inflection_points(Y, X, degree=1), ValueError, "should be at least 2. Got 1"),
    "order 0": (lambda: sd.derivative(Y, X, order=0), ValueError, r"order=...\)` should be at least 1. Got 0"),
    "order 1.0": (lambda: sd.derivative(Y, X, order=1.0), TypeError, r"order=...\)` should be an integer. Got 1.0"),
    "accuracy 0": (lambda: sd.derivative(Y, X, accuracy=0), ValueError, r"accuracy=...\)` should be at least 1"),
    "accuracy 2.5": (lambda: sd.derivative(Y, X, accuracy=2.5), TypeError, r"accuracy=...\)` should be an integer"),
    "spectral order 0": (lambda: sd.spectral_derivative(Y, 1.0, 0), ValueError, r"order=...\)` should be at least 1"),
    "length 0": (lambda: sd.spectral_derivative(Y, 0.0), ValueError, "one number, positive and finite. Got 0"),
    "negative length": (lambda: sd.spectral_derivative(Y, -1.0), ValueError, "positive and finite. Got -1.0"),
    "infinite length": (lambda: sd.spectral_derivative(Y, np.inf), ValueError, "positive and finite. Got inf"),
    "NaN length": (lambda: sd.spectral_derivative(Y, np.nan), ValueError, "positive and finite. Got nan"),
    "grid for a length": (lambda: sd.spectral_derivative(Y, X), ValueError, r"one number, .* Got shape \(20,\)"),
    "complex length": (lambda: sd.spectral_derivative(Y, 1j), TypeError, r"length=...\)` should hold real numbers"),
    "even window": (lambda: sd.smooth_derivative(Y, X, 4, 2), ValueError, r"window=...\)` should be odd.* Got 4"),
    "window 1": (lambda: sd.smooth_derivative(Y, X, 1, 0, 0), ValueError, r"window=...\)` should be at least 3. Got 1"),
    "window 5.0": (lambda: sd.smooth_derivative(Y, X, 5.0, 2), TypeError, r"window=...\)` should be an integer"),
    "degree of the window": (
        lambda: sd.smooth_derivative(Y, X, 5, 5), ValueError, r"degree=...\)` should be below window=5. Got 5",
    ),
    "degree below the order": (
        lambda: sd.smooth_derivative(Y, X, 5, 2, 3), ValueError, "at least 3, the order of the derivative. Got 2",
    ),
    "negative degree": (lambda: sd.smooth_derivative(Y, X, 5, -1, 0), ValueError, r"degree=...\)` should be at least"),
    "negative order": (lambda: sd.smooth_derivative(Y, X, 5, 2, -1), ValueError, r"order=...\)` should be at least 0"),
    "even window, inflection": (lambda: sd.inflection_points(Y, X, window=6), ValueError, r"window=...\)` .* odd"),
    "degree 1, inflection": (
        lambda: sd.inflection_points(Y, X, window=5, degree=1), ValueError, "at least 2, the order of the derivative",
    ),
}  # fmt: skip


if np.finfo(np.longdouble).bits > 64:
    BAD_INPUT["long double"] = (
        lambda: sd.derivative(Y.astype(np.longdouble), X), TypeError, "floats of 32 or 64 bits. Got float",
    )  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(call, kind, message):
    """Bad input raises an error that names the call, what it should be and what it got."""
    with pytest.raises(kind, match=message) as caught:
        call()
    assert str(caught.value).startswith("`sampled_data.")


@each_function
def test_known_grid_is_left_to_numpy(name):
    """Where only y is traced, the compiler is not left to work out what follows from x, which it does slowly."""
    program = str(jax.make_jaxpr(lambda y: CALLS[name](y, jittered(9)))(jnp.ones(9)))
    assert "fft" in program or not any(word in program for word in ("reduce_min", "log", "sqrt"))


def test_traced_values_are_not_looked_at():
    """Under jit the values of the grid are unknown: a repeat gives no error, and no number."""
    assert not np.isfinite(jax.jit(sd.derivative)(Y, changed(_3=2.0))).all()
