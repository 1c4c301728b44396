"""Solvers: they arrive where closed forms say, tell when they do not, and refuse what they cannot take."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_tutorial import solvers

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
DTYPES = [jnp.float32, jnp.float64]
LINEAR = ["gmres", "bicgstab", "dense"]


def close(x, y, dtype=jnp.float64):
    return np.allclose(x, y, rtol=TOLERANCE[jnp.dtype(dtype).name], atol=TOLERANCE[jnp.dtype(dtype).name])


def contraction(n, seed=0):
    W = np.random.default_rng(seed).normal(size=(n, n))
    return jnp.asarray(0.8 * W / np.linalg.norm(W, 2))


# What is solved, from where, and the solution.
ROOTS = {
    "square root": (lambda y: y**2 - 2, 1.0, np.sqrt(2)),
    "cube root, from far": (lambda y: y**3 - 10, 50.0, np.cbrt(10)),
    "logarithm": (lambda y: jnp.exp(y) - 5, 0.0, np.log(5)),
    "a root at zero": (lambda y: jnp.sin(y) + y**2, 0.3, 0.0),
    "a kink on the way": (lambda y: jnp.where(y < 1, y, 10 * y - 9), 1.05, 0.0),
}
FIXED = {
    "cosine": (jnp.cos, 1.0, 0.7390851332151607),
    "Babylonian": (lambda y: (y + 2 / y) / 2, 1.0, np.sqrt(2)),
    "already there": (lambda y: 1 + 0 * y, 1.0, 1.0),
    "oscillating": (lambda y: 1 - 0.9 * y, 0.0, 1 / 1.9),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fn, y0, truth", ROOTS.values(), ids=ROOTS)
def test_newton_finds_known_roots(fn, y0, truth, dtype):
    """The root is right to the precision of the dtype, and it is said to be one."""
    found = jax.jit(lambda y0: solvers.newton(fn, y0))(jnp.asarray(y0, dtype))
    assert bool(found.converged)
    assert found.y.dtype == dtype
    assert close(found.y, truth, dtype)
    assert close(found.residual, 0, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", [solvers.picard, solvers.anderson], ids=["picard", "anderson"])
@pytest.mark.parametrize("fn, y0, truth", FIXED.values(), ids=FIXED)
def test_fixed_points_are_known(fn, y0, truth, method, dtype):
    """Both iterations arrive at the fixed point in closed form."""
    found = jax.jit(lambda y0: method(fn, y0))(jnp.asarray(y0, dtype))
    assert bool(found.converged)
    assert close(found.y, truth, dtype)


@pytest.mark.parametrize("linear_solve", LINEAR)
def test_newton_solves_linear_systems(linear_solve):
    """For a linear equation the root is that of NumPy, whatever solves the steps."""
    A, b = 2 * np.eye(12) + np.asarray(contraction(12)), np.arange(12.0)
    found = jax.jit(lambda: solvers.newton(lambda y: A @ y - b, jnp.zeros(12), linear_solve=linear_solve))()
    assert close(found.y, np.linalg.solve(A, b))


def test_newton_takes_pytrees():
    """A dictionary comes back as a dictionary."""
    found = solvers.newton(lambda y: {"a": y["a"] ** 2 - 4, "b": y["b"] - y["a"]}, {"a": 1.0, "b": jnp.zeros(2)})
    assert jax.tree.map(jnp.shape, found.y) == {"a": (), "b": (2,)}
    assert close(found.y["b"], [2, 2])


def test_anderson_needs_few_steps_for_a_linear_map():
    """With as many differences as unknowns, a linear fixed point is found in as many steps, and two."""
    W = contraction(4)
    found = solvers.anderson(lambda y: W @ y + 1, jnp.zeros(4), memory=4)
    assert int(found.n_steps) <= 6
    assert close(found.y, np.linalg.solve(np.eye(4) - W, np.ones(4)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slow", [0.9, 0.99, 0.999])
def test_anderson_finds_what_is_slow_to_approach(dtype, slow):
    """A map that hardly contracts, with elements that are 0 in the end, converges; so does a chain's distribution."""
    y, factors = jnp.ones(3, dtype), jnp.array([slow, 0.5, 0.3], dtype)
    found = solvers.anderson(lambda y: factors * y + jnp.array([1 - slow, 0, 0], dtype), 3 * y)
    assert bool(found.converged)
    assert np.allclose(found.y, [1, 0, 0], atol=(1e-2 if dtype == "float32" else 1e-5))
    chain = jnp.array([[slow, 0.25, 0.0], [1 - slow, 0.5, 0.25], [0.0, 0.25, 0.75]], dtype)
    found = solvers.anderson(lambda y: chain @ y, y / 3)
    assert bool(found.converged)
    assert np.allclose(chain @ found.y, found.y, rtol=(1e-4 if dtype == "float32" else 1e-9))


def test_anderson_finds_what_drives_picard_away():
    """At a slope of -1.9 repetition diverges, and says so; the secant method does not care."""
    maps = jax.jit(lambda y0: [m(lambda y: 2 - 1.9 * y, y0) for m in (solvers.picard, solvers.anderson)])(0.0)
    assert [bool(found.converged) for found in maps] == [False, True]
    assert close(maps[1].y, 2 / 2.9)


def test_picard_does_not_take_slowness_for_arrival():
    """Where each step goes a thousandth of the way, the last step is a thousand times the tolerance shorter."""
    found = solvers.picard(lambda y: y + 1e-3 * (1 - y), 0.0, rtol=1e-6, atol=1e-6, max_steps=100_000)
    assert bool(found.converged)
    assert abs(found.y - 1) < 4e-6


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_solvers_agree_on_random_contractions(seed):
    """Newton's, Anderson's and Picard's method find the one fixed point there is."""
    fixed, newton = _compiled()
    W, b = contraction(5, seed), jnp.asarray(np.random.default_rng(seed).normal(size=5))
    assert close(fixed(W, b).y, newton(W, b).y)


@functools.cache
def _compiled():
    def f(W, b, y):
        return jnp.tanh(W @ y + b)

    start = jnp.zeros(5)
    fixed = jax.jit(lambda W, b: solvers.anderson(functools.partial(f, W, b), start))
    newton = jax.jit(lambda W, b: solvers.newton(lambda y: f(W, b, y) - y, start, linear_solve="dense"))
    return fixed, newton


def test_bisection_halves_many_intervals_at_once():
    """Each element has its own interval, in either order, and its own root."""
    squares = jnp.array([2.0, 3.0, 5.0])
    found = jax.jit(lambda a, b: solvers.bisection(lambda y: y**2 - squares, a, b))(
        jnp.array([0.0, 2.0, 1.0]), jnp.array([2.0, 0.0, 9.0])
    )
    assert bool(found.converged)
    assert np.allclose(found.y, np.sqrt(squares), rtol=1e-15)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1.0, 0.0)])
def test_bisection_finds_a_root_at_an_end(ends):
    """A value of zero at an end counts as a change of sign."""
    found = solvers.bisection(jnp.sin, *ends)
    assert bool(found.converged)
    assert abs(found.y) < 1e-14


def test_loose_tolerances_are_met():
    """Newton's steps halve from far away, and that the last one is tolerated does not make a double root of it."""
    found = solvers.newton(lambda y: y**2 - 2, 1e6, rtol=0.1, atol=0.1)
    assert bool(found.converged)
    assert abs(found.y - np.sqrt(2)) < 0.1
    assert bool(solvers.newton(lambda y: y**2 - 4e20, 1e10, rtol=0, atol=10.0).converged)


def test_the_finest_tolerance_is_met():
    """With tolerances of zero an iteration ends where nothing changes any more."""
    found = solvers.bisection(lambda y: y - 1 / 3, 0.0, 1.0, rtol=0, atol=0)
    assert bool(found.converged)
    assert found.n_steps < 60
    assert found.y == 1 / 3
    found = solvers.picard(lambda y: y / 2 + 1, 1.0, rtol=0, atol=0)
    assert bool(found.converged)
    assert found.n_steps < 60
    assert found.y == 2


def test_bisection_takes_the_widest_interval_and_two_roots():
    """From one end of the floats to the other; and where both ends are roots, one of them."""
    levels = jnp.linspace(0.1, 0.9, 9)
    found = solvers.bisection(lambda y: jnp.tanh(y) - levels, jnp.full(9, -1e308), jnp.full(9, 1e308), max_steps=2000)
    assert bool(found.converged)
    assert close(found.y, np.arctanh(levels))
    found = solvers.bisection(lambda y: y * (1 - y), 0.0, 1.0)
    assert bool(found.converged)
    assert found.y in (0, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_minimum_of_zero_by_cancellation_is_found(dtype):
    """Near the minimum the values of f are nothing but rounding; its slopes still tell."""
    starts, middles = np.random.default_rng(0).normal(size=(2, 100, 4)).astype(dtype) * 2

    def solve(y0, a):
        return solvers.newton_cg(lambda y: jnp.sum(jnp.cosh(y - a)) - 4, y0)

    found = jax.jit(jax.vmap(solve))(starts, middles)
    assert bool(found.converged.all())
    assert close(found.y, middles, dtype)


FAILURES = {
    "no root": lambda: solvers.newton(lambda y: y**2 + 1, 0.3),
    "a double root": lambda: solvers.newton(lambda y: (y - 1) ** 2, 3.0),
    "a double root, ended by rounding": lambda: solvers.newton(lambda y: y**3 - y - 2 / np.sqrt(27), -0.6),
    "too few steps": lambda: solvers.newton(lambda y: y**3 - 10, 50.0, max_steps=3),
    "not a number": lambda: solvers.newton(jnp.log, -1.0),
    "GMRES at a stand": lambda: solvers.newton(lambda y: jnp.roll(y, 1) - 1 - jnp.arange(100.0), jnp.zeros(100)),
    "the wrong method": lambda: solvers.newton(
        lambda y: jnp.array([y.sum() - 1, 2 * y.sum() - 3]), jnp.ones(2), linear_solve="cg"
    ),
    "no step": lambda: solvers.newton(
        lambda y: y**2 - 2, jnp.ones(2), linear_solve=lambda matvec, b: jnp.zeros_like(b)
    ),
    "a singular matrix": lambda: solvers.newton(lambda y: jnp.ones((2, 2)) @ y - 1, jnp.zeros(2), linear_solve="dense"),
    "an expanding map": lambda: solvers.picard(lambda y: 2 * y + 1, 0.0),
    "a cycle of two": lambda: solvers.picard(lambda y: 1 - y, 0.0, max_steps=500),
    "a slow map in float32": lambda: solvers.picard(lambda y: y + 1e-3 * (1 - y), jnp.float32(0)),
    "overflow": lambda: solvers.picard(lambda y: jnp.exp(y), 1.0),
    "no fixed point": lambda: solvers.anderson(lambda y: y + 1, 0.0),
    "no fixed point, away ever faster": lambda: solvers.anderson(lambda y: jnp.sqrt(y**2 + 1), 0.0),
    "the same in float32": lambda: solvers.anderson(lambda y: jnp.sqrt(y**2 + 1), jnp.float32(0)),
    "the same, with a wide tolerance": lambda: solvers.anderson(lambda y: jnp.sqrt(y**2 + 1), 0.0, rtol=1e-3),
    "no fixed point, away ever slower": lambda: solvers.anderson(lambda y: y + jnp.exp(-y), 1.0),
    "a chain that also gains": lambda: solvers.anderson(
        lambda y: jnp.array([[0.9, 0.3], [0.1, 0.7]]) @ y + jnp.array([1.0, 2.0]), jnp.ones(2)
    ),
    "a NaN among thousands": lambda: solvers.anderson(
        lambda y: y / 2 + jnp.where(jnp.arange(5000) == 2500, jnp.nan, 0), jnp.zeros(5000)
    ),
    "a start on a maximum": lambda: solvers.newton_cg(lambda y: jnp.sum(jnp.cos(y)), jnp.zeros(2)),
    "a flat minimum": lambda: solvers.newton_cg(lambda y: y**4, 1.0),
    "a short first step": lambda: solvers.picard(lambda y: y + 1e-4 * (1 - y), 0.0, rtol=1e-3, atol=1e-3, max_steps=9),
    "unbounded below": lambda: solvers.newton_cg(lambda y: -(y**2), 1.0, max_steps=50),
    "a pole": lambda: solvers.bisection(jnp.tan, 1.0, 2.0),
    "a jump": lambda: solvers.bisection(lambda y: jnp.sign(y) + y, -1.0, 2.0),
    "a pole, infinite at an end": lambda: solvers.bisection(lambda y: jnp.log(y) + 1 / (y - 2), 0.0, 3.0),
    "a jump, infinite at an end": lambda: solvers.bisection(lambda y: jnp.log(y) + 5 * jnp.sign(y - 2), 0.0, 3.0),
    "a jump, infinite at both": lambda: solvers.bisection(
        lambda y: jax.scipy.special.logit(y) + jnp.sign(y - 0.3), 0.0, 1.0
    ),
    "NaN inside": lambda: solvers.bisection(lambda y: jnp.where(abs(y) < 0.5, jnp.nan, y), -1.0, 2.0),
    "no change of sign, compiled": lambda: jax.jit(lambda: solvers.bisection(lambda y: y**2 + 1, -1.0, 1.0))(),
}  # fmt: skip


@pytest.mark.parametrize("solve", FAILURES.values(), ids=FAILURES)
def test_failure_is_told(solve):
    """What is no solution is not called one."""
    found = solve()
    assert not bool(found.converged)
    assert bool(jnp.isfinite(found.y).all())


def test_bisection_from_infinite_values():
    """Where fn is infinite at one end or at both, its root is found as well."""
    for fn, upper, root in (jnp.log, 3.0, 1.0), (lambda y: jax.scipy.special.logit(y) - 1, 1.0, 1 / (1 + np.exp(-1))):
        found = solvers.bisection(fn, 0.0, upper)
        assert bool(found.converged)
        assert abs(found.y - root) < 1e-14


MINIMA = {
    "a parabola": (lambda y: jnp.sum((y - jnp.array([1.0, -2.0])) ** 2), [0.0, 0.0], [1, -2]),
    "Rosenbrock": (lambda y: (1 - y[0]) ** 2 + 100 * (y[1] - y[0] ** 2) ** 2, [-1.2, 1.0], [1, 1]),
    "negative curvature at the start": (lambda y: jnp.sum(jnp.cos(y)), [0.1, -0.2], [np.pi, -np.pi]),
    "badly scaled": (lambda y: 1e-6 * (y[0] - 3) ** 2 + 1e6 * (y[1] + 1) ** 2 + 7, [0.0, 0.0], [3, -1]),
}


@pytest.mark.parametrize("fn, y0, truth", MINIMA.values(), ids=MINIMA)
def test_minima_are_known(fn, y0, truth):
    """The minimum is in closed form."""
    found = jax.jit(lambda y0: solvers.newton_cg(fn, y0))(jnp.array(y0))
    assert bool(found.converged)
    assert np.allclose(found.y, truth, rtol=1e-8)


def test_rows_that_have_arrived_wait():
    """Under vmap each row has the result and the number of steps that it has alone."""
    starts = jnp.array([1.5, 30.0, 1e6])
    alone = [solvers.newton(lambda y: y**2 - 2, y0) for y0 in starts]
    together = jax.jit(jax.vmap(lambda y0: solvers.newton(lambda y: y**2 - 2, y0)))(starts)
    assert together.n_steps.tolist() == [int(found.n_steps) for found in alone]
    assert len(set(together.n_steps.tolist())) == 3
    assert together.y.tolist() == [float(found.y) for found in alone]


@pytest.mark.parametrize("method", ["anderson", "newton"])
def test_many_rows_do_not_block_each_other(method):
    """Thousands of small problems at once end, on two cores as well."""
    W = contraction(24)

    def solve(x):
        if method == "anderson":
            return solvers.anderson(lambda z: jnp.tanh(W @ z + x), jnp.zeros(24))
        return solvers.newton(lambda z: jnp.tanh(W @ z + x) - z, jnp.zeros(24))

    found = jax.jit(jax.vmap(solve))(np.random.default_rng(0).normal(size=(2000, 24)))
    assert bool(found.converged.all())


@pytest.mark.parametrize("linear_solve", [*LINEAR, "callable"])
def test_linear_systems_are_solved_and_differentiated(linear_solve):
    """The first and the second derivative are those of the dense solution."""
    A, b = 2 * jnp.eye(3) + contraction(3), jnp.arange(1.0, 4)
    method = (
        linear_solve if linear_solve != "callable" else lambda matvec, b: jnp.linalg.solve(jax.jacfwd(matvec)(b), b)
    )

    def ours(t):
        return solvers.solve_linear(lambda x: (A + t * jnp.eye(3)) @ x, t**2 * b, method)

    def dense(t):
        return jnp.linalg.solve(A + t * jnp.eye(3), t**2 * b)

    orders = [jax.jacrev, lambda f: jax.jacfwd(jax.jacrev(f))]
    for transform in orders[: 1 if linear_solve == "gmres" else 2]:  # which takes long to compile
        assert close(jax.jit(transform(ours))(0.7), transform(dense)(0.7))


def test_symmetric_and_diagonal_systems():
    """Conjugate gradients and the diagonal method solve what they are for."""
    d = jnp.array([1.0, 2.0, 4.0])
    for method in "cg", "diagonal":
        assert close(solvers.solve_linear(lambda x: d * x, jnp.ones(3), method), 1 / d)


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_the_scale_of_a_system_does_not_matter(scale):
    """In float32, thresholds and norms of what is far from 1 would vanish or overflow."""
    A, b = jnp.array([[4.0, -1], [-1, 4]], jnp.float32), jnp.array([1.0, 2.0], jnp.float32)
    for method in "gmres", "cg":
        assert close(solvers.solve_linear(lambda x: A @ x, scale * b, method) / scale, [0.4, 0.6], jnp.float32)


@pytest.mark.parametrize("method", ["gmres", "bicgstab", "cg", "diagonal", "dense"])
def test_systems_without_solution_give_nan(method):
    """A singular system, or a method that does not fit, gives NaN; a zero right-hand side gives zero."""

    @jax.jit
    def solve(factor, b):
        return solvers.solve_linear(lambda x: (factor * x).at[0].multiply(factor - 1), b, method)

    assert bool(jnp.isnan(solve(1.0, jnp.ones(4))).all())
    assert solve(2.0, jnp.zeros(4)).tolist() == [0] * 4
    assert not bool(jnp.isfinite(solve(2.0, jnp.array([jnp.inf, 1, 1, 1]))[0]))


BAD = {
    "integers": (lambda: solvers.newton(lambda y: y - 1, 2), TypeError, "floats of one dtype"),
    "complex": (lambda: solvers.newton(lambda y: y - 1, 2j), TypeError, "floats of one dtype"),
    "mixed": (lambda: solvers.picard(lambda y: y, (jnp.float32(1), jnp.float64(1))), TypeError, "float32, float64"),
    "empty": (lambda: solvers.anderson(lambda y: y, jnp.zeros(0)), ValueError, "not be empty"),
    "another structure": (lambda: solvers.newton(lambda y: (y, y), 1.0), TypeError, "structure, the shapes"),
    "another shape": (lambda: solvers.picard(lambda y: y[:1], jnp.ones(2)), TypeError, r"float64\[2\]"),
    "another dtype": (lambda: solvers.newton(lambda y: y.astype("float32"), 1.0), TypeError, r"float32\[\]"),
    "not scalar": (lambda: solvers.newton_cg(lambda y: y, jnp.ones(2)), TypeError, "one number"),
    "a branch": (lambda: solvers.newton(lambda y: y if y > 0 else -y, 1.0), TypeError, "jax.numpy"),
    "method": (lambda: solvers.newton(lambda y: y, 1.0, linear_solve="lu"), ValueError, "'gmres', 'bicgstab'"),
    "rtol": (lambda: solvers.newton(lambda y: y, 1.0, rtol=-1e-3), ValueError, "from 0 to 1"),
    "atol": (lambda: solvers.picard(lambda y: y, 1.0, atol=np.inf), ValueError, "a finite number, 0 or more"),
    "not a function": (lambda: solvers.newton(2.0, 1.0), TypeError, "a function of y. Got 2.0"),
    "words": (lambda: solvers.newton(lambda y: y, "a"), TypeError, "floats of one dtype, float32 or float64. Got 'a'"),
    "words for an end": (
        lambda: solvers.bisection(lambda y: y, -1.0, "a"), TypeError, r"like lower, float64\[\]. Got 'a'",
    ),
    "infinite ends": (lambda: solvers.bisection(lambda y: y, -np.inf, 1.0), ValueError, "finite. Got -inf"),
    "another shape of steps": (
        lambda: solvers.newton(lambda y: y, jnp.ones(3), linear_solve=lambda matvec, b: b[:1]),
        TypeError, r"like b, float64\[3\]. Got float64\[1\]",
    ),
    "system": (lambda: solvers.solve_linear(lambda x: x, jnp.ones(2), "lu"), ValueError, "'gmres', 'bicgstab'"),
    "matrix": (lambda: solvers.solve_linear(lambda x: x, jnp.ones((2, 2))), TypeError, r"Got float64\[2, 2\]"),
    "whole right-hand side": (lambda: solvers.solve_linear(lambda x: x, [1, 2]), TypeError, r"Got int64\[2\]"),
    "products": (lambda: solvers.solve_linear(lambda x: x[:1], jnp.ones(2)), TypeError, r"Got float64\[1\]"),
    "max_steps": (lambda: solvers.newton(lambda y: y, 1.0, max_steps=0), ValueError, "at least 1"),
    "memory": (lambda: solvers.anderson(lambda y: y, 1.0, memory=1.5), TypeError, "integer"),
    "signs": (lambda: solvers.bisection(lambda y: y**2 + 1, -1.0, 2.0), ValueError, "Got 2 at -1 and 5 at 2"),
    "ends": (lambda: solvers.bisection(lambda y: y, -1.0, jnp.ones(2)), TypeError, "like lower"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused(call, kind, message):
    """The error says which argument, what it should be, and what came."""
    with pytest.raises(kind, match=r"^`solvers\.\w+\(.*\)` should") as caught:
        call()
    assert re.search(message, str(caught.value))


@pytest.mark.parametrize("method", [solvers.newton, solvers.newton_cg, solvers.picard, solvers.anderson])
def test_number_of_steps_is_refused_by_its_name(method):
    """Zero steps are refused, and the message names the option."""
    message = f"`solvers.{method.__name__}(max_steps=...)` should be at least 1. Got 0."
    with pytest.raises(ValueError, match=re.escape(message)):
        method(lambda y: y**2, 1.0, max_steps=0)
