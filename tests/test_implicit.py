"""Implicit differentiation: all modes and orders against closed forms, any solver, and failure that is told."""

import functools
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.scipy.sparse.linalg import gmres
from programs import LITTLE_EFFORT, quick_jit

from autodiff_tutorial import implicit

TOLERANCE = {"float32": 2e-4, "float64": 1e-9}


def close(x, y, dtype="float64"):
    scale = np.abs(y).max() or 1.0
    return np.shape(x) == np.shape(y) and np.allclose(x, y, rtol=0, atol=TOLERANCE[dtype] * scale)


def reversed_twice(f):
    return jax.jacrev(jax.jacrev(f))


def along(f):
    return jax.jacfwd(jax.jacfwd(f))


ORDERS = {
    "value": lambda f: f,
    "forward": jax.jacfwd,
    "reverse": jax.jacrev,
    "forward over reverse": jax.hessian,
    "forward over forward": along,
    "reverse over reverse": reversed_twice,
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f)),
    "third": lambda f: jax.jacfwd(jax.jacrev(jax.jacfwd(f))),
}


def root(fn, y0, **options):
    return lambda a: implicit.root(fn, y0, a, **options).y


def bisected(fn, lower, upper):
    return lambda a: implicit.root(fn, 1.0, a, method="bisection", bracket=(lower, upper)).y


# A function of one number, where, and its value with three derivatives in closed form.
SCALARS = {
    "square root, bisected": (bisected(lambda y, a: y**2 - a, 0.0, 9.0), 4.0, [2, 1 / 4, -1 / 32, 3 / 256]),
    "Lambert W": (
        root(lambda y, a: y * jnp.exp(y) - a, 0.5), np.e, [1, 0.5 / np.e, -3 / 8 / np.e**2, 19 / 32 / np.e**3],
    ),
    "Babylonian fixed point": (
        lambda a: implicit.fixed_point(lambda y, a: (y + a / y) / 2, 1.0, a).y, 4.0, [2, 1 / 4, -1 / 32, 3 / 256],
    ),
    "arcsinh, a minimum": (
        lambda a: implicit.argmin(lambda y, a: jnp.cosh(y) - a * y, 0.0, a).y, 0.75, [np.log(2), 0.8, -0.384, 0.04096],
    ),
}  # fmt: skip


@pytest.mark.parametrize("f, a, truth", SCALARS.values(), ids=SCALARS)
def test_scalar_solutions_have_all_derivatives(f, a, truth):
    """Value, first, second and third derivative, in every mixture of modes, are those of the closed form."""
    ranks = {"value": 0, "forward": 1, "reverse": 1, "third": 3}
    found = quick_jit(lambda a: {order: transform(f)(a) for order, transform in ORDERS.items()})(a)
    wrong = [order for order, y in found.items() if not close(y, truth[ranks.get(order, 2)])]
    assert not wrong


def test_a27_the_root_of_a_cubic_by_bisection():
    """The derivative in the factor is the published one in float32, and the theorem's in float64."""
    f = bisected(lambda x, factor: factor * x**3 - x - 2, 1.0, 2.0)
    x, slope = quick_jit(jax.value_and_grad(f))(2.0)
    assert abs(slope - -0.22139914) < 1e-7
    assert abs(slope + x**3 / (6 * x**2 - 1)) < 1e-14


@pytest.mark.parametrize("method", ["anderson", "newton", "picard"])
def test_a26_a_fixed_point_and_its_jvp(method):
    """Whatever finds z = a cos z, its tangent is cos z / (1 + a sin z)."""
    found, tangent = quick_jit(
        lambda a: jax.jvp(
            lambda a: implicit.fixed_point(lambda z, a: a * jnp.cos(z), 0.5, a, method=method), (a,), (1.0,)
        )
    )(1.0)
    z = 0.7390851332151607
    assert abs(found.y - z) < 1e-10
    assert abs(tangent.y - np.cos(z) / (1 + np.sin(z))) < 1e-9


def coupled(y, a):
    """Return a residual of three equations that are neither linear nor symmetric, with two parameters."""
    W = jnp.array([[0.1, 0.4, -0.2], [-0.3, 0.2, 0.1], [0.2, -0.1, 0.3]])
    return y + a["scale"] * jnp.tanh(W @ y) - a["drive"] * jnp.array([1.0, 2.0, 3.0])


def dense(a):
    """Return the solution by two Newton steps from a place next to it: they have its derivatives up to the third."""
    y = jnp.array([0.3217129793, 0.7002278959, 0.9997701835])
    for _ in range(2):
        y = y - jnp.linalg.solve(jax.jacfwd(coupled)(y, a), coupled(y, a))
    return y


AT = {"scale": jnp.float64(0.7), "drive": jnp.float64(0.4)}
THREE = ("reverse", "forward over reverse", "reverse over reverse")


@functools.cache
def truth_of(order):
    return quick_jit(ORDERS[order](lambda a: jnp.sum(jnp.sin(dense(a)))))(AT)


# Krylov methods take seconds to compile at second order: once is enough, since the rule does not look at the method.
METHODS = [*[("dense", order) for order in THREE], ("gmres", THREE[2]), ("bicgstab", "reverse")]


@pytest.mark.parametrize("linear_solve, order", METHODS)
def test_systems_have_all_derivatives(linear_solve, order):
    """Gradients and Hessians of a system agree with those of unrolled Newton steps, whatever solves the systems."""

    def f(a):
        return jnp.sum(jnp.sin(implicit.root(coupled, jnp.zeros(3), a, linear_solve=linear_solve).y))

    ours = quick_jit(ORDERS[order](f))(AT)
    assert jax.tree.all(jax.tree.map(close, ours, truth_of(order)))


def test_reverse_mode_works_with_gmres_where_custom_root_does_not():
    """JAX's own `custom_root` cannot transpose GMRES; ours need not."""

    def theirs(a):
        def newton(F, y):
            return jax.lax.fori_loop(0, 10, lambda i, y: y - jnp.linalg.solve(jax.jacfwd(F)(y), F(y)), y)

        return jax.lax.custom_root(
            lambda y: coupled(y, a), jnp.zeros(3), newton, lambda matvec, b: gmres(matvec, b, tol=1e-12)[0]
        ).sum()

    with pytest.raises(NotImplementedError):
        jax.grad(theirs)(AT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(dtype):
    """The solution and its derivative have the dtype of the start."""
    f = functools.partial(implicit.root, lambda y, a: y**3 - a)
    value, slope = quick_jit(jax.value_and_grad(lambda a: f(jnp.ones((), dtype), a).y))(jnp.asarray(8.0, dtype))
    assert value.dtype == slope.dtype == dtype
    assert close(value, 2.0, dtype)
    assert close(slope, 1 / 12, dtype)


def test_pytrees_of_every_kind():
    """A solution may be a dictionary, args hold tuples, None, integers and booleans, which have no derivative."""

    def fn(y, args):
        (p, power), other = args["pair"], args["flag"]
        return {"u": y["u"] ** power - p, "v": y["v"] - jnp.where(other, y["u"], 0.0)}

    def f(p):
        args = {"pair": (p, 3), "flag": True, "none": None}
        return implicit.root(fn, {"u": jnp.ones(()), "v": jnp.zeros(2)}, args, linear_solve="dense").y["v"]

    assert close(quick_jit(jax.jacrev(f))(8.0), np.full(2, 1 / 12))


def test_closures_are_differentiated():
    """What fn closes over counts as args do, under grad of jit and under vmap, integers too."""

    def f(a, power):
        return implicit.root(lambda y, _: y**power - a, 1.0, ()).y

    assert close(jax.grad(f)(8.0, 3), 1 / 12)
    assert close(jax.grad(jax.jit(f))(8.0, 3), 1 / 12)
    assert close(quick_jit(jax.vmap(jax.grad(f), (None, 0)))(4.0, jnp.array([1, 2])), [1, 1 / 4])


def test_inner_rules_and_loops_are_respected():
    """An equation may hold a custom rule and a scan of its own."""

    @jax.custom_jvp
    def cube(y):
        return jax.lax.stop_gradient(y**3)

    cube.defjvp(lambda primals, tangents: (cube(*primals), 3 * primals[0] ** 2 * tangents[0]))

    def fn(y, a):
        return jax.lax.scan(lambda c, _: (c, None), cube(y), None, length=2)[0] - a

    assert close(quick_jit(jax.hessian(root(fn, 1.0)))(8.0), -2 / 9 * 8 ** (-5 / 3))


def test_only_y_moves():
    """The start has no influence on the derivative, and the other fields have none."""

    def fields(a, y0):
        return implicit.root(lambda y, a: y**2 - a, y0, a)._replace(converged=None, n_steps=None)

    slopes = jax.jacfwd(fields, argnums=(0, 1))(4.0, 1.5)
    assert close(slopes.y[0], 1 / 4)
    assert slopes.y[1] == slopes.residual[0] == slopes.residual[1] == 0


def test_rows_of_a_batch_are_as_alone():
    """Rows that take different numbers of steps have the values and gradients that they have alone."""
    a = jnp.array([1.01, 4.0, 1e8])
    f = functools.partial(implicit.root, lambda y, a: y**2 - a, 1.0)
    found = jax.jit(jax.vmap(f))(a)
    assert len(set(found.n_steps.tolist())) == 3
    assert found.y.tolist() == [float(f(row).y) for row in a]
    assert close(jax.jit(jax.vmap(jax.grad(lambda a: f(a).y)))(a) * 2 * np.sqrt(a), np.ones(3))


def rod(y, a):
    around = jnp.pad(y, 1)
    return y**3 + 4 * y - around[:-2] - 2 * around[2:] - a


def test_a_large_banded_root_needs_no_matrix():
    """Of 10^5 unknowns, JVP and VJP agree with a banded solution, where a matrix would take 80 GB."""
    n = 100_000
    a, a_dot, y_bar = jnp.asarray(np.random.default_rng(0).uniform(1, 2, size=(3, n)))
    f = functools.partial(implicit.root, rod, jnp.zeros(n), linear_solve="bicgstab")

    @jax.jit
    def both(a):
        y, tangent = jax.jvp(lambda a: f(a).y, (a,), (a_dot,))
        return y, tangent, jax.vjp(lambda a: f(a).y, a)[1](y_bar)[0]

    y, tangent, cotangent = both(a)
    bands = np.stack([np.full(n, -2.0), 4 + 3 * np.asarray(y) ** 2, np.full(n, -1.0)])
    assert close(tangent, scipy.linalg.solve_banded((1, 1), bands, np.asarray(a_dot)))
    assert close(cotangent, scipy.linalg.solve_banded((1, 1), bands[::-1], np.asarray(y_bar)))


def test_memory_does_not_grow_with_the_steps():
    """The gradient needs the same memory for any number of steps, a few vectors, where unrolling keeps each."""
    n = 1000

    def step(y, a):
        return y - rod(y, a) / 12

    def ours(a, steps):
        return implicit.fixed_point(step, a, a, method="picard", max_steps=steps).y.sum()

    def unrolled(a, steps):
        return jax.lax.scan(lambda y, _: (step(y, a), None), a, None, length=steps)[0].sum()

    def memory(f, steps):
        compiled = jax.jit(jax.grad(lambda a: f(a, steps))).lower(jnp.ones(n)).compile(LITTLE_EFFORT)
        return compiled.memory_analysis().temp_size_in_bytes

    assert memory(ours, 10) == memory(ours, 10_000) < 100 * 8 * n
    assert memory(unrolled, 1000) > 50 * memory(unrolled, 10)


def ridge(X, t, s):
    return jnp.linalg.solve(X.T @ X + jnp.exp(s) * jnp.eye(X.shape[1]), X.T @ t)


def test_a_minimum_moves_as_in_closed_form():
    """Ridge regression: the coefficients, their Jacobian in the data, and two derivatives in the penalty."""
    X, t = np.random.default_rng(1).normal(size=(12, 3)), np.arange(12.0)

    def ours(t, s):
        return implicit.argmin(
            lambda w, a: jnp.sum((X @ w - a[0]) ** 2) + jnp.exp(a[1]) * w @ w, jnp.zeros(3), (t, s)
        ).y

    transforms = jax.jacrev, lambda f: jax.jacfwd(jax.jacfwd(f, argnums=1), argnums=1)
    functions = ours, functools.partial(ridge, X)
    both = quick_jit(lambda t, s: [[transform(f)(t, s) for transform in transforms] for f in functions])
    for found, expected in zip(*both(t, 0.3), strict=True):
        assert close(found, expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_tangents_are_linear_and_have_their_transpose(seed):
    """<y_bar, J a_dot> = <J^T y_bar, a_dot>, and J (2 a_dot - b_dot) = 2 J a_dot - J b_dot, for random contractions."""
    random = np.random.default_rng(seed)
    W = random.normal(size=(4, 4))
    a, a_dot, b_dot, y_bar = random.normal(size=(4, 4))
    first, second, combined, a_bar = _laws()(0.8 * W / np.linalg.norm(W, 2), a, a_dot, b_dot, y_bar)
    assert np.isclose(y_bar @ first, a_bar @ a_dot, rtol=0, atol=1e-9)
    assert np.allclose(combined, 2 * first - second, rtol=0, atol=1e-9)


@functools.cache
def _laws():
    @quick_jit
    def laws(W, a, a_dot, b_dot, y_bar):
        def f(a):
            return implicit.fixed_point(lambda y, a: jnp.tanh(W @ y + a), jnp.zeros(4), a, linear_solve="dense").y

        push, pull = jax.linearize(f, a)[1], jax.vjp(f, a)[1]
        return push(a_dot), push(b_dot), push(2 * a_dot - b_dot), pull(y_bar)[0]

    return laws


FAILURES = {
    "a turn": (lambda a: implicit.root(lambda y, a: y**2 - a, 1.0, a), 0.0),
    "no solution": (lambda a: implicit.root(lambda y, a: y**2 + a, 0.3, a), 1.0),
    "few steps": (lambda a: implicit.root(lambda y, a: y**3 - a, 1.0, a, max_steps=2), 9.0),
    "an expanding map": (lambda a: implicit.fixed_point(lambda y, a: 2 * y + a, 0.0, a, method="picard"), 1.0),
    "no change of sign": (
        lambda a: implicit.root(lambda y, a: y**2 + a, 1.0, a, method="bisection", bracket=(0.0, 1.0)), 1.0,
    ),
    "a pole": (lambda a: implicit.root(lambda y, a: a / y, 1.0, a, method="bisection", bracket=(-1.0, 2.0)), 1.0),
    "a pole where y is 1": (
        lambda a: implicit.root(lambda y, a: a / (y - 1), 1.0, a, method="bisection", bracket=(0.0, 3.0)), 1.0,
    ),
    "a step": (
        lambda a: implicit.root(lambda y, a: a * jnp.sign(y - 0.4), 0.0, a, method="bisection", bracket=(-1, 2)), 1.0,
    ),
    "a jump": (
        lambda a: implicit.root(lambda y, a: jnp.sign(y) + y - a, 1.0, a, method="bisection", bracket=(-1.0, 2.0)), 0.5,
    ),
    "a kink": (
        lambda a: implicit.root(
            lambda y, a: jnp.where(y > 1, 1.5, 1.0) * (y - 1) - a, 0.0, a, method="bisection", bracket=(0.0, 3.0)
        ), 0.0,
    ),
    "a flat cubic": (
        lambda a: implicit.root(lambda y, a: y**3 - a, 1.0, a, method="bisection", bracket=(-1.0, 2.0)), 0.0,
    ),
    "a flat minimum": (lambda a: implicit.argmin(lambda y, a: y**4 - a * y, 1.0, a), 0.0),
    "unbounded below": (lambda a: implicit.argmin(lambda y, a: a * y, 1.0, a), 1.0),
}  # fmt: skip


@pytest.mark.parametrize("solve, a", FAILURES.values(), ids=FAILURES)
def test_failure_shows_in_the_result_and_in_the_derivative(solve, a):
    """What has not converged says so, and its derivatives are NaN in both modes, compiled as well."""

    @quick_jit
    def both(a):
        return jax.jvp(solve, (a,), (1.0,)), jax.grad(lambda a: solve(a).y)(a)

    (found, tangent), slope = both(a)
    assert not bool(found.converged)
    assert np.isnan(tangent.y)
    assert np.isnan(slope)


def test_a_singular_jacobian_gives_nan_though_the_root_is_right():
    """Two equations that say the same have solutions, of which none has a derivative."""

    def twice(y, a):
        return jnp.full(2, y[0] + y[1] - a)

    for linear_solve in "dense", "gmres":
        f = root(twice, jnp.array([1.0, 1.0]), linear_solve=linear_solve)
        assert np.isnan(quick_jit(jax.grad(lambda a, f=f: f(a)[0]))(2.0))


def test_a_linear_solver_that_fails_gives_nan():
    """A method of the reader's that returns something else than the solution is found out."""

    def f(a):
        wrong = lambda matvec, b: 1.5 * b  # noqa: E731
        return implicit.fixed_point(lambda y, a: a * jnp.arange(1.0, 3), jnp.zeros(2), a, linear_solve=wrong).y

    assert np.isnan(quick_jit(jax.jacfwd(f))(1.0)).all()
    assert np.isnan(quick_jit(jax.jacrev(f))(1.0)).all()


def test_a_wrong_row_does_not_spoil_the_others():
    """One row of a batch without a solution is NaN in the gradient, and alone."""
    slopes = quick_jit(jax.vmap(jax.grad(root(lambda y, a: y**2 - a, 1.0))))(jnp.array([4.0, -1.0, 1.0]))
    assert np.isnan(slopes).tolist() == [False, True, False]


def test_warnings_come_where_they_can():
    """Outside of jit a failure warns once; inside it does on request, and success never does."""
    solve, a = FAILURES["few steps"]
    with pytest.warns(
        RuntimeWarning, match=r"`implicit.root` has not converged in 2 steps: the residual is .*NaN"
    ) as seen:
        solve(a)
    assert (seen[0].filename, seen[0].lineno) == (__file__, solve.__code__.co_firstlineno)  # where `root` is called
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick_jit(solve)(a)
        implicit.root(lambda y, a: y**2 - a, 1.0, 4.0, warn=True)
        jax.grad(root(lambda y, a: y**2 - a, 1.0))(4.0)
    inside = quick_jit(lambda a: implicit.root(lambda y, a: y**2 + a, 0.3, a, warn=True))
    with pytest.warns(RuntimeWarning, match="has not converged"):
        jax.block_until_ready((inside(1.0), jax.effects_barrier()))


def identity(y, args):
    return y - args


BAD = {
    "bracket without a sign change": (
        lambda: implicit.root(lambda y, a: y**2 + a, 1.0, 1.0, method="bisection", bracket=(-1.0, 2.0)),
        ValueError, "changes sign. Got 2 at -1 and 5 at 2",
    ),
    "bracket missing": (lambda: implicit.root(identity, 1.0, 1.0, method="bisection"), ValueError, "needs bracket="),
    "bracket for Newton": (lambda: implicit.root(identity, 1.0, 1.0, bracket=(0, 1)), ValueError, "takes no bracket"),
    "bracket of one": (
        lambda: implicit.root(identity, 1.0, 1.0, method="bisection", bracket=3.0), ValueError, "should be a pair",
    ),
    "integers": (lambda: implicit.root(identity, 1, 1.0), TypeError, "Write 2.0 for 2"),
    "complex": (lambda: implicit.root(identity, 1j, 1.0), TypeError, "float32 or float64"),
    "empty": (lambda: implicit.fixed_point(identity, jnp.zeros(0), 1.0), ValueError, "should not be empty"),
    "another structure": (lambda: implicit.root(lambda y, a: (y, y), 1.0, 1.0), TypeError, "structure, the shapes"),
    "another shape": (lambda: implicit.fixed_point(lambda y, a: y[:1], jnp.ones(2), 1.0), TypeError, r"float64\[1\]"),
    "not scalar": (lambda: implicit.argmin(identity, jnp.ones(2), 1.0), TypeError, "should return one number"),
    "a branch": (lambda: implicit.root(lambda y, a: y if y > 0 else a, 1.0, 1.0), TypeError, "with jax.numpy"),
    "a branch on args": (lambda: implicit.root(lambda y, a: y if a > 0 else -y, 1.0, 1.0), TypeError, "with jax.numpy"),
    "a name in args": (
        lambda: implicit.root(lambda y, a: y - a["x"], 1.0, {"x": 1.0, "name": "b"}), TypeError, "Got 'b'",
    ),
    "bracket of another shape": (
        lambda: implicit.root(identity, jnp.ones(3), 1.0, method="bisection", bracket=(jnp.zeros(2), 2.0)),
        ValueError, "ends like y0",
    ),
    "words": (lambda: implicit.root(identity, "a", 1.0), TypeError, "float32 or float64. Got 'a'"),
    "words in args": (lambda: implicit.root(identity, 1.0, np.array(["x"])), TypeError, "numbers and arrays. Got"),
    "not a function": (lambda: implicit.argmin(1.0, 1.0, 1.0), TypeError, "a function of y and args. Got 1.0"),
    "method of root": (lambda: implicit.root(identity, 1.0, 1.0, method="secant"), ValueError, "'newton', 'bisection'"),
    "method of fixed_point": (
        lambda: implicit.fixed_point(identity, 1.0, 1.0, method="aitken"), ValueError, "'anderson', 'newton', 'picard'",
    ),
    "linear_solve": (lambda: implicit.argmin(lambda y, a: y, 1.0, 1.0, linear_solve="lu"), ValueError, "'cg'"),
    "rtol": (lambda: implicit.root(identity, 1.0, 1.0, rtol=2.0), ValueError, "from 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused(call, kind, message):
    """The error says which argument, what it should be, and what came."""
    with pytest.raises(kind, match=r"^`(implicit|solvers)\.\w+\(.*\)` should") as caught:
        call()
    assert re.search(message, str(caught.value))


def test_integers_have_no_derivative():
    """JAX refuses a gradient in an integer; as data it is welcome."""
    f = root(lambda y, a: y**2 - a, 1.0)
    assert close(f(4), 2.0)
    with pytest.raises(TypeError, match="real- or complex-valued"):
        jax.grad(f)(4)
