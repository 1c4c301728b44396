"""Higher derivatives against JAX's own transforms, SymPy's series, mpmath, closed forms and NumPy's eigenvalues."""

import functools
import gc
import math
import re
import tracemalloc

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import JAX, LITTLE_EFFORT, OURS, PROGRAMS, STRAIGHT, close, compiled, program_on, quick_jit, values
from test_forward_mode import wave

from autodiff_tutorial import forward_mode, primitives, reverse_mode
from autodiff_tutorial.higher_order import Series, hvp, jacobian, mixed_partial, ode_taylor, taylor
from autodiff_tutorial.linear_maps import LinearMap

MODES = ["fwd_over_rev", "rev_over_fwd", "rev_over_rev", "fwd_over_fwd"]
RTOL = {"float32": 2e-5, "float64": 1e-12}


def assert_close(found, expected, rtol=1e-12):
    """Assert agreement relative to the largest number."""
    expected = np.asarray(expected)
    scale = abs(expected).max(initial=0.0) or 1.0
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found) / scale, expected / scale, rtol=0, atol=rtol)


def curved(x):
    """Map R^3 to R, with every second derivative alive."""
    return jnp.exp(x[0] * x[1]) + jnp.sin(x[2]) * x[0] ** 2 + x[1] ** 3 * x[2]


def hessian_of_curved(x):
    """Write the Hessian of `curved` out by hand."""
    a, b, c = x
    e = math.exp(a * b)
    return np.array(
        [
            [b**2 * e + 2 * math.sin(c), (1 + a * b) * e, 2 * a * math.cos(c)],
            [(1 + a * b) * e, a**2 * e + 6 * b * c, 3 * b**2],
            [2 * a * math.cos(c), 3 * b**2, -(a**2) * math.sin(c)],
        ]
    )


X, V = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("mode", MODES)
def test_product_is_that_of_the_hessian(mode, dtype):
    """Every pairing of modes gives H v, jitted or not, in the dtype that it was given."""
    x, v = X.astype(dtype), V.astype(dtype)
    expected = hessian_of_curved(X) @ V
    for f in (hvp, jax.jit(hvp, static_argnames=("f", "mode"))):
        found = f(curved, (x,), (v,), mode=mode)
        assert found.dtype == dtype
        assert_close(found, expected, RTOL[dtype])


@pytest.mark.parametrize("mode", MODES)
def test_product_of_several_arguments_has_one_entry_each(mode):
    """The Hessian in all arguments together acts on a tuple; pytrees keep their structure."""

    def f(p, c):
        return jnp.sum(p["w"] ** 3) * c + c**2 * p["b"]

    p, c = {"w": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}, 2.0
    v, c_dot = {"w": jnp.array([1.0, -1.0]), "b": jnp.array(0.5)}, 1.0
    w_part, c_part = hvp(f, (p, c), (v, c_dot), mode=mode)
    # By hand: d/dw = 3 w^2 c, d/db = c^2, d/dc = sum w^3 + 2 c b.
    assert_close(w_part["w"], [6 * 1 * 2 * 1 + 3 * 1, 6 * 2 * 2 * -1 + 3 * 4])
    assert_close(w_part["b"], 2 * 2.0)
    assert_close(c_part, 3 * 1 * 1 + 3 * 4 * -1 + 2 * 3.0 + 2 * 2 * 0.5)
    only = hvp(lambda p: f(p, c), (p,), (v,), mode=mode)
    assert only.keys() == {"w", "b"}
    assert_close(only["w"], [12.0, -24.0])


@settings(max_examples=20)
@given(st.integers(0, 999), st.sampled_from(MODES))
def test_product_is_linear_and_symmetric(seed, mode):
    """H (a v + w) is a H v + H w, and <w, H v> is <v, H w>."""
    random = np.random.default_rng(seed)
    x, v, w = random.normal(size=(3, 3))
    a = random.normal()
    push = compiled_product(mode)
    Hv, Hw = push(x, v), push(x, w)
    assert_close(push(x, a * v + w), a * Hv + Hw, 1e-11)
    assert abs(w @ Hv - v @ Hw) <= 1e-11 * (np.linalg.norm(w) * np.linalg.norm(Hv) + 1)


@functools.cache
def compiled_product(mode):
    return quick_jit(lambda x, v: hvp(curved, (x,), (v,), mode=mode))


def test_product_with_many_variables_builds_no_hessian():
    """With 10^6 variables, whose Hessian would fill 8 TB, a product is what the closed form says, in little memory."""
    n = 10**6
    x, v = jnp.linspace(-1, 1, n), jnp.cos(jnp.arange(n))

    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    diagonal = np.zeros(n)
    a, b = np.asarray(x[:-1]), np.asarray(x[1:])
    diagonal[:-1] += 1200 * a**2 - 400 * b + 2
    diagonal[1:] += 200
    expected = diagonal * np.asarray(v)
    expected[:-1] += -400 * a * np.asarray(v[1:])
    expected[1:] += -400 * a * np.asarray(v[:-1])
    for mode in MODES[:3]:
        program = jax.jit(lambda x, v, mode=mode: hvp(rosenbrock, (x,), (v,), mode=mode)).lower(x, v).compile()
        assert_close(program(x, v), expected)
        assert program.memory_analysis().temp_size_in_bytes < 20 * x.nbytes


def test_largest_eigenvalue_by_power_iteration():
    """A thousand products find what LAPACK finds in the matrix."""
    random = np.random.default_rng(1)
    A = random.normal(size=(40, 30))

    def f(x):
        return jnp.sum(jnp.log(jnp.cosh(jnp.asarray(A) @ x)))

    x = random.normal(size=30) / 10
    H = A.T @ np.diag(1 / np.cosh(A @ x) ** 2) @ A
    step = jax.jit(lambda v: hvp(f, (jnp.asarray(x),), (v / jnp.linalg.norm(v),)))
    v = jnp.ones(30)
    for _ in range(1000):
        v = step(v)
    assert_close(jnp.linalg.norm(v), np.linalg.eigvalsh(H)[-1], 1e-8)


def test_third_derivative_through_a_product():
    """Products can be differentiated, and batched."""
    cubic = compiled(jax.grad(lambda x: hvp(lambda x: jnp.sum(x**4), (x,), (jnp.ones(3),))[1]), X)
    assert_close(cubic, [0, 24 * X[1], 0])
    batch = compiled(jax.vmap(lambda v: hvp(curved, (X,), (v,))), np.eye(3))
    assert_close(batch, hessian_of_curved(X))


def product_of_matrices(X, Y):
    return jnp.trace(X @ X @ Y)


@pytest.mark.parametrize("dtype", RTOL)
def test_mixed_partial_of_two_matrices(dtype):
    """C2: for tr(X X Y) the tensor is delta_il X_jk + X_li delta_jk; the map, its transpose and the tensor agree."""
    X, Y = values(3, 3).astype(dtype), values(3, 3, seed=1).astype(dtype)
    eye = np.eye(3)
    expected = np.einsum("il,jk->ijkl", eye, X) + np.einsum("li,jk->ijkl", X, eye)
    v = values(9, seed=2).astype(dtype)

    def tensors(XY):
        M = mixed_partial(product_of_matrices, 0, 1)(*XY)
        assert isinstance(M, LinearMap)
        assert M.shape == (9, 9)
        assert M.dtype == dtype
        assert M.T.T is M
        return M.as_tensor(), M.as_tensor(chunk_size=2), M.T.as_tensor(), M @ v

    whole, in_chunks, transposed, product = compiled(tensors, (X, Y))
    assert_close(whole, expected, RTOL[dtype])
    assert_close(in_chunks, expected, RTOL[dtype])
    assert_close(transposed, expected.transpose(2, 3, 0, 1), RTOL[dtype])
    assert_close(product, expected.reshape(9, 9) @ v, 10 * RTOL[dtype])


def test_trace_of_a_gradient_is_one_direction():
    """E11: the derivative of the trace of the gradient is the mixed partial contracted with the identity, no more."""
    X, Y = values(3, 3), values(3, 3, seed=1)
    tensor = mixed_partial(product_of_matrices, 0, 1)(X, Y).as_tensor()
    by_trace = jax.grad(lambda X: jnp.trace(jax.grad(product_of_matrices, 1)(X, Y)))(X)
    assert by_trace.shape == (3, 3)
    assert_close(by_trace, np.einsum("ijkk->ij", tensor))
    # X_01 -> X_01 + X_12 - X_12' keeps the trace's answer and changes the tensor: here, two functions that differ.
    others = mixed_partial(lambda X, Y: jnp.sum(X * Y), 0, 1)(X, Y).as_tensor()
    same_trace = mixed_partial(lambda X, Y: jnp.trace(X) * jnp.trace(Y) / 3, 0, 1)(X, Y).as_tensor()
    assert_close(np.einsum("ijkk->ij", others), np.einsum("ijkk->ij", same_trace))
    assert abs(others - same_trace).max() > 0.5


def test_mixed_partial_of_other_shapes():
    """Arguments of any shape, equal ones, and counted from the end; the derivative along one is that of JAX."""

    def f(a, x, y):
        return a * jnp.sum(jnp.sin(x[:, None] * y)) + jnp.sum(x**3)

    args = 2.0, jnp.asarray(values(3)), jnp.asarray(values(2, 4))[0]
    places = [(i, j) for i in range(3) for j in range(3)]

    @quick_jit
    def both(*args):
        ours = [mixed_partial(f, i, j)(*args).as_tensor() for i, j in [*places, (-1, -2)]]
        return ours, [jax.jacfwd(jax.grad(f, i), j)(*args) for i, j in [*places, (2, 1)]]

    found, expected = both(*args)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)
    other = mixed_partial(lambda x, y, power, name: jnp.sum(x) ** power * jnp.sum(y) if name else 0.0, 0, 1)
    assert_close(other(np.ones(2), np.ones(1), 3, "sum").as_tensor(), np.full((2, 1), 12.0))


def stages(n, k, m, dtype="float64"):
    random = np.random.default_rng(n + k + m)
    A, B = (jnp.asarray(random.normal(size=shape), dtype=dtype) for shape in ((k, n), (m, k)))
    return (lambda x: jnp.tanh(A @ x), lambda z: jnp.sin(B @ z)), A, B


@pytest.mark.parametrize("mode", ["auto", "fwd", "rev", "mixed"])
@pytest.mark.parametrize("sizes", [(2, 7, 3), (4, 5, 1), (1, 3, 4)], ids=str)
def test_jacobian_in_every_mode(sizes, mode):
    """All modes and chunks give the product of the stages' Jacobians, by hand."""
    (g, h), A, B = stages(*sizes)
    x, A, B = values(sizes[0]), np.asarray(A), np.asarray(B)
    z = np.tanh(A @ x)
    expected = np.cos(B @ z)[:, None] * B @ ((1 - z**2)[:, None] * A)
    chunks = [jacobian((g, h), mode=mode, chunk_size=chunk_size) for chunk_size in (None, 1, 2, 100)]
    for found in compiled(lambda x: [jac(x) for jac in chunks], jnp.asarray(x)):
        assert_close(found, expected)


def test_jacobian_of_one_function_of_pytrees():
    """Numbers in and out are raveled, float32 stays float32, and batches work."""

    def f(p):
        return {"a": p["w"] * p["b"], "s": p["b"] ** 2}

    p = {"w": np.array([1.0, 2.0], np.float32), "b": np.float32(3.0)}
    for mode in ("auto", "fwd", "rev"):
        J = jacobian(f, mode=mode)(p)
        assert J.dtype == np.float32
        assert_close(J, [[1, 3, 0], [2, 0, 3], [6, 0, 0]])
    batch = jax.vmap(jacobian(lambda x: x[:2] * x[2]))(jnp.asarray(values(5, 3)))
    assert batch.shape == (5, 2, 3)


@pytest.mark.parametrize("mode, expected", [("fwd", (6, 0)), ("rev", (0, 4)), ("auto", (0, 4))])
def test_jacobian_takes_the_passes_that_it_says(mode, expected):
    """Columns are pushed, rows are pulled; auto takes the fewer."""
    passes = {"pushed": 0, "pulled": 0}

    @jax.custom_jvp
    def g(x):
        return x[:4] ** 2

    def note(name, count):
        passes[name] += int(count)

    @g.defjvp
    def _(primals, tangents):
        (x,), (x_dot,) = primals, tangents
        return g(x), counted(2 * x[:4], x_dot)

    @jax.custom_vjp
    def identity(x):
        return x

    def counted(slope, x_dot):
        jax.debug.callback(lambda _: note("pushed", 1), x_dot[0], ordered=False) if mode == "fwd" else None
        return slope * x_dot[:4]

    def backward(_, y_bar):
        jax.debug.callback(lambda _: note("pulled", 1), y_bar[0], ordered=False)
        return (y_bar,)

    identity.defvjp(lambda x: (x, None), backward)
    f = g if mode == "fwd" else lambda x: identity(x[:4] ** 2)
    J = jacobian(f, mode=mode)(jnp.arange(6.0))
    jax.effects_barrier()
    assert (passes["pushed"], passes["pulled"]) == expected
    assert_close(J, 2 * np.diag(np.arange(6.0))[:4])


def test_chunks_bound_memory():
    """With chunks, what is held besides the Jacobian grows with the chunk and not with the number of inputs."""
    n = 100
    A = jnp.asarray(np.random.default_rng(0).normal(size=(5000, n)))

    def f(x):
        return A.T @ jnp.sin(A @ x)

    def held(**options):
        program = jax.jit(jacobian(f, **options)).lower(jnp.ones(n)).compile(LITTLE_EFFORT)
        return program.memory_analysis().temp_size_in_bytes

    for mode in ("fwd", "rev"):
        assert held(mode=mode, chunk_size=5) < held(mode=mode) / 5


def test_mixed_mode_keeps_nothing_of_a_long_first_stage():
    """Reverse mode keeps the states of a simulation; mixed mode needs no more with ten times the steps."""
    (_, h), *_ = stages(2, 50, 1)

    def simulation(p, steps):
        def step(y, _):
            return y + 0.01 * jnp.sin(p[0] * y + p[1]), None

        return jax.lax.scan(step, jnp.linspace(0, 1, 50), length=steps)[0]

    def held(mode, steps):
        program = jax.jit(jacobian((lambda p: simulation(p, steps), h), mode=mode))
        return program.lower(jnp.ones(2)).compile(LITTLE_EFFORT).memory_analysis().temp_size_in_bytes

    assert held("mixed", 10_000) < 1.5 * held("mixed", 1000)
    assert held("rev", 10_000) > 5 * held("rev", 1000)


# Expressions of x, by SymPy's functions or ours; the point is 0.5 + 0.7 t.
EXPRESSIONS = {
    "polynomial": lambda m, x: 3 * x**4 - x**3 / 2 + x * x - 5,
    "quotient": lambda m, x: (x + 2) / (1 + x * x),
    "reciprocal": lambda m, x: 1 / (x - 3),
    "exp": lambda m, x: m.exp(x * x),
    "log": lambda m, x: m.log(1 + x) * x,
    "sin of cos": lambda m, x: m.sin(m.cos(x)),
    "sin times cos": lambda m, x: m.sin(x) * m.cos(x),
    "tan": lambda m, x: m.tan(x),
    "arcs": lambda m, x: m.arctan(x) + m.arcsin(x / 2) - m.arccos(x / 3),
    "hyperbolic": lambda m, x: m.sinh(x) * m.tanh(x) - m.cosh(x),
    "square root": lambda m, x: m.sqrt(1 + x),
    "erf": lambda m, x: m.erf(x),
    "constant powers": lambda m, x: x**2.5 + x**-1.5 + x**0 + x**1.0 + x**0.5,
    "powers": lambda m, x: x**x + 2**x,
    "swell": lambda m, x: functools.reduce(lambda y, _: y * y / 8 + 3 * y / 8 + 0.5, range(4), x),
}
SYMPY = {"arctan": sympy.atan, "arcsin": sympy.asin, "arccos": sympy.acos}


class OfSympy:
    def __getattr__(self, name):
        return SYMPY.get(name) or getattr(sympy, name)


@functools.cache
def coefficients_by_sympy(name, order):
    """Return coefficients from SymPy's derivatives, evaluated to 30 digits."""
    t = sympy.symbols("t")
    expr = sympy.nsimplify(EXPRESSIONS[name](OfSympy(), sympy.Rational(1, 2) + sympy.Rational(7, 10) * t))
    found = []
    for k in range(order + 1):
        found.append(float((expr / sympy.factorial(k)).evalf(30, subs={t: 0})))
        expr = sympy.diff(expr, t)
    return np.array(found)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_series_is_that_of_sympy(name):
    """Coefficients to order 7 on floats, NumPy arrays and JAX arrays, jitted, are those of SymPy."""
    expected = coefficients_by_sympy(name, 7)

    def f(x):
        return EXPRESSIONS[name](primitives, x)

    np.testing.assert_allclose(taylor(f, 0.5, 0.7, 7), expected, rtol=1e-11, atol=1e-13)
    found = taylor(f, np.full(2, 0.5), np.full(2, 0.7), 7)
    assert found.shape == (8, 2)
    np.testing.assert_allclose(found, np.stack([expected, expected], axis=1), rtol=1e-11, atol=1e-13)
    jitted = quick_jit(lambda x, v: taylor(f, x, v, 5))(jnp.array(0.5), jnp.array(0.7))
    np.testing.assert_allclose(jitted, expected[:6], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["exp", "quotient", "swell", "sin of cos"])
def test_series_of_order_thirty(name):
    """High orders are right to roundoff, against mpmath at 60 digits."""
    N, r = 128, 0.5
    with mpmath.workdps(60):
        turns = [mpmath.expjpi(mpmath.mpf(2 * n) / N) for n in range(N)]
        # Cauchy's formula on a circle around 0, where the trapezoidal rule converges geometrically.
        circle = [EXPRESSIONS[name](mpmath, mpmath.mpf("0.5") + mpmath.mpf("0.7") * r * z) for z in turns]
        sums = [mpmath.fsum(y * turns[-k * n % N] for n, y in enumerate(circle)) for k in range(31)]
        expected = [float((s / N / mpmath.mpf(r) ** k).real) for k, s in enumerate(sums)]
    found = taylor(lambda x: EXPRESSIONS[name](primitives, x), 0.5, 0.7, 30)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def by_nested_jvps(f, x, v, order):
    """Return coefficients by JAX, one JVP inside the other."""

    def derivative(k):
        if k == 0:
            return lambda x: f(x)
        inner = derivative(k - 1)
        return lambda x: jax.jvp(inner, (x,), (v,))[1]

    found = compiled(lambda x: [derivative(k)(x) for k in range(order + 1)], x)
    return [jax.tree.map(lambda c, k=k: c / math.factorial(k), c) for k, c in enumerate(found)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_series_of_a_program(name):
    """Every program of the tests, with its loops, branches and linear algebra, has the coefficients of nested JVPs."""
    f, x = program_on(OURS, name), PROGRAMS[name][1]
    expected = by_nested_jvps(STRAIGHT.get(name, program_on(JAX, name)), x, wave(x), 3)
    found = taylor(f, x, wave(x), 3)
    for k in range(4):
        close(jax.tree.map(lambda c, k=k: c[k], found), jax.tree.map(np.asarray, expected[k]))


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(0, 8))
def test_series_obey_the_laws(seed, order):
    """Sum, product (Cauchy) and a scaling of t hold for random smooth functions."""
    a, b, x = np.random.default_rng(seed).uniform(0.3, 1.5, 3)

    def f(x):
        return np.sin(a * x) + np.exp(-b * x)

    def g(x):
        return 1 / (a + x * x)

    def series(h, v=1.0):
        return taylor(h, x, v, order)

    assert_close(series(lambda x: f(x) + 2 * g(x)), series(f) + 2 * series(g))
    assert_close(series(lambda x: f(x) * g(x)), np.convolve(series(f), series(g))[: order + 1])
    assert_close(series(f, -2.0), series(f) * (-2.0) ** np.arange(order + 1))


def test_second_coefficient_is_half_the_curvature():
    """Along v, c_1 is the slope and 2 c_2 is v^T H v."""
    c = taylor(lambda x: primitives.exp(x[0] * x[1]) + primitives.sin(x[2]) * x[0] ** 2 + x[1] ** 3 * x[2], X, V, 2)
    assert_close(c[1], jax.grad(curved)(X) @ V)
    assert_close(2 * c[2], V @ hessian_of_curved(X) @ V)


def test_derivatives_of_a_cube():
    """D13: x^3 at 4 has the value 64 and the derivatives 48, 24, 6 and 0."""
    c = taylor(lambda x: x**3, 4.0, 1.0, 4)
    assert (c * [1, 1, 2, 6, 24]).tolist() == [64.0, 48.0, 24.0, 6.0, 0.0]


def test_polynomial_through_zero():
    """Powers of a series without a constant term are exact: no division by x."""
    assert taylor(lambda x: x**5 + x**2, 0.0, 1.0, 7).tolist() == [0, 0, 1, 0, 0, 1, 0, 0]
    assert taylor(lambda x: x**2.5, 0.0, 1.0, 2).tolist() == [0, 0, 0]
    assert taylor(lambda x: x**3 * x**0, 0.0, 2.0, 3).tolist() == [0, 0, 0, 8]


def test_branch_is_decided_at_the_point():
    """A branch, and a choice entry by entry, follow the value at t = 0."""
    c = taylor(lambda x: x**2 if x > 2 else x**3, 2.0, 1.0, 3)
    assert c.tolist() == [8, 12, 6, 1]
    found = taylor(lambda x: np.where(x > 0, np.maximum(x, 0.5) * x, -x), np.array([1.0, -1.0]), np.ones(2), 2)
    assert found.tolist() == [[1, 1], [2, -1], [1, 0]]


def test_order_zero_is_the_value():
    """The shortest series is the value, with one more axis; a constant has no other terms."""
    assert taylor(np.sin, 0.5, 1.0, 0).tolist() == [math.sin(0.5)]
    assert taylor(lambda x: 3.0, 0.5, 1.0, 2).tolist() == [3.0, 0.0, 0.0]
    assert taylor(lambda x: {"a": x, "b": (x * x,)}, 2.0, 1.0, 1)["b"][0].tolist() == [4.0, 4.0]


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_float32_stays_float32(module):
    """Single precision in, single precision out, right to its roundoff."""
    x, v = (module.asarray(values(3, seed=s).astype(np.float32)) for s in range(2))
    f = lambda x: primitives.exp(primitives.sin(x)) / (1 + x**2) + x**0.5 * primitives.tanh(x)  # noqa: E731
    found = taylor(f, x, v, 4)
    assert found.dtype == np.float32
    assert_close(found, taylor(f, np.asarray(x, float), np.asarray(v, float), 4), 2e-5)


def test_series_under_other_transforms():
    """JAX batches and differentiates series; our own modes differentiate them, and they expand our own modes."""
    f = lambda x: primitives.sin(x) * x  # noqa: E731
    third = lambda x: (-3 * np.sin(x) - x * np.cos(x)) / 6  # noqa: E731
    fourth = lambda x: (-4 * np.cos(x) + x * np.sin(x)) / 6  # noqa: E731
    points = jnp.asarray(values(4))
    found = compiled(jax.vmap(lambda x: taylor(f, x, jnp.ones(()), 3)[3]), points)
    assert_close(found, third(np.asarray(points)))
    assert_close(jax.grad(lambda x: taylor(f, x, 1.0, 3)[3])(0.4), fourth(0.4))
    assert_close(reverse_mode.grad(lambda x: taylor(f, x, 1.0, 3)[3])(0.4), fourth(0.4))
    assert_close(forward_mode.jvp(lambda x: taylor(f, x, 1.0, 3)[3], (0.4,), (1.0,))[1], fourth(0.4))
    for slope in (reverse_mode.grad(f), lambda x: forward_mode.jvp(f, (x,), (1.0,))[1]):
        assert_close(taylor(slope, 0.4, 1.0, 2)[2], 3 * third(0.4))
    inner = lambda x: taylor(lambda y: f(x * y), 1.0, 1.0, 2)[2]  # noqa: E731
    # c_2 of sin(x y) x y in y at 1 is (2 x^2 cos x - x^3 sin x) / 2
    expected = taylor(lambda x: (2 * x**2 * np.cos(x) - x**3 * np.sin(x)) / 2, 0.4, 1.0, 3)
    assert_close(taylor(inner, 0.4, 1.0, 3), expected)


def test_new_primitive_needs_its_jvp_rule_only():
    """A primitive that a reader defines is expanded from its rule, linear or not."""
    cube = primitives.define("cube", lambda x: x**3, jvp=lambda x_dot, y, x: 3 * x**2 * x_dot)
    plain_double = primitives.define("double", lambda x: 2 * x, jvp=lambda x_dot, y, x: plain_double(x_dot))
    double = primitives.define("double", lambda x: 2 * x, jvp=lambda x_dot, y, x: double(x_dot), linear=True)
    erfc = primitives.define("erfc", lambda x: 1 - primitives.erf(x), jvp=lambda d, y, x: -d * primitives.exp(-x * x))
    assert taylor(cube, 2.0, 1.0, 4).tolist() == [8, 12, 6, 1, 0]
    for f in (double, plain_double):
        assert taylor(lambda x, f=f: f(x * x), 3.0, 1.0, 3).tolist() == [18, 12, 2, 0]
    expected = [float(-mpmath.exp(-0.25)), 0.5 * math.exp(-0.25)]
    assert_close(taylor(erfc, 0.5, 1.0, 2)[1:], expected)


def test_program_may_change_its_arrays():
    """A buffer or an index that is written over after its use keeps its old numbers in all terms."""
    numbers, places = np.zeros(2), np.array([0, 1])

    def f(x):
        total = 0.0
        for k in 1.0, 2.0, 3.0:
            numbers[:] = k
            total = total + (x * numbers).sum() * x.sum()
        y = x[places] * x
        places[:] = 0
        return total + y.sum()

    # 6 (x1 + x2)^2 + x1^2 + x2^2 along (1, 1) from (1, 2)
    assert taylor(f, np.array([1.0, 2.0]), np.ones(2), 3).tolist() == [59, 78, 26, 0]


def test_rule_that_asks_for_two_functions_costs_no_more_than_they_are():
    """J_0' = (J_-1 - J_1) / 2 and so on: the Bessel functions of all orders are expanded once each, not 2^K times."""
    calls = []

    def value(x, *, n):
        calls.append(n)
        return float(mpmath.besselj(n, x))

    def rule(x_dot, y, x, *, n):
        return x_dot * (bessel(x, n=n - 1) - bessel(x, n=n + 1)) / 2

    bessel = primitives.define("bessel", value, jvp=rule)
    found = taylor(lambda x: bessel(x, n=0), 0.7, 1.0, 12)
    expected = [float(c) for c in mpmath.taylor(lambda x: mpmath.besselj(0, x), 0.7, 12)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    assert len(calls) == len(set(calls)) <= 25


def test_memory_is_free_after_the_run():
    """Nothing of a run waits for the garbage collector."""
    gc.disable()
    try:
        tracemalloc.start()
        x = np.ones(10_000)
        for _ in range(3):
            taylor(lambda x: np.exp(np.sin(x)) / (1 + x * x), x, x, 5)
        assert tracemalloc.get_traced_memory()[0] < 3 * x.nbytes
    finally:
        tracemalloc.stop()
        gc.enable()


def test_powers_of_every_kind():
    """Exponents of NumPy, one for each entry, and zero among them, give what numbers give, also at 0."""
    for p in (np.float32(0.5), np.float64(2.5), np.int64(-2), np.int64(3)):
        expected = [float(sympy.binomial(sympy.nsimplify(float(p)), k)) * 2.0 ** (float(p) - k) for k in range(5)]
        assert_close(taylor(lambda x, p=p: x**p, 2.0, 1.0, 4), expected)
    found = taylor(lambda x: x ** np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.0, 2.0]), np.ones(3), 3)
    assert found.tolist() == [[1, 0, 8], [0, 0, 12], [0, 1, 6], [0, 0, 1]]


def test_program_runs_once():
    """The program is run at t = 0 only, whatever the order."""
    calls = []

    def f(x):
        calls.append(primitives.plain(x))
        return np.exp(x) * x

    taylor(f, 0.5, 1.0, 12)
    ode_taylor(f, 0.5, 12)
    assert calls == [0.5, 0.5]


def test_work_grows_as_the_square_of_the_order():
    """Products are counted: twice the order, four times the work, where nested JVPs would take 4096 times as much."""

    def products(order):
        program = jax.make_jaxpr(lambda x: taylor(lambda x: primitives.sin(x) * primitives.exp(x), x, 1.0, order))(0.3)
        return sum(equation.primitive.name == "mul" for equation in program.eqns)

    assert 3 < products(24) / products(12) < 4.2


def test_long_program_does_not_recurse():
    """A chain of 20,000 operations is no deeper than a short one."""

    def f(x):
        for _ in range(10_000):
            x = x + 1e-4 * x
        return x

    assert_close(taylor(f, 2.0, 1.0, 2), np.array([2, 1, 0]) * 1.0001**10_000, 1e-10)


# Right-hand side, start, and the coefficients of the solution, known in closed form.
EQUATIONS = {
    "growth": (lambda y: y, 2.0, lambda k: 2.0 / math.factorial(k)),
    "blow-up": (lambda y: y**2, 0.5, lambda k: 0.5 ** (k + 1)),
    "tangent": (
        lambda y: 1 + y * y,
        0.0,
        lambda k: float(sympy.tan(sympy.Symbol("t")).series(n=13).removeO().coeff(sympy.Symbol("t"), k)),
    ),
    "square root": (lambda y: 0.5 / y, 1.0, lambda k: float(sympy.binomial(sympy.Rational(1, 2), k))),
    "constant rate": (lambda y: 3.0 + 0 * y, 1.0, lambda k: [1.0, 3.0][k] if k < 2 else 0.0),
    "no rate": (lambda y: 0.0, 1.0, lambda k: float(k == 0)),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_solution_of_an_equation(name):
    """Coefficients of a solution are those of its closed form, on floats and jitted."""
    f, y, exact = EQUATIONS[name]
    expected = [exact(k) for k in range(13)]
    np.testing.assert_allclose(ode_taylor(f, y, 12), expected, rtol=1e-13, atol=1e-15)
    jitted = quick_jit(lambda y: ode_taylor(f, y, 6))(jnp.asarray(y))
    np.testing.assert_allclose(jitted, expected[:7], rtol=1e-13, atol=1e-15)


def test_solution_of_a_system_in_a_pytree():
    """An oscillator, in a dictionary: cosine and minus sine."""
    c = ode_taylor(lambda s: {"q": s["p"], "p": -s["q"]}, {"q": 1.0, "p": 0.0}, 10)
    expected = [(-1) ** (k // 2) / math.factorial(k) if k % 2 == 0 else 0.0 for k in range(11)]
    np.testing.assert_allclose(c["q"], expected, rtol=1e-14)
    assert ode_taylor(lambda y: y, np.array([1.0, 2.0], np.float32), 3).dtype == np.float32


def test_kepler_orbit_at_order_twenty():
    """Steps of order 20 close an orbit of excentricity 1/2 to 1e-12, after one period."""

    def motion(s):
        q, p = s[:2], s[2:]
        return np.concatenate([p, -q * (q @ q) ** -1.5])

    start = np.array([0.5, 0.0, 0.0, math.sqrt(3)])
    s, t = start, 0.0
    while t < 2 * math.pi:
        c = ode_taylor(motion, s, 20)
        h = min(float(1e-15 / abs(c[20]).max()) ** (1 / 20), 2 * math.pi - t)
        s, t = np.polynomial.polynomial.polyval(h, c), t + h
    assert_close(s, start, 1e-12)


def square(x):
    return x @ x


ARRAY = np.ones(3)
BAD = {
    "hvp mode": (lambda: hvp(square, (ARRAY,), (ARRAY,), mode="fwd"), ValueError, "'fwd_over_rev', 'rev_over_fwd'"),
    "hvp no function": (lambda: hvp(3, (ARRAY,), (ARRAY,)), TypeError, "should be a function. Got 3"),
    "hvp no tuple": (lambda: hvp(square, ARRAY, ARRAY), TypeError, "(x,) and (v,). Got ndarray and ndarray"),
    "hvp nothing": (lambda: hvp(lambda: 1.0, (), ()), TypeError, "one entry for each argument"),
    "hvp shape": (lambda: hvp(square, (ARRAY,), (np.ones(4),)), ValueError, "Got (4,) for (3,)"),
    "hvp structure": (lambda: hvp(square, (ARRAY,), (ARRAY, ARRAY)), ValueError, "the structure of primals"),
    "hvp dtype": (lambda: hvp(square, (ARRAY,), (ARRAY.astype(np.float32),)), TypeError, "Got float32 for float64"),
    "hvp integer tangent": (lambda: hvp(square, (ARRAY,), (np.ones(3, int),)), TypeError, "Got int64"),
    "hvp integers": (lambda: hvp(square, (np.ones(3, int),), (ARRAY,)), TypeError, "Got int64"),
    "hvp complex": (lambda: hvp(square, (1j * ARRAY,), (ARRAY,)), TypeError, "Got complex128"),
    "hvp vector": (lambda: hvp(jnp.sin, (ARRAY,), (ARRAY,)), ValueError, "one number, of shape (). Got shape (3,)"),
    "hvp pair": (lambda: hvp(lambda x: (x[0], x[1]), (ARRAY,), (ARRAY,)), ValueError, "of shape (). Got ((), ())"),
    "hvp dict": (lambda: hvp(lambda x: {"loss": x @ x}, (ARRAY,), (ARRAY,)), ValueError, "Got {'loss': ()}"),
    "hvp nothing out": (lambda: hvp(lambda x: None, (ARRAY,), (ARRAY,)), ValueError, "of shape (). Got None"),
    "hvp integer out": (
        lambda: hvp(lambda x: 3, (ARRAY,), (ARRAY,)),
        TypeError,
        "a real floating point number. Got int",
    ),
    "hvp complex out": (
        lambda: hvp(lambda x: x @ x + 0j, (ARRAY,), (ARRAY,), mode="fwd_over_fwd"),
        TypeError,
        "a real floating point number. Got complex128",
    ),
    "hvp empty": (lambda: hvp(jnp.sum, (np.ones(0),), (np.ones(0),)), ValueError, "should not be empty"),
    "hvp branch": (
        lambda: hvp(lambda x: x[0] if x[0] > 0 else x[1], (ARRAY,), (ARRAY,)),
        TypeError,
        "`higher_order.hvp(f=...)` should be traceable by JAX",
    ),
    "hvp NumPy": (lambda: hvp(lambda x: np.sin(x).sum(), (ARRAY,), (ARRAY,)), TypeError, "written with jax.numpy"),
    "partial half": (
        lambda: mixed_partial(square, 0, 0)(ARRAY.astype(np.float16)),
        TypeError,
        "float32 or float64 in argument i. Got float16",
    ),
    "partial no function": (lambda: mixed_partial(3, 0, 1), TypeError, "should be a function"),
    "partial place": (lambda: mixed_partial(square, 0.5, 0), TypeError, "`higher_order.mixed_partial(i=...)` should"),
    "partial range": (lambda: mixed_partial(square, 0, 1)(ARRAY), ValueError, "one of the 1 arguments. Got 1"),
    "partial tree": (lambda: mixed_partial(lambda p: p["a"], 0, 0)({"a": 1.0}), TypeError, "Got dict"),
    "partial integers": (lambda: mixed_partial(square, 0, 0)(np.ones(3, int)), TypeError, "Got int64"),
    "partial vector": (lambda: mixed_partial(jnp.sin, 0, 0)(ARRAY), ValueError, "Got shape (3,)"),
    "partial empty": (lambda: mixed_partial(jnp.sum, 0, 0)(np.ones(0)), ValueError, "not empty. Got shape (0,)"),
    "partial dtypes": (
        lambda: mixed_partial(lambda x, y: x @ y, 0, 1)(ARRAY, ARRAY.astype(np.float32)),
        TypeError,
        "of one dtype. Got float64, float32",
    ),
    "jacobian mode": (lambda: jacobian(square, mode="forward"), ValueError, "'auto', 'fwd', 'rev', 'mixed'. Got 'forw"),
    "jacobian no function": (lambda: jacobian(3), TypeError, "a function, or a pair of them"),
    "jacobian three": (lambda: jacobian((square,) * 3), TypeError, "a function, or a pair of them"),
    "jacobian mixed": (lambda: jacobian(square, mode="mixed"), ValueError, "where the modes meet"),
    "jacobian chunk": (lambda: jacobian(square, chunk_size=0), ValueError, "at least 1. Got 0"),
    "jacobian half chunk": (lambda: jacobian(square, chunk_size=2.5), TypeError, "should be an integer. Got 2.5"),
    "jacobian integers": (lambda: jacobian(square)(np.ones(3, int)), TypeError, "`higher_order.jacobian(x=...)`"),
    "jacobian integers between": (
        lambda: jacobian((lambda x: (x, jnp.arange(2)), lambda p: p[0].sum()), mode="mixed")(np.ones(2)),
        TypeError,
        "(g(x)=...)` should hold floats of one dtype",
    ),
    "jacobian complex": (lambda: jacobian(lambda x: 1j * x)(np.ones(2)), TypeError, "real numbers. Got complex128"),
    "jacobian empty": (lambda: jacobian(square)(np.ones(0)), ValueError, "should not be empty"),
    "jacobian nothing out": (lambda: jacobian(lambda x: x[:0])(ARRAY), ValueError, "at least one number. Got none"),
    "taylor order": (lambda: taylor(np.sin, 0.5, 1.0, -1), ValueError, "(order=...)` should be at least 0. Got -1"),
    "taylor half order": (lambda: taylor(np.sin, 0.5, 1.0, 1.5), TypeError, "should be an integer. Got 1.5"),
    "taylor no function": (lambda: taylor(3, 0.5, 1.0, 1), TypeError, "should be a function"),
    "taylor shape": (lambda: taylor(np.sin, ARRAY, np.ones(4), 1), ValueError, "the shape of x, (3,). Got (4,)"),
    "taylor structure": (lambda: taylor(np.sin, ARRAY, (ARRAY,), 1), ValueError, "the structure of x"),
    "taylor integers": (lambda: taylor(np.sin, 1, 1.0, 1), TypeError, "Got int64"),
    "taylor integer direction": (lambda: taylor(np.sin, 1.0, 1, 1), TypeError, "`higher_order.taylor(v=...)`"),
    "taylor other library": (lambda: taylor(jnp.sin, 1.0, 1.0, 1), TypeError, "instead of jax.numpy"),
    "taylor no rule": (lambda: taylor(np.fft.fft, ARRAY, ARRAY, 1), TypeError, "has no rule for traced values"),
    "ode order": (lambda: ode_taylor(np.sin, 0.5, -2), ValueError, "`higher_order.ode_taylor(order=...)` should"),
    "ode shape": (lambda: ode_taylor(lambda y: y[:2], ARRAY, 2), ValueError, "Got PyTreeDef(*) with [(2,)]"),
    "ode structure": (lambda: ode_taylor(lambda y: (y, y), ARRAY, 2), ValueError, "the structure and shapes of y"),
    "ode integers": (lambda: ode_taylor(np.sin, 1, 2), TypeError, "`higher_order.ode_taylor(y=...)`"),
}


@pytest.mark.parametrize("call, kind, words", BAD.values(), ids=BAD)
def test_bad_input_gets_a_clear_error(call, kind, words):
    """The error names the call, what it should be given, and what it got."""
    with pytest.raises(kind, match=re.escape(words)):
        call()


def test_series_that_leaks_is_refused():
    """A series that outlives its run says so when it is used."""
    kept = []
    taylor(lambda x: kept.append(x) or x, 0.5, 1.0, 1)
    assert isinstance(kept[0], Series)
    with pytest.raises(ValueError, match=r"traced by a `higher_order.taylor` that has finished"):
        kept[0] * 2.0
