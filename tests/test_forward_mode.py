"""Forward mode against JAX's transforms, closed forms, and the law that ties it to reverse mode."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import JAX, NUMPY, OURS, PROGRAMS, close, compiled, on, program_on, reference, summed, values

from autodiff_tutorial import primitives
from autodiff_tutorial.forward_mode import Dual, jacfwd, jvp
from autodiff_tutorial.reverse_mode import grad, vjp

FLOAT32 = ["elementary_functions", "broadcasting", "extremes", "linear_solve", "logistic_regression", "choice_where"]


def wave(tree, phase=1.0):
    """Return a direction of the shape of a pytree."""
    return jax.tree.map(lambda x: np.cos(phase + np.arange(np.size(x)).reshape(np.shape(x)))[()], tree)


def along(J, x, x_dot):
    """Apply a Jacobian in blocks, of JAX, to a tangent."""
    outer = jax.tree.structure(jax.tree.map(lambda leaf: 0, x))

    def product(blocks):
        parts = zip(jax.tree.leaves(blocks), jax.tree.leaves(x_dot), strict=True)
        return sum(np.tensordot(block, dot, axes=np.ndim(dot)) for block, dot in parts)

    return jax.tree.map(product, J, is_leaf=lambda blocks: jax.tree.structure(blocks) == outer)


@pytest.mark.parametrize("xp", [OURS, NUMPY], ids=["primitives", "numpy"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_on_numpy(name, xp):
    """Values, tangents and Jacobians of the programs, also when they call NumPy's functions, are those of JAX."""
    f, x = program_on(xp, name), PROGRAMS[name][1]
    value, J, *_ = reference(name)
    y, y_dot = jvp(f, (x,), (wave(x),))
    close(y, value)
    close(y_dot, jax.tree.map(np.asarray, along(J, x, wave(x))))
    close(jacfwd(f)(x), J)


@pytest.mark.parametrize("name", FLOAT32)
@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_program_in_float32(name, module):
    """Numbers of single precision have tangents of single precision, right to its roundoff."""
    _, x = PROGRAMS[name]
    x32 = on(module, jax.tree.map(lambda leaf: np.asarray(leaf, np.float32)[()], x))
    push = lambda x: jvp(program_on(OURS, name), (x,), (wave(x),))  # noqa: E731
    y, y_dot = push(x32) if module is np else compiled(push, x32)
    expected = along(reference(name)[1], x, wave(x))
    for found, exact in zip(jax.tree.leaves(y_dot), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(found, float), exact, rtol=0, atol=3e-5 * abs(np.asarray(exact)).max())
    assert jax.tree.map(lambda leaf: leaf.dtype, y_dot) == jax.tree.map(lambda leaf: leaf.dtype, y)


NARROW = ["sin", "cos", "tan", "exp", "log", "sqrt", "arcsin", "sigmoid", "erf", "absolute", "square", "negative"]
NARROW += ["sum", "mean", "max", "logsumexp", "prod"]


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_float32_stays_float32(module, shape):
    """Every elementwise function and reduction keeps single precision, in value and tangent."""
    x = module.asarray(values(*shape).astype(np.float32))[()]
    for name in NARROW:
        for part in jvp(getattr(primitives, name), (x,), (1.0 + 0 * x,)):
            assert part.dtype == np.float32, name
    for part in jvp(lambda x: 2 * x**2 + x / 3 - 1 + primitives.maximum(x, 0) + x**0.5, (x,), (x,)):
        assert part.dtype == np.float32


def test_dual_numbers_of_the_textbook():
    """In x1 x2 + x2 at (2, 4) the tangents of x1 and x2 add up as the product rule says."""
    f = lambda x1, x2: x1 * x2 + x2  # noqa: E731
    assert jvp(f, (2.0, 4.0), (1.0, 0.0)) == (12, 4)
    assert jvp(f, (2.0, 4.0), (0.0, 1.0)) == (12, 3)
    shown = []
    jvp(lambda x: shown.append((repr(x * x), type(x), x.primal, x.tangent)) or x, (3.0,), (1.0,))
    assert shown == [(f"Dual({np.float64(9.0)!r}, {np.float64(6.0)!r})", Dual, 3, 1)]


SMOOTH = ["sin", "cos", "tan", "exp", "log", "sqrt", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "erf"]


@pytest.mark.parametrize("name", [*SMOOTH, "expm1", "log1p"])
def test_elementary_functions_to_fifty_digits(name):
    """First and second derivatives agree with those of mpmath at 50 digits."""
    exact = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(name, name)
    with mpmath.workdps(50):
        expected = [float(mpmath.diff(getattr(mpmath, exact), mpmath.mpf("0.625"), n)) for n in (1, 2)]
    slope = lambda x: jvp(getattr(primitives, name), (x,), (1.0,))[1]  # noqa: E731
    assert slope(0.625) == pytest.approx(expected[0], rel=1e-14)
    assert jvp(slope, (0.625,), (1.0,))[1] == pytest.approx(expected[1], rel=1e-13)


SMALL = st.integers(0, 10**6)
UNARY = {
    "sin": lambda xp, a: xp.sin(a),
    "tanh": lambda xp, a: xp.tanh(a),
    "bell": lambda xp, a: xp.exp(-(a**2)),
    "log1p of square": lambda xp, a: xp.log1p(a * a),
    "root": lambda xp, a: xp.sqrt(1 + a**2),
    "arctan": lambda xp, a: xp.arctan(a),
    "sigmoid": lambda xp, a: xp.sigmoid(-a),
    "erf": lambda xp, a: xp.erf(a / 2),
    "sum of rows": lambda xp, a: xp.sum(a, axis=-1, keepdims=True) / 3,
    "mean of columns": lambda xp, a: xp.mean(a, axis=0, keepdims=True),
    "largest": lambda xp, a: xp.max(a, axis=1, keepdims=True),
    "logsumexp": lambda xp, a: xp.logsumexp(a, axis=0, keepdims=True),
    "running sums": lambda xp, a: xp.cumsum(xp.sin(a), axis=-1),
    "transpose": lambda xp, a: a.T,
    "middle": lambda xp, a: xp.broadcast_to(a, (3, 3))[1:2, ::-1],
    "rolled": lambda xp, a: xp.roll(a, 1, axis=0),
    "product": lambda xp, a: xp.reshape(xp.prod(xp.cos(a), axis=0), (1, -1)),
}
BINARY = {
    "add": lambda xp, a, b: a + b,
    "subtract": lambda xp, a, b: a - 2 * b,
    "multiply": lambda xp, a, b: xp.sin(a) * b,
    "divide": lambda xp, a, b: a / (2 + xp.cos(b)),
    "power": lambda xp, a, b: (1.5 + xp.sin(a)) ** xp.cos(b),
    "logaddexp": lambda xp, a, b: xp.logaddexp(a, b),
    "angle": lambda xp, a, b: xp.arctan2(a, 1 + b * b),
    "choice": lambda xp, a, b: xp.where(a > b, a, b * b / 9),
    "matmul": lambda xp, a, b: xp.matmul(xp.broadcast_to(xp.sin(a), (3, 3)), xp.broadcast_to(xp.cos(b), (3, 3))),
    "concatenate": lambda xp, a, b: xp.concatenate([xp.broadcast_to(a, (3, 3))[:1], xp.broadcast_to(b, (3, 3))[1:]]),
}
STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), SMALL),
    st.tuples(st.sampled_from(sorted(BINARY)), SMALL, SMALL),
)


def random_program(xp, steps):
    """Return a function of a matrix, a row and a column that applies the steps to results of earlier ones."""

    def f(*inputs):
        results = list(inputs)
        for name, *places in steps:
            chosen = [results[len(results) - 1 - place % min(len(results), 3)] for place in places]
            results.append(xp.broadcast_to((UNARY | BINARY)[name](xp, *chosen), (3, 3)))
        return results[-1]

    return f


@given(st.lists(STEPS, min_size=2, max_size=7), st.integers(0, 99))
def test_random_programs(steps, seed):
    """Tangents are those of jax.jvp, cotangents those of jax.vjp, and the two modes obey the dot-product law."""
    shapes = [(3, 3), (1, 3), (3, 1)]
    x = tuple(2 * values(*shape, seed=seed + i) - 1 for i, shape in enumerate(shapes))
    x_dot = wave(x)
    ours, twin = random_program(OURS, steps), random_program(JAX, steps)
    y, y_dot = jvp(ours, x, x_dot)
    y_bar = wave(y, phase=2.0)
    x_bar = vjp(ours, *x)[1](y_bar)
    expected = compiled(lambda x: (jax.jvp(twin, x, x_dot), jax.vjp(twin, *x)[1](y_bar)), x)
    close(((y, y_dot), x_bar), expected)
    left, right = np.sum(y_bar * y_dot), sum(np.sum(bar * dot) for bar, dot in zip(x_bar, x_dot, strict=True))
    size = np.sum(abs(y_bar * y_dot)) + sum(np.sum(abs(bar * dot)) for bar, dot in zip(x_bar, x_dot, strict=True))
    assert abs(left - right) <= 1e-13 * size


@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 99))
def test_jvp_is_linear_in_the_tangent(a, b, seed):
    """J (a u + b v) is a J u + b J v."""
    f = program_on(OURS, "two_layer_network")
    x = PROGRAMS["two_layer_network"][1]
    u, v = wave(x, seed), wave(x, seed + 0.5)
    push = lambda x_dot: jvp(f, (x,), (x_dot,))[1]  # noqa: E731
    together = push(jax.tree.map(lambda u, v: a * u + b * v, u, v))
    assert together == pytest.approx(a * push(u) + b * push(v), rel=1e-12, abs=1e-14)


def test_jacobian_under_jit_and_vmap():
    """Jacobians by columns of a function R^3 to R^2 agree with JAX's under jit, and mapped over a batch."""

    def f(xp, x):
        return xp.stack([xp.sin(x[0] * x[1]) + x[2] ** 3, xp.exp(x[2] - x[0]) / (2 + xp.cos(x[1]))])

    points, ours = values(4, 3), jacfwd(functools.partial(f, OURS))
    close(jax.jit(ours)(points[0]), jax.jacfwd(functools.partial(f, JAX))(points[0]))
    close(jax.vmap(ours)(points), jax.vmap(jax.jacfwd(functools.partial(f, JAX)))(points))


@pytest.mark.parametrize("argnums", [0, 1, 2, -1, -3])
def test_jacobian_by_any_argument(argnums):
    """`argnums` counts from either end, and keyword arguments pass through."""
    f = lambda a, b, c, *, power=1: a * b**2 * c[0] ** power  # noqa: E731
    args = (values(2), values(2, seed=1), values(2, seed=2))
    close(jacfwd(f, argnums=argnums)(*args, power=3), jax.jacfwd(lambda *x: f(*x, power=3), argnums=argnums % 3)(*args))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_jacobian_of_nothing_is_empty(module):
    """An empty argument, or an empty result, has a Jacobian without entries and with the right shape."""
    assert jacfwd(lambda x: x * np.ones((2, 1)))(module.ones(0)).shape == (2, 0, 0)
    assert jacfwd(lambda x: x[:0])(module.ones(3)).shape == (0, 3)


def test_arguments_that_do_not_count_have_zero_tangents():
    """Results that do not depend on the arguments have a tangent of zeros of their own shape and dtype."""
    constant = np.ones((2, 1), np.float32)
    _, y_dot = jvp(lambda x: {"a": constant, "b": (x * 0.0, 3.0)}, (values(3),), (values(3),))
    assert y_dot["a"].shape == (2, 1)
    assert y_dot["a"].dtype == np.float32
    assert not y_dot["a"].any()
    assert y_dot["b"][1] == 0
    close(jacfwd(lambda x: constant)(values(3)), np.zeros((2, 1, 3), np.float32))


def test_results_own_their_memory():
    """Writing to a result changes neither the arguments nor another result."""
    for f in (
        lambda x: x,
        lambda x: (x + 1, x - 2.0),
        lambda x: (x[1:], x.T),
        lambda x: primitives.broadcast_to(x, (2, 3)),
    ):
        x, x_dot = values(3), values(3, seed=1)
        results = jax.tree.leaves(jvp(f, (x,), (x_dot,)))
        copies = [np.array(part) for part in [*results, x, x_dot]]
        for part in results:
            assert part.flags.writeable
            before = part.copy()
            part += 1
            for other, copy in zip([*results, x, x_dot], copies, strict=True):
                np.testing.assert_array_equal(other, copy + 1 if other is part else copy)
            part[...] = before


def test_memory_does_not_grow_with_the_chain():
    """A chain of 10^5 operations has the right tangent, in the memory of a few numbers."""
    import tracemalloc

    def f(x):
        for _ in range(100_000):
            x = primitives.sin(x)
        return x

    tracemalloc.start()
    _, slope = jvp(f, (1.0,), (1.0,))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    expected, x = 1.0, 1.0
    for _ in range(100_000):
        expected, x = expected * math.cos(x), math.sin(x)
    assert slope == pytest.approx(expected, rel=1e-10)


X = np.array([1.0, 2.0])
BAD_CALLS = {
    "no function": (
        lambda: jvp(3, (1.0,), (1.0,)),
        TypeError,
        "`forward_mode.jvp(f=...)` should be a function. Got 3.",
    ),
    "no tuple": (lambda: jvp(np.sin, 1.0, 1.0), TypeError, "should be tuples, with one entry for each argument of f"),
    "integer": (lambda: jvp(np.sin, (1,), (1,)), TypeError, "floating point numbers. Got int"),
    "integers": (lambda: jvp(np.sin, (np.arange(3),), (X,)), (TypeError, ValueError), "`forward_mode.jvp("),
    "bool": (lambda: jvp(np.sin, (True,), (1.0,)), TypeError, "floating point numbers. Got bool"),
    "complex": (lambda: jvp(np.sin, (1j,), (1.0,)), TypeError, "complex128. Only real functions"),
    "string": (lambda: jvp(np.sin, ("x",), (1.0,)), TypeError, "or pytrees of those. Got str"),
    "integer tangent": (lambda: jvp(np.sin, (1.0,), (1,)), TypeError, "tangents=...)` should be"),
    "shape": (lambda: jvp(np.sin, (X,), (np.ones(3),)), ValueError, "Got (3,) for (2,)"),
    "number for array": (lambda: jvp(np.sin, (X,), (1.0,)), ValueError, "should have the shapes of primals"),
    "structure": (lambda: jvp(lambda x: x[0], ([X],), ((X,),)), ValueError, "should have the structure of primals"),
    "two tangents": (lambda: jvp(np.sin, (X,), (X, X)), ValueError, "should have the structure of primals"),
    "integer result": (
        lambda: jvp(lambda x: 3, (1.0,), (1.0,)),
        TypeError,
        "floating point numbers. Got int",
    ),
    "bool result": (lambda: jvp(lambda x: x > 0, (X,), (X,)), TypeError, "Got bool"),
    "string result": (lambda: jvp(lambda x: "x", (1.0,), (1.0,)), TypeError, "Got str"),
    "complex result": (lambda: jvp(lambda x: x * 1j, (X,), (X,)), TypeError, "complex128. Only real functions"),
    "argnums": (
        lambda: jacfwd(np.sin, argnums=1)(X),
        ValueError,
        "`forward_mode.jacfwd(argnums=...)` should number one",
    ),
    "argnums below": (
        lambda: jacfwd(np.sin, argnums=-2)(X),
        ValueError,
        "should number one of the 1 arguments. Got -2",
    ),
    "jacfwd integer": (lambda: jacfwd(np.sin)(3), TypeError, "`forward_mode.jacfwd(f)(...)` should be"),
}


@pytest.mark.parametrize("call, error, words", BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_call_is_refused(call, error, words):
    """Arguments, tangents and results that cannot be differentiated are refused, with what was given."""
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_value_of_a_finished_run_is_refused():
    """A dual that was stored is refused by operations, by later runs, and as their result."""
    stored = []
    jvp(lambda x: stored.append(x) or x * x, (2.0,), (1.0,))
    (stale,) = stored
    words = "traced by a `forward_mode.jvp` that has finished. Return it"
    for use in (
        lambda: stale * 2,
        lambda: jvp(lambda x: x * stale, (1.0,), (1.0,)),
        lambda: grad(lambda x: x * stale)(1.0),
        lambda: jvp(lambda x: stale, (1.0,), (1.0,)),
        lambda: jvp(lambda x: x, (stale,), (1.0,)),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            use()


def test_summed_program_has_the_slope_of_its_gradient():
    """The tangent of a number is the gradient times the direction."""
    x = PROGRAMS["network_of_named_parameters"][1]
    _, slope = jvp(summed(program_on(OURS, "network_of_named_parameters")), (x,), (wave(x),))
    gradient = reference("network_of_named_parameters")[2]
    expected = sum(np.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(wave(x)), strict=True))
    assert slope == pytest.approx(float(expected), rel=1e-12)
