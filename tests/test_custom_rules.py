"""Rules that are given against SciPy, mpmath at 50 digits, closed forms and JAX's own; laws by Hypothesis."""

import contextlib
import functools
import itertools
import math
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.scipy.linalg import expm
from programs import quick_jit

from autodiff_tutorial import custom_rules, forward_mode, primitives, reverse_mode
from autodiff_tutorial.checks import check_derivatives
from autodiff_tutorial.custom_rules import (
    inv,
    linear_round,
    log1pexp,
    logm,
    matrix_function,
    safe_norm,
    smooth,
    soft_round,
    solve,
    sqrtm,
    straight_through,
)

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in TOLERANCE}


def assert_close(found, expected, rtol=TOLERANCE["float64"]):
    """Assert agreement relative to the largest number."""
    expected = np.asarray(expected)
    scale = abs(expected).max(initial=0.0) or 1.0
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found) / scale, expected / scale, rtol=0, atol=rtol)


def called_back(function):
    """Return a function of SciPy as one that JAX can run, and cannot differentiate."""

    def on_host(A):
        return np.vectorize(function, signature="(n,n)->(n,n)")(np.asarray(A)).astype(A.dtype)

    return lambda A: jax.pure_callback(on_host, jax.ShapeDtypeStruct(A.shape, A.dtype), A, vmap_method="expand_dims")


def rational(A):
    return jnp.linalg.solve(jnp.eye(A.shape[0], dtype=A.dtype) + A @ A, A)


# Ours; the function of one number and its derivative, for mpmath; the function of a matrix by SciPy or NumPy.
FUNCTIONS = {
    "inv": (inv, lambda z: 1 / z, lambda z: -1 / z**2, np.linalg.inv),
    "sqrtm": (sqrtm, mpmath.sqrt, lambda z: 1 / (2 * mpmath.sqrt(z)), scipy.linalg.sqrtm),
    "logm": (logm, mpmath.log, lambda z: 1 / z, scipy.linalg.logm),
    "expm": (matrix_function(expm), mpmath.exp, mpmath.exp, scipy.linalg.expm),
    "cubic": (matrix_function(lambda A: A @ A @ A), lambda z: z**3, lambda z: 3 * z**2,
              lambda A: np.linalg.matrix_power(A, 3)),
    "rational": (matrix_function(rational), lambda z: z / (1 + z * z), lambda z: (1 - z * z) / (1 + z * z) ** 2,
                 lambda A: A @ np.linalg.inv(np.eye(len(A)) + A @ A)),
    "cosm": (matrix_function(called_back(scipy.linalg.cosm)), mpmath.cos, lambda z: -mpmath.sin(z),
             scipy.linalg.cosm),
    "sinm": (matrix_function(called_back(scipy.linalg.sinm)), mpmath.sin, mpmath.cos, scipy.linalg.sinm),
}  # fmt: skip
SIZE = 4


def orthogonal(seed, n=SIZE):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def of_condition(p, seed=0, skew=0.0):
    """Return a matrix with eigenvalues from 1 down to 10^-p, in an orthogonal basis or a skewed one."""
    basis = orthogonal(seed) @ (np.eye(SIZE) + skew * np.triu(np.ones((SIZE, SIZE)), 1))
    return basis @ np.diag(np.logspace(0, -p, SIZE)) @ np.linalg.inv(basis)


def jordan(corner, value=1.5):
    A = value * np.eye(SIZE) + np.eye(SIZE, k=1)
    A[-1, 0] = corner
    return A


def tame(seed=0, n=SIZE):
    """Return a matrix that is far from singular and has no special form."""
    return np.eye(n) * 1.5 + np.random.default_rng(seed).normal(size=(n, n)) / 4


MATRICES = {
    "random": tame(),
    "symmetric": tame(1) + tame(1).T,
    "complex eigenvalues": np.kron(np.eye(2), [[1.0, -2.0], [2.0, 1.0]]) + tame(2) / 4,
    "nearly defective": jordan(1e-10),
    "rotated, nearly defective": orthogonal(3) @ jordan(1e-10) @ orthogonal(3).T,
}
E, E2, E3, G = np.random.default_rng(5).normal(size=(4, SIZE, SIZE))


def to_mpmath(A):
    return mpmath.matrix(np.asarray(A, float).tolist())


def to_numpy(M):
    return np.array([[float(mpmath.re(M[i, j])) for j in range(M.cols)] for i in range(M.rows)])


@functools.cache
def eigen(entries):
    """Return eigenvalues, eigenvectors and their inverse to 60 digits."""
    eigenvalues, V = mpmath.eig(mpmath.matrix([list(row) for row in entries]))
    return eigenvalues, V, V**-1


def exact(name, A, E=None):
    r"""Return f(A), or its derivative along E by divided differences on the eigenvalues (Daleckii and Krein 1965)."""
    _, f, slope, _ = FUNCTIONS[name]
    with mpmath.workdps(60):
        w, V, W = eigen(tuple(map(tuple, np.asarray(A, float).tolist())))
        if E is None:
            return to_numpy(V * mpmath.diag([f(z) for z in w]) * W)
        inner = W * to_mpmath(E) * V
        for i, j in itertools.product(range(len(w)), repeat=2):
            inner[i, j] *= slope(w[i]) if i == j else (f(w[i]) - f(w[j])) / (w[i] - w[j])
        return to_numpy(V * inner * W)


@functools.cache
def derivatives(name):
    """Return a compiled function to value, derivative along E, and cotangent of A for G."""

    def all_three(A, E, G):
        f = FUNCTIONS[name][0]
        value, pushed = jax.jvp(f, (A,), (E,))
        return value, pushed, jax.vjp(f, A)[1](G)[0]

    return quick_jit(all_three)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_is_that_of_scipy(name):
    """Values of a stack agree with SciPy's."""
    f, _, _, by_scipy = FUNCTIONS[name]
    A = np.stack([tame(seed) for seed in range(3)])
    assert_close(quick_jit(jax.vmap(f))(A), np.stack([by_scipy(a) for a in A]))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_derivative_is_exact_in_both_modes(name, dtype):
    """Value, tangent and cotangent are those of the eigenvalues in 60 digits, also where eigenvectors are no help."""
    e, g = E.astype(dtype), G.astype(dtype)
    for A in MATRICES.values():
        A = A.astype(dtype)
        found = derivatives(name)(A, e, g)
        # L(A, .) has the adjoint L(A, G^T)^T, as traces may be turned.
        expected = exact(name, A), exact(name, A, e), exact(name, A, g.T).T
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.dtype == dtype
            assert_close(ours, theirs, 10 * TOLERANCE[dtype])


def test_planted_mistakes_are_seen():
    """The exact derivative tells a transpose that was left out, in either mode, from the right one."""
    A = MATRICES["random"]
    _, pushed, pulled = derivatives("sqrtm")(A, E, G)
    for wrong in (exact("sqrtm", A.T, E), exact("sqrtm", A, E.T), exact("sqrtm", A, E).T):
        with pytest.raises(AssertionError):
            assert_close(pushed, wrong, 1e-3)
    for wrong in (exact("sqrtm", A, G), exact("sqrtm", A, G.T), exact("sqrtm", A.T, G).T):
        with pytest.raises(AssertionError):
            assert_close(pulled, wrong, 1e-3)


def test_a24_block_rule_is_expm_frechet():
    """A24: the corner of the exponential is SciPy's Frechet derivative, small and large E alike; A may be zero."""
    push = lambda A, E: derivatives("expm")(A, E, G)[1]  # noqa: E731
    for A in [*MATRICES.values(), np.zeros((SIZE, SIZE))]:
        for scale in (1.0, 1e-150, 1e10):
            expected = scipy.linalg.expm_frechet(A, E, compute_expm=False)
            assert_close(push(A, scale * E) / scale, expected, 1e-11)


def test_a24_derivative_of_the_root_solves_sylvester_s_equation():
    """A24: for X X = A, X X_dot + X_dot X = A_dot; the cotangent solves the transposed equation."""
    for A in MATRICES.values():
        X, X_dot, A_bar = derivatives("sqrtm")(A, E, G)
        assert_close(X_dot, scipy.linalg.solve_sylvester(X, X, E), 1e-11)
        assert_close(A_bar, scipy.linalg.solve_sylvester(X.T, X.T, G), 1e-11)


# Functions of a matrix that mpmath has, by methods of its own.
BY_MPMATH = {
    "inv": lambda A: A**-1,
    "sqrtm": mpmath.sqrtm,
    "logm": mpmath.logm,
    "expm": mpmath.expm,
    "cubic": lambda A: A**3,
    "cosm": mpmath.cosm,
    "sinm": mpmath.sinm,
}


def difference(name, A, *directions, h=1e-9):
    """Return a mixed derivative of f at A by central differences, at 50 digits and more for every order."""
    with mpmath.workdps(30 + 20 * len(directions)):
        total = mpmath.zeros(len(A))
        h = mpmath.mpf(h)
        for signs in itertools.product((1, -1), repeat=len(directions)):
            place = to_mpmath(A)
            for sign, direction in zip(signs, directions, strict=True):
                place += sign * h * to_mpmath(direction)
            total += math.prod(signs) * BY_MPMATH[name](place)
        return to_numpy(total / (2 * h) ** len(directions))


@pytest.mark.parametrize("name", BY_MPMATH)
def test_first_derivative_is_the_limit_of_differences(name):
    """Differences of mpmath's functions at 50 digits agree, and so do those of ours, by `check_derivatives`."""
    A = MATRICES["random"]
    assert_close(derivatives(name)(A, E, G)[1], difference(name, A, E), 1e-11)
    run = derivatives(name)
    check_derivatives(
        lambda A: run(A, E, G)[0],
        jnp.asarray(A),
        jvp=lambda A, A_dot: run(A, A_dot, G)[1],
        vjp=lambda A, C_bar: run(A, E, C_bar)[2],
    )


# To which power the condition of A, or that of its root, counts in a derivative. In a value it counts once.
CONDITION = {
    "inv": (1, np.linalg.cond),  # twice in few directions, such as A itself
    "sqrtm": (2, lambda A: np.linalg.cond(exact("sqrtm", A))),
    "logm": (1, np.linalg.cond),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CONDITION)
def test_error_grows_with_the_condition_as_stated(name, dtype):
    """With conditions from 1e2 to 1e8, relative errors stay within 20 roundings times the power of the condition."""
    power, condition = CONDITION[name]
    e, g = E.astype(dtype), G.astype(dtype)
    for p, skew in itertools.product((2, 4, 6, 8) if dtype == "float64" else (2, 3), (0.0, 0.5)):
        A = of_condition(p, seed=p, skew=skew).astype(dtype)
        value, pushed, pulled = derivatives(name)(A, e, g)
        assert_close(value, exact(name, A), 20 * EPS[dtype] * condition(A))
        bound = 20 * EPS[dtype] * condition(A) ** power
        assert_close(pushed, exact(name, A, e), bound)
        assert_close(pulled, exact(name, A, g.T).T, bound)


def solve_exactly(A, b, A_dot, b_dot, G):
    """Return x, its tangent, and the cotangents of A and b, to 50 digits."""
    with mpmath.workdps(50):
        A, b, A_dot, b_dot, G = (to_mpmath(np.reshape(M, (SIZE, -1))) for M in (A, b, A_dot, b_dot, G))
        C = A**-1
        x = C * b
        b_bar = C.T * G
        return [to_numpy(M) for M in (x, C * (b_dot - A_dot * x), -b_bar * x.T, b_bar)]


@functools.cache
def solutions():
    def all_four(A, b, A_dot, b_dot, G):
        x, x_dot = jax.jvp(solve, (A, b), (A_dot, b_dot))
        return x, x_dot, *jax.vjp(solve, A, b)[1](G)

    return quick_jit(all_four)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("columns", [(), (1,), (3,)], ids=["vector", "column", "matrix"])
def test_solution_and_its_derivatives_are_exact(columns, dtype):
    """Both modes agree with 50 digits, to 20 roundings times the condition, for one right-hand side and for several."""
    random = np.random.default_rng(len(columns))
    b, b_dot, g = random.normal(size=(3, SIZE, *columns)).astype(dtype)
    e = E.astype(dtype)
    for A in [*MATRICES.values(), *(of_condition(p) for p in ((2, 4, 6, 8) if dtype == "float64" else (2, 3)))]:
        A = A.astype(dtype)
        found = solutions()(A, b, e, b_dot, g)
        for ours, theirs in zip(found, solve_exactly(A, b, e, b_dot, g), strict=True):
            assert ours.dtype == dtype
            assert_close(ours, theirs.reshape(ours.shape), 20 * EPS[dtype] * np.linalg.cond(A))


def test_solution_takes_the_wider_dtype():
    """float32 meets float64 as in NumPy; each cotangent has the dtype of its argument."""
    A, b = np.eye(2, dtype=np.float32) * 2, np.ones(2)
    assert jax.eval_shape(solve, A, b).dtype == np.float64
    A_bar, b_bar = quick_jit(jax.grad(lambda A, b: solve(A, b).sum(), (0, 1)))(A, b)
    assert (A_bar.dtype, b_bar.dtype) == (np.float32, np.float64)
    assert_close(A_bar, -np.full((2, 2), 0.25))


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_a25_inverse_and_its_trace_trick(seed):
    """A25: forward -C dA C, reverse -C^T Cbar C^T, and <Cbar, Cdot> = <Abar, Adot>, which gives one from the other."""
    random = np.random.default_rng(seed)
    A, A_dot, C_bar = tame(seed), *random.normal(size=(2, SIZE, SIZE))
    C, C_dot, A_bar = derivatives("inv")(A, A_dot, C_bar)
    D = np.linalg.inv(A)
    assert_close(C, D)
    assert_close(C_dot, -D @ A_dot @ D, 1e-11)
    assert_close(A_bar, -D.T @ C_bar @ D.T, 1e-11)
    size = np.linalg.norm(C_bar) * np.linalg.norm(C_dot)
    assert abs(np.sum(C_bar * C_dot) - np.sum(A_bar * A_dot)) <= 1e-12 * size


@settings(max_examples=25)
@given(st.integers(0, 999), st.sampled_from([name for name in FUNCTIONS if name not in ("cosm", "sinm")]))
def test_laws_of_derivatives(seed, name):
    """The tangent is linear in A_dot; <G, L(A, E)> = <L*(A, G), E>; and L commutes as f does: L(A, A) is A f'(A)."""
    random = np.random.default_rng(seed)
    A, (E1, E2, G) = tame(seed), random.normal(size=(3, SIZE, SIZE))
    run = derivatives(name)
    _, first, pulled = run(A, E1, G)
    second, both = run(A, E2, G)[1], run(A, 2 * E1 - 3 * E2, G)[1]
    assert_close(both, 2 * first - 3 * second, 1e-11)
    assert abs(np.sum(G * first) - np.sum(pulled * E1)) <= 1e-11 * np.linalg.norm(G) * np.linalg.norm(first)
    along_itself = run(A, A, G)[1]
    assert_close(along_itself @ A, A @ along_itself, 1e-11)


@settings(max_examples=15)
@given(st.integers(0, 999))
def test_root_and_logarithm_undo_square_and_exponential(seed):
    """The square of the root and the exponential of the logarithm are A, to roundings."""
    A = tame(seed)
    X, L = derivatives("sqrtm")(A, E, G)[0], derivatives("logm")(A, E, G)[0]
    assert_close(X @ X, A)
    assert_close(scipy.linalg.expm(L), A)


# Ways to the mixed second derivative of a scalar function of a matrix, along U and V.
SECOND = {
    "forward over reverse": lambda s, A, U, V: jnp.sum(V * jax.jvp(jax.grad(s), (A,), (U,))[1]),
    "reverse over reverse": lambda s, A, U, V: jnp.sum(V * jax.grad(lambda A: jnp.sum(U * jax.grad(s)(A)))(A)),
    "reverse over forward": lambda s, A, U, V: jnp.sum(V * jax.grad(lambda A: jax.jvp(s, (A,), (U,))[1])(A)),
    "forward over forward": lambda s, A, U, V: jax.jvp(lambda A: jax.jvp(s, (A,), (U,))[1], (A,), (V,))[1],
}


@pytest.mark.parametrize("name", BY_MPMATH)
def test_second_derivative_is_right_in_every_pairing_of_modes(name):
    """Mixed second derivatives along two directions are those of differences at 70 digits."""
    n = 3
    A, U, V, G = MATRICES["random"][:n, :n], E[:n, :n], E2[:n, :n], E3[:n, :n]
    expected = np.sum(G * difference(name, A, U, V))
    s = lambda A: jnp.sum(G * FUNCTIONS[name][0](A))  # noqa: E731
    for found in quick_jit(lambda A: [way(s, A, U, V) for way in SECOND.values()])(A):
        assert_close(found, expected, 1e-11)


def test_second_derivative_of_the_exponential_is_that_of_jax():
    """Forward and reverse over reverse give what JAX finds in its own exponential, which it differentiates through."""
    A, U, V, G = tame(7, 3), E[:3, :3], E2[:3, :3], E3[:3, :3]
    over_forward, *over_reverse = (SECOND[f"{mode} over {other}"] for mode, other in (
        ("reverse", "forward"), ("forward", "reverse"), ("reverse", "reverse")))  # fmt: skip
    ours, theirs = (lambda A, f=f: jnp.sum(G * jnp.sin(f(A))) for f in (FUNCTIONS["expm"][0], expm))
    expected, *found = quick_jit(
        lambda A: [over_forward(theirs, A, U, V), *(way(ours, A, U, V) for way in over_reverse)]
    )(A)
    assert_close(found, np.full(2, expected), 1e-11)


def hessians(f, A):
    """Return the Hessian of a scalar function of f by four pairings of modes."""
    s = lambda A: jnp.sum(jnp.sin(f(A)))  # noqa: E731
    first = jax.grad(s), jax.jacfwd(s)
    return quick_jit(lambda A: [transform(df)(A) for df in first for transform in (jax.jacfwd, jax.jacrev)])(A)


B = np.random.default_rng(6).normal(size=(2, 3))
HESSIANS = {
    "inv": (inv, jnp.linalg.inv),
    "solve for a vector": (
        lambda A: solve(A, jnp.sin(A[0] * B[:, 0])),
        lambda A: jnp.linalg.inv(A) @ jnp.sin(A[0] * B[:, 0]),
    ),
    "solve for a matrix": (lambda A: solve(A, B), lambda A: jnp.linalg.inv(A) @ B),
}


@pytest.mark.parametrize("ours, theirs", HESSIANS.values(), ids=HESSIANS)
def test_hessian_is_that_of_jax(ours, theirs):
    """Each of jacfwd and jacrev of either gradient give the Hessian of JAX's own functions, and it is symmetric."""
    A = tame(7, n=2)
    expected = quick_jit(jax.hessian(lambda A: jnp.sum(jnp.sin(theirs(A)))))(A)
    assert_close(expected, expected.transpose(2, 3, 0, 1), 1e-12)
    for found in hessians(ours, A):
        assert_close(found, expected, 1e-11)


def test_third_derivative():
    """Reverse over forward over reverse, along three directions, is that of differences at 90 digits."""
    n = 2
    A, U, V, W, G = tame(8, n), E[:n, :n], E2[:n, :n], E3[:n, :n], E[2:, 2:]
    s = lambda A: jnp.sum(G * sqrtm(A))  # noqa: E731
    second = lambda A: jnp.sum(V * jax.jvp(jax.grad(s), (A,), (U,))[1])  # noqa: E731
    found = quick_jit(lambda A: jnp.sum(W * jax.grad(second)(A)))(A)
    assert_close(found, np.sum(G * difference("sqrtm", A, U, V, W)), 1e-11)


MAPPED = ("inv", "sqrtm", "cosm")


@pytest.mark.parametrize("name", MAPPED)
def test_batches_along_any_axis(name):
    """Value, tangent and gradient, with the batch in A, in E or in both, are under vmap what a loop gives."""
    n, f = 3, FUNCTIONS[name][0]
    stack = np.stack([tame(seed, n) for seed in range(2)])
    directions = np.random.default_rng(9).normal(size=(2, n, n))
    push = lambda A, E: jax.jvp(f, (A,), (E,))[1]  # noqa: E731
    pull = lambda A, G: jax.vjp(f, A)[1](G)[0]  # noqa: E731
    one = quick_jit(lambda A, E: (push(A, E), pull(A, E)))
    last, middle = np.moveaxis(stack, 0, 2), np.moveaxis(directions, 0, 1)

    @quick_jit
    def batched(stack, last, directions, middle):
        return (
            jax.vmap(push, (2, 1), out_axes=1)(last, middle),
            jax.vmap(push, (None, 0))(stack[0], directions),
            jax.vmap(pull, (0, None))(stack, directions[0]),
            jax.vmap(pull, (None, 1), out_axes=2)(stack[0], middle),
        )

    both, only_E, only_A, only_G = batched(stack, last, directions, middle)
    assert_close(both, np.stack([one(A, E)[0] for A, E in zip(stack, directions, strict=True)], axis=1))
    assert_close(only_E, np.stack([one(stack[0], E)[0] for E in directions]))
    assert_close(only_A, np.stack([one(A, directions[0])[1] for A in stack]))
    assert_close(only_G, np.stack([one(stack[0], G)[1] for G in directions], axis=2))


@pytest.mark.parametrize("name", ["inv", "cubic"])
def test_eager_is_jitted(name):
    """Eager, jitted and jitted batches of a gradient are the same to a few roundings."""
    s = lambda A: jnp.sum(jnp.cos(FUNCTIONS[name][0](A)))  # noqa: E731
    A = jnp.asarray(tame(3, 3))
    eager = jax.grad(s)(A)
    assert_close(quick_jit(jax.grad(s))(A), eager, 1e-13)
    assert_close(quick_jit(jax.vmap(jax.grad(s)))(A[None])[0], eager, 1e-13)


def test_batches_of_systems():
    """A solution and its gradient under vmap, with the batch in A, in b or in both, at any axis."""
    random = np.random.default_rng(4)
    As, bs = np.stack([tame(seed, 3) for seed in range(4)]), random.normal(size=(4, 3))
    g = quick_jit(jax.grad(lambda A, b: jnp.sum(jnp.sin(solve(A, b))), (0, 1)))
    loop = [g(A, b) for A, b in zip(As, bs, strict=True)]
    found = quick_jit(jax.vmap(jax.grad(lambda A, b: jnp.sum(jnp.sin(solve(A, b))), (0, 1)), (1, 1)))(
        np.moveaxis(As, 0, 1), bs.T
    )
    for ours, theirs in zip(found, zip(*loop, strict=True), strict=True):
        assert_close(ours, np.stack(theirs))
    assert_close(quick_jit(jax.vmap(solve, (None, 0)))(As[0], bs), np.linalg.solve(As[0], bs.T).T)
    assert_close(quick_jit(jax.vmap(solve, (0, None)))(As, bs[0]), np.stack([np.linalg.solve(A, bs[0]) for A in As]))


def test_rules_hold_in_scans_and_checkpoints():
    """A rule survives `scan`, `checkpoint` and `linearize`, transposed."""
    cube, A = lambda A: A @ A @ A, tame(2, 3)
    f = FUNCTIONS["cubic"][0]
    total = lambda f: lambda A: jnp.sum(jax.lax.scan(lambda c, _: (f(c / 4), None), A, length=3)[0])  # noqa: E731

    @quick_jit
    def run(A):
        gradients = [jax.grad(total(f))(A) for f in (cube, f, jax.checkpoint(f))]
        pulled = [jax.linear_transpose(jax.linearize(f, A)[1], A)(A)[0] for f in (cube, f)]
        return gradients, pulled

    (expected, *gradients), (by_jax, ours) = run(A)
    for found in gradients:
        assert_close(found, expected)
    assert_close(ours, by_jax)


NO_ROOT = {
    "negative eigenvalue": np.diag([-1.0, 1.0, 2.0, 3.0]),
    "negative eigenvalue, rotated": orthogonal(1) @ np.diag([-2.0, 1.0, 3.0, 4.0]) @ orthogonal(1).T,
    "zero": np.zeros((SIZE, SIZE)),
    "nilpotent": np.eye(SIZE, k=1),
    "singular": np.diag([0.0, 1.0, 2.0, 3.0]),
    "nan": np.full((SIZE, SIZE), np.nan),
    "infinity": np.diag([np.inf, 1.0, 1.0, 1.0]),
}


@pytest.mark.parametrize("A", NO_ROOT.values(), ids=NO_ROOT)
@pytest.mark.parametrize("name", ["sqrtm", "logm"])
def test_where_there_is_no_answer_none_is_given(name, A):
    """Every entry is NaN where the function is not defined, of the value and of both derivatives."""
    assert np.isnan(derivatives(name)(A, E, G)).all()


def test_singular_matrices_have_no_finite_inverse():
    """The inverse, a solution and their gradients are not finite, and no error is raised."""

    @quick_jit
    def run(A):
        return inv(A), solve(A, np.ones(2)), jax.grad(lambda A: inv(A).sum())(A)

    for A in (np.ones((2, 2)), np.zeros((2, 2)), np.diag([0.0, 1.0])):
        assert not any(np.isfinite(found).all() for found in run(A))


def test_pair_of_complex_eigenvalues_has_a_real_root_and_logarithm():
    """A quarter turn is half of it twice, and pi / 2 times the generator."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    two = np.kron(np.eye(2), turn)
    assert_close(derivatives("sqrtm")(two, E, G)[0], (np.eye(4) + two) / math.sqrt(2))
    assert_close(derivatives("logm")(two, E, G)[0], two * math.pi / 2)


@pytest.mark.parametrize("dtype, scales", [("float64", (1e-200, 1e200)), ("float32", (1e-25, 1e25))])
def test_scale_of_the_matrix_does_not_matter(dtype, scales):
    """Roots and logarithms of tiny and huge matrices are right, with their derivatives."""
    A, e, g = tame().astype(dtype), E.astype(dtype), G.astype(dtype)
    for scale in scales:
        a = (scale * A).astype(dtype)
        X, X_dot, _ = derivatives("sqrtm")(a, e, g)
        assert_close(np.asarray(X, float) / scale**0.5, exact("sqrtm", A), TOLERANCE[dtype])
        assert_close(np.asarray(X_dot, float) * scale**0.5, exact("sqrtm", A, e), TOLERANCE[dtype])
        L, L_dot, _ = derivatives("logm")(a, e, g)
        assert_close(L, exact("logm", A) + math.log(scale) * np.eye(SIZE), TOLERANCE[dtype])
        assert_close(np.asarray(L_dot, float) * scale, exact("logm", A, e), TOLERANCE[dtype])


def test_matrix_of_one_number():
    """At size 1 they are the functions of numbers."""
    A = np.array([[0.7]])
    some = [FUNCTIONS[name] for name in ("inv", "sqrtm", "rational", "cosm")]
    run = quick_jit(lambda A: [jax.value_and_grad(lambda A, f=f: f(A)[0, 0])(A) for f, *_ in some])
    for (value, slope), (_, by_mpmath, its_slope, _) in zip(run(A), some, strict=True):
        assert_close(value, float(by_mpmath(0.7)), 1e-13)
        assert_close(slope, [[float(its_slope(0.7))]])


def test_closure_over_a_differentiated_value_is_no_silent_number():
    """A matrix function that depends on what is differentiated raises an error, in both modes, jitted or not."""
    A = jnp.eye(2)

    def outside(c):
        return jnp.sum(matrix_function(lambda A: c * A @ A)(A))

    def inside(c):
        return jnp.sum(jax.jvp(matrix_function(lambda A: c * A @ A), (A,), (A,))[1])

    for f in (outside, inside, lambda c: outside(c) + inside(c)):
        for transform in (jax.grad(f), jax.jit(jax.grad(f)), jax.jacfwd(f), jax.grad(jax.grad(f))):
            with pytest.raises(Exception, match=r"tracer|Tracer|closed-over|custom_rules"):
                transform(3.0)
    assert_close(outside(3.0), 6.0)


def test_matrix_function_may_hold_constants_and_change_with_size():
    """Constants, loops and branches on the shape are fine, as f is only called."""
    c = np.array([1.0, 0.5, 0.25])

    def polynomial(A):
        total, power = jnp.zeros_like(A), jnp.eye(A.shape[0], dtype=A.dtype)
        for k in c:
            total, power = total + k * power, power @ A
        return total

    found = jax.jvp(matrix_function(polynomial), (jnp.asarray(tame()),), (jnp.asarray(E),))[1]
    assert_close(found, 0.5 * E + 0.25 * (tame() @ E + E @ tame()))


NO_MATRIX_FUNCTIONS = {
    "exp": jnp.exp,
    "sin": jnp.sin,
    "abs": jnp.abs,
    "positive part": lambda A: jnp.maximum(A, 0),
    "round": jnp.round,
    "transpose": lambda A: A.T,
    "A A^T": lambda A: A @ A.T,
    "adds one": lambda A: A + 1,
    "trace times A": lambda A: jnp.trace(A) * A,
    "over the norm": lambda A: A / jnp.linalg.norm(A),
    "adjugate": lambda A: jnp.linalg.det(A) * jnp.linalg.inv(A),
}


@pytest.mark.parametrize("f", NO_MATRIX_FUNCTIONS.values(), ids=NO_MATRIX_FUNCTIONS)
def test_what_is_no_matrix_function_is_refused(f):
    """Functions of the elements, and those whose coefficients depend on A, would get wrong derivatives in silence."""
    with pytest.raises(ValueError, match=r"`custom_rules\.matrix_function\(f=\.\.\.\)` should be a function of matric"):
        matrix_function(f)


def test_straight_through_has_the_value_of_f_and_the_slope_of_the_identity():
    """Values are exact; Jacobian, both modes, and composites take the rounding for the identity; H is that of x^3."""
    x = jnp.array([-1.5, 0.2, 2.5, 1e9 + 0.3])
    for f in (jnp.round, jnp.floor, jnp.sign, lambda x: jnp.where(x > 0, 1.0, -1.0), lambda x: np.full(4, 7.0)):
        through = straight_through(f)
        y, *Js = quick_jit(lambda x, g=through: (g(x), jax.jacfwd(g)(x), jax.jacrev(g)(x)))(x)
        np.testing.assert_array_equal(y, f(x))
        np.testing.assert_array_equal(through(x), y)
        for J in Js:
            np.testing.assert_array_equal(J, np.eye(4))
    cubic = lambda x: jnp.sum(straight_through(jnp.round)(jnp.sin(x) * 3) ** 3)  # noqa: E731
    r = np.round(np.sin(x) * 3)
    slope, H, mapped = quick_jit(
        lambda x: (jax.grad(cubic)(x), jax.hessian(cubic)(x), jax.vmap(jax.grad(straight_through(jnp.floor)))(x))
    )(x)
    assert_close(slope, 3 * r**2 * 3 * np.cos(x))
    assert_close(H, np.diag(6 * r * 9 * np.cos(x) ** 2 - 9 * r**2 * np.sin(x)))
    assert_close(mapped, np.ones(4))
    assert straight_through(jnp.round)(np.float32(2.3)).dtype == np.float32


def test_straight_through_keeps_the_derivative_in_what_else_f_depends_on():
    """f(x) = c round(x) has slope 1 in x, by decree, and round(x) in c, as it should; mixed, too."""
    f = lambda x, c: straight_through(lambda x: c * jnp.round(x))(x)  # noqa: E731
    for transform in (jax.grad, jax.jacfwd):
        assert transform(f, (0, 1))(2.3, 4.0) == (1.0, 2.0)
    both = lambda t: f(t, t**2)  # noqa: E731
    assert jax.grad(both)(2.3) == pytest.approx(1 + 2.0 * 2 * 2.3)
    assert jax.grad(jax.grad(both))(2.3) == pytest.approx(2 * 2.0)


def test_checks_refuse_straight_through():
    """Its derivative is not that of f, which `check_derivatives` says."""
    for f, right in ((jnp.round, False), (lambda x: x, True)):
        through = straight_through(f)
        push = quick_jit(lambda x, x_dot, g=through: jax.jvp(g, (x,), (x_dot,))[1])
        pull = quick_jit(lambda x, y_bar, g=through: jax.vjp(g, x)[1](y_bar)[0])
        with contextlib.nullcontext() if right else pytest.raises(AssertionError, match="finite differences"):
            check_derivatives(quick_jit(through), jnp.array([0.2, 1.3]), jvp=push, vjp=pull)


X = np.concatenate([np.linspace(-2.2, 2.2, 89), [0.0, 0.5, -0.5, 1.0, -3.0, 41.3]])


def slopes(f, x, order=2):
    """Return a function of numbers and its derivatives, elementwise, from one compiled program."""
    ways = list(itertools.accumulate(range(order), lambda f, _: jax.grad(f), initial=f))
    return jax.tree.map(np.asarray, quick_jit(jax.vmap(lambda x: [way(x) for way in ways]))(x))


@functools.cache
def slopes_of_both(f):
    """Return a compiled function to value and derivatives of f(x, parameter) in both, elementwise in x."""
    run = quick_jit(jax.vmap(lambda x, p: (f(x, p), *jax.grad(f, (0, 1))(x, p)), (0, None)))
    return lambda x, p: jax.tree.map(np.asarray, run(x, p))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("width", [0.01, 0.3])
def test_linear_round_is_a_ramp_around_each_jump(width, dtype):
    """Value and slopes in x and width are those of the ramps, written down."""
    x = X.astype(dtype)
    jump = np.floor(x) + 0.5
    on_ramp = abs(x - jump) < width / 2
    expected = np.where(on_ramp, jump + (x - jump) / width, np.round(x))
    inside = abs(abs(x - jump) - width / 2) > 1e-3  # not at the ends of a ramp, where the slope jumps
    found, in_x, in_width = slopes_of_both(linear_round)(x, np.asarray(width, dtype))
    assert found.dtype == dtype
    assert_close(found, expected, TOLERANCE[dtype] / width)
    assert_close(in_x[inside], np.where(on_ramp, 1 / width, 0)[inside], 1e-6)
    on_ramp &= inside
    assert_close(in_width[on_ramp], (-(x - jump) / width**2)[on_ramp], TOLERANCE[dtype] / width)
    np.testing.assert_array_equal(in_width[inside & ~on_ramp], 0)


@pytest.mark.parametrize("dtype, whole", [("float32", 2.0**23 + 1), ("float64", 2.0**52 + 1), ("float64", -3.0)])
def test_roundings_keep_whole_numbers(dtype, whole):
    """Also those so large that there is nothing between them."""
    x = jnp.asarray(whole, dtype)
    assert custom_rules.linear_round(x, 0.5) == custom_rules.linear_round(x, 1.0) == x
    assert custom_rules.soft_round(x, 200.0) == x


def test_width_of_linear_round_matters_on_ramps_only():
    """Away from jumps the slope in the width is 0, however small its square is."""
    assert jax.grad(lambda w: custom_rules.linear_round(jnp.float32(2.3), w))(jnp.float32(1e-25)) == 0


def test_linear_round_of_full_width_is_the_identity():
    """With width 1 the value is x and the slope 1 everywhere, at the integers, too."""
    x = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.3, 7.0])
    for width in (1, 1.0):
        value, slope = slopes(lambda x, w=width: linear_round(x, w), x, 1)
        assert_close(value, x)
        np.testing.assert_array_equal(slope, np.ones(7))


def sum_of_sigmoids(x, s, order=0, terms=300):
    """Return soft_round, its slope in x, or its slope in s, as a long sum."""
    k = np.arange(-terms, terms)
    z = x[:, None] - k - 0.5
    if order == 0:
        return np.sum(np.where(k >= 0, scipy.special.expit(s * z), -scipy.special.expit(-s * z)), axis=1)
    slope = scipy.special.expit(s * z) * scipy.special.expit(-s * z)
    return np.sum(slope * (s if order == "x" else z), axis=1)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sharpness", [0.5, 3.0, 5.9, 6.0, 6.1, 30.0, 1000.0])
def test_soft_round_is_a_long_sum_of_sigmoids(sharpness, dtype):
    """Value and slopes in x and in the sharpness agree with six hundred terms, on both sides of the change of form."""
    x, tol = X.astype(dtype), TOLERANCE[dtype]
    exact_x = x.astype(float)
    found, in_x, in_s = slopes_of_both(soft_round)(x, np.asarray(sharpness, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, sum_of_sigmoids(exact_x, sharpness), rtol=tol, atol=tol)
    assert_close(in_x, sum_of_sigmoids(exact_x, sharpness, "x"), tol * max(1, sharpness))
    np.testing.assert_allclose(in_s, sum_of_sigmoids(exact_x, sharpness, "s"), rtol=0, atol=tol)


@functools.cache
def compiled_soft_round():
    return quick_jit(lambda x, s: (soft_round(x, s), soft_round(x + 1, s), soft_round(-x, s)))


@settings(max_examples=40)
@given(st.floats(-50, 50), st.floats(0, 1), st.floats(0.05, 200))
def test_soft_round_is_monotone_odd_and_periodic(x, step, sharpness):
    """It never falls, is odd, moves by 1 with x, and stays within 1/2 of the rounding and e^-sd at a distance d."""
    here, one_on, mirrored = map(float, compiled_soft_round()(x, sharpness))
    further = float(compiled_soft_round()(x + step, sharpness)[0])
    assert further >= here - 1e-13 * (1 + abs(here))
    assert one_on == pytest.approx(here + 1, abs=1e-12)
    assert mirrored == pytest.approx(-here, abs=1e-12)
    d = abs(x - math.floor(x) - 0.5)
    assert abs(here - math.floor(x + 0.5)) <= min(0.5, math.exp(-sharpness * d)) + 1e-12 * (1 + abs(x))


def blurred_rounding(x, w):
    return smooth(jnp.round, w)(x)


def blurred_round(x, w, order=0):
    """Return the rounding, blurred by a Gaussian: a sum of normal distribution functions, or its derivative."""
    k = np.arange(-80, 80) + 0.5
    z = (x[:, None] - k) / w
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    terms = (scipy.special.ndtr(z) - (k < 0), density / w, -z * density / w**2)[order]
    return np.sum(terms, axis=1)


@pytest.mark.parametrize("width, rtol", [(0.05, 3e-4), (0.2, 3e-4), (0.137, 0.016), (0.5, 3e-4), (2.0, 1e-7)])
def test_smooth_rounding_is_a_sum_of_normal_distributions(width, rtol):
    """Value, two derivatives and that in the width: off by a shift of w / 40, far less where nodes straddle jumps."""
    x = X[abs(X) < 4]
    found = slopes(smooth(jnp.round, width), x)
    peaks = 1, 0.4 / width, 0.25 / width**2
    for order, peak in enumerate(peaks):
        np.testing.assert_allclose(found[order], blurred_round(x, width, order), rtol=0, atol=rtol * peak)
    in_width = slopes_of_both(blurred_rounding)(x, width)[2]
    np.testing.assert_allclose(in_width, width * blurred_round(x, width, 2), rtol=0, atol=rtol * peaks[2] * width)


@functools.cache
def compiled_smooth_step():
    return quick_jit(lambda x, place, width: smooth(lambda x: jnp.where(x > place, 1.0, 0.0), width)(x))


@settings(max_examples=15)
@given(st.floats(0.02, 3), st.floats(-1, 1))
def test_smoothed_step_is_within_a_hundredth_of_its_height(width, place):
    """Wherever a jump lies among the nodes, the value is off by at most 1 % of its height."""
    x = np.linspace(place - 3 * width, place + 3 * width, 50)
    found = compiled_smooth_step()(x, place, width)
    np.testing.assert_allclose(found, scipy.special.ndtr((x - place) / width), rtol=0, atol=0.0101)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_smooth_is_the_convolution_of_smooth_functions(dtype):
    """Straight lines are kept, sin shrinks by exp(-w^2 / 2), x^2 grows by w^2; with derivatives in x and in w."""
    x, w, tol = X.astype(dtype)[::4], 0.7, 20 * TOLERANCE[dtype]
    shrunk = math.exp(-(w**2) / 2)
    for f, expected in [
        (lambda x: 3 * x + 2, (3 * x + 2, 3 + 0 * x, 0 * x)),
        (jnp.sin, (shrunk * np.sin(x), shrunk * np.cos(x), -shrunk * np.sin(x))),
        (lambda x: x * x, (x * x + w**2, 2 * x, 2 + 0 * x)),
    ]:
        for found, theirs in zip(slopes(smooth(f, w), x), expected, strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, theirs, rtol=0, atol=tol * (1 + abs(expected[0]).max()))
    in_width = slopes_of_both(lambda x, w: smooth(jnp.sin, w)(x))(x, np.asarray(w, dtype))[2]
    np.testing.assert_allclose(in_width, -w * shrunk * np.sin(x), rtol=0, atol=tol)


def test_smooth_keeps_the_derivative_in_what_else_f_depends_on():
    """The slope in c of a blurred c round(x) is the blurred rounding; mixed second derivatives agree both ways."""
    f = lambda x, c: smooth(lambda x: c**2 * jnp.round(x), 0.2)(x)  # noqa: E731
    g = smooth(jnp.round, 0.2)
    value, slope, *found = quick_jit(
        lambda x, c: (
            *jax.value_and_grad(g)(x),
            *jax.grad(f, (0, 1))(x, c),
            jax.grad(jax.grad(f, 0), 1)(x, c),
            jax.grad(jax.grad(f, 1), 0)(x, c),
        )
    )(1.4, 3.0)
    value, slope = float(value), float(slope)
    assert_close(np.array(found), [9 * slope, 6 * value, 6 * slope, 6 * slope])
    assert jax.eval_shape(g, np.ones((2, 3))).shape == (2, 3)


def test_relaxations_pass_the_checks():
    """The derivatives of the relaxations are those of their values."""
    x = jnp.array([0.31, 1.47, -0.62])
    for f in (lambda x: soft_round(x, 8.0), lambda x: linear_round(x, 0.6)):
        push = quick_jit(lambda x, x_dot, f=f: jax.jvp(f, (x,), (x_dot,))[1])
        pull = quick_jit(lambda x, y_bar, f=f: jax.vjp(f, x)[1](y_bar)[0])
        check_derivatives(quick_jit(f), x, jvp=push, vjp=pull)


@pytest.mark.parametrize("name", ["C4", "E12"])
def test_derivative_of_floor_is_zero_between_jumps_of_one(name):
    """C4, E12: floor has slope 0 between the integers and jumps by 1 at them; its slope is never 1."""
    x = np.linspace(-3.05, 3.05, 62)
    np.testing.assert_array_equal(slopes(jnp.floor, x, 1)[1], np.zeros(62))
    np.testing.assert_array_equal(jnp.floor(np.arange(-3.0, 4)) - jnp.floor(np.arange(-3.0, 4) - 1e-9), np.ones(7))
    if name == "C4":
        # What stands for the jumps holds the same mass: the slopes of all relaxations integrate to 1 over a period.
        t = (np.arange(2000) + 0.5) / 2000
        relaxed = lambda x: linear_round(x, 0.2) + soft_round(x, 20.0) + smooth(jnp.round, 0.1)(x)  # noqa: E731
        assert np.mean(slopes(relaxed, t, 1)[1]) == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_log1pexp_does_not_overflow(dtype):
    """Value, first and second derivative are relatively right from -800 to 800, against mpmath at 40 digits."""
    points = np.array([-800.0, -40.0, -5.0, -0.5, 0.0, 0.5, 5.0, 20.0, 40.0, 800.0], dtype)
    if dtype == "float32":
        points = points / 10
    with mpmath.workdps(800):
        grown = [mpmath.exp(mpmath.mpf(float(x))) for x in points]
        expected = [
            [float(mpmath.log(1 + y)) for y in grown],
            [float(y / (1 + y)) for y in grown],
            [float(y / (1 + y) ** 2) for y in grown],
        ]
    for found, values in zip(slopes(log1pexp, points), expected, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, values, rtol=TOLERANCE[dtype], atol=float(np.finfo(dtype).tiny))
    assert np.isnan(slopes(lambda x: jnp.log(1 + jnp.exp(x)), np.array([800.0], dtype), 1)[1])  # why there is a rule


@pytest.mark.parametrize("dtype, sizes", [("float64", (1e-200, 1.0, 1e200)), ("float32", (1e-25, 1.0, 1e25))])
def test_safe_norm_neither_overflows_nor_vanishes(dtype, sizes):
    """Value, gradient and Hessian scale as they must, for tiny and huge entries, and mixed ones."""
    u = np.array([0.6, 0.8, 0.0])
    norm_derivatives = quick_jit(
        lambda x: (safe_norm(x), jax.grad(safe_norm)(x), jax.hessian(safe_norm)(x), jax.jacrev(jax.grad(safe_norm))(x))
    )
    for size in sizes:
        x = (5 * size * u).astype(dtype)
        value, slope, *seconds = norm_derivatives(x)
        assert value.dtype == dtype
        assert_close(np.asarray(value, float) / size, 5.0, TOLERANCE[dtype])
        assert_close(slope, u, TOLERANCE[dtype])
        for H in seconds:
            assert_close(np.asarray(H, float) * size, (np.eye(3) - np.outer(u, u)) / 5, TOLERANCE[dtype])
    mixed = np.array([sizes[0], sizes[2]], dtype)
    assert_close(np.asarray(safe_norm(mixed), float) / sizes[2], 1.0, TOLERANCE[dtype])


def test_safe_norm_has_the_slope_zero_at_zero():
    """Where the norm is zero all derivatives are, in both modes, also for some rows of a batch and beside others."""
    zero, x = np.zeros(3), np.array([[0.0, 0.0], [3.0, 4.0], [0.0, -2.0]])
    first = jax.grad(safe_norm), jax.jacfwd(safe_norm)
    second = [transform(df) for df in first for transform in (jax.jacfwd, jax.jacrev)]
    assert safe_norm(zero) == 0
    for found in quick_jit(lambda x: [df(x) for df in first + tuple(second)])(zero):
        np.testing.assert_array_equal(found, np.zeros(np.shape(found)))
    expected = np.array([[0.0, 0.0], [0.6, 0.8], [0.0, -1.0]])
    mapped, rows, columns = quick_jit(
        lambda x: (
            jax.vmap(jax.grad(safe_norm))(x),
            jax.grad(lambda x: safe_norm(x, axis=1).sum())(x),
            jax.grad(lambda x: safe_norm(x, axis=-2).sum())(x.T).T,
        )
    )(x)
    for found in (mapped, rows, columns):
        assert_close(found, expected)
    assert np.isnan(slopes(lambda t: jnp.sqrt(t**2), np.zeros(1), 1)[1])  # why there is a rule


def test_safe_norm_hides_no_nan():
    """Where an element is NaN, so are the norm, its slopes and their slopes; in other rows they are not."""
    x = jnp.array([[np.nan, 1.0], [3.0, 4.0]])
    total = lambda x: custom_rules.safe_norm(x, 1).sum()  # noqa: E731
    gradient, hessian = jax.grad(total)(x), jax.hessian(total)(x)
    assert np.isnan(gradient[0]).all()
    assert np.isnan(hessian[0, :, 0]).all()
    assert np.allclose(gradient[1], [0.6, 0.8], rtol=1e-15)
    assert np.isfinite(hessian[1]).all()


def test_safe_norm_along_axes():
    """Norms along each axis, counted from either end and as NumPy's integers, are those of NumPy."""
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    assert_close(safe_norm(x), np.linalg.norm(x))
    axes = 0, 1, 2, -1, -3, np.int64(1)
    norms = quick_jit(lambda x: [safe_norm(x, axis=axis) for axis in axes])(x)
    for axis, found in zip(axes, norms, strict=True):
        assert_close(found, np.linalg.norm(x, axis=axis))


def test_a6_new_primitive_for_the_inverse():
    """A6: the recursion of either mode stops at a primitive that is registered, with no look inside; it agrees."""
    inverse = primitives.define(
        "inverse",
        np.linalg.inv,
        jvp=lambda A_dot, C, A: -(C @ A_dot @ C),
        vjp=lambda C_bar, C, A: -(C.T @ C_bar @ C.T),
    )
    A = tame()
    C, C_dot, A_bar = derivatives("inv")(A, E, G)
    f = lambda A: primitives.sin(inverse(A))  # noqa: E731
    found, pushed = forward_mode.jvp(f, (A,), (E,))
    value, pull = reverse_mode.vjp(f, A)
    assert_close(found, np.sin(C))
    assert_close(value, found)
    assert_close(pushed, np.cos(C) * C_dot)
    assert_close(forward_mode.jvp(inverse, (A,), (E,))[1], C_dot)
    assert_close(reverse_mode.vjp(inverse, A)[1](G)[0], A_bar)
    assert_close(pull(G)[0], jax.vjp(lambda A: jnp.sin(inv(A)), A)[1](G)[0])


def test_a22_value_and_derivative_are_separate_programs():
    """A22: the body of a function with a rule is called for its value, never differentiated."""
    calls = []

    @jax.custom_jvp
    def f(x):
        # A callback, which has no derivative: to differentiate the body would be an error.
        return jax.pure_callback(lambda x: calls.append(1) or np.sin(x), jax.ShapeDtypeStruct((), x.dtype), x)

    f.defjvp(lambda primals, tangents: (f(*primals), jnp.cos(*primals) * tangents[0]))
    x = jnp.asarray(0.5)
    for derivative in (lambda: jax.grad(f)(x), lambda: jax.jvp(f, (x,), (1.0,))[1]):
        calls.clear()
        assert_close(derivative(), math.cos(0.5))
        assert len(calls) <= 1
    # So do our own: cosm runs in SciPy, and has its derivatives.
    assert_close(derivatives("cosm")(tame(), E, G)[1], exact("cosm", tame(), E))
    with pytest.raises(ValueError, match=r"[Pp]ure callback|pure_callback"):
        jax.grad(lambda A: jnp.sum(called_back(scipy.linalg.cosm)(A)))(tame())


def test_a23_rule_for_sin_x_y(without_x64):
    """A23: the rule of sin(x) y at (2, 3) along (1, 0) gives 2.7278922 and -1.2484405, in single precision."""

    @jax.custom_jvp
    def wave(height, phase):
        return height * jnp.sin(phase)

    @wave.defjvp
    def _(primals, tangents):
        (height, phase), (height_dot, phase_dot) = primals, tangents
        return wave(height, phase), height_dot * jnp.sin(phase) + height * jnp.cos(phase) * phase_dot

    value, pushed = jax.jvp(wave, (3.0, 2.0), (0.0, 1.0))
    assert value.dtype == pushed.dtype == np.float32
    np.testing.assert_allclose([value, pushed], [2.7278922, -1.2484405], rtol=3e-7)
    np.testing.assert_allclose(jax.grad(wave, (1, 0))(3.0, 2.0), [-1.2484405, math.sin(2)], rtol=3e-7)


def test_single_precision_by_default(without_x64):
    """For a reader who has not switched to float64, Python's numbers and lists become float32."""
    calls = (
        lambda: inv([[2.0]]), lambda: solve([[2.0]], [1.0]), lambda: sqrtm([[2.0]]), lambda: log1pexp(0.0),
        lambda: linear_round(2.3, 1), lambda: soft_round(2.3, 4), lambda: smooth(jnp.round, 0.2)(1.4),
        lambda: safe_norm([3.0]), lambda: straight_through(jnp.round)(2.3),
    )  # fmt: skip
    assert all(found.dtype == np.float32 for found in quick_jit(lambda: [call() for call in calls])())
    found = quick_jit(jax.grad(lambda A: matrix_function(lambda A: A @ A)(A).sum()))(np.eye(2))
    assert found.dtype == np.float32
    assert_close(found, np.full((2, 2), 2.0), 1e-6)


SQUARE = {
    "inv": inv,
    "sqrtm": sqrtm,
    "logm": logm,
    "solve": lambda A: solve(A, np.ones(2)),
    "matrix_function": FUNCTIONS["cubic"][0],
}
NAMES = {name: f"`custom_rules.{name}(A=...)` should" for name in SQUARE}
NAMES["matrix_function"] = "`custom_rules.matrix_function(f)(A)` should"
NO_SQUARE = {
    "complex": (np.eye(2) * 1j, TypeError, "hold float32 or float64. Got complex128. Only real functions"),
    "integers": (np.eye(2, dtype=int), TypeError, "hold floating point numbers. Got int64. Write 2.0 for 2"),
    "booleans": (np.eye(2, dtype=bool), TypeError, "hold floating point numbers. Got bool"),
    "list of integers": ([[1, 2], [3, 4]], TypeError, "hold floating point numbers. Got int64"),
    "float16": (np.eye(2, dtype=np.float16), TypeError, "hold float32 or float64. Got float16. Convert it."),
    "bfloat16": (jnp.eye(2, dtype=jnp.bfloat16), TypeError, "hold float32 or float64. Got bfloat16. Convert it."),
    "not square": (np.ones((2, 3)), ValueError, "have shape (n, n), with n at least 1. Got shape (2, 3)."),
    "number": (3.0, ValueError, "have shape (n, n), with n at least 1. Got shape ()."),
    "vector": (np.ones(2), ValueError, "have shape (n, n), with n at least 1. Got shape (2,)."),
    "empty": (np.ones((0, 0)), ValueError, "have shape (n, n), with n at least 1. Got shape (0, 0)."),
    "stack": (np.ones((2, 2, 2)), ValueError, "Got shape (2, 2, 2). For a stack of matrices, use jax.vmap."),
}


@pytest.mark.parametrize("A, kind, words", NO_SQUARE.values(), ids=NO_SQUARE)
def test_what_is_no_square_matrix_of_floats_is_refused(A, kind, words):
    """Each function names itself, what it should be given, and what it got; jitted and differentiated, too."""
    for name, f in SQUARE.items():
        for call in (f, jax.jit(f)):
            with pytest.raises(kind, match=re.escape(words)) as caught:
                call(A if call is f else jnp.asarray(A))
            assert str(caught.value).startswith(NAMES[name])


def wrong_width(name, call, words):
    """Enter what no width may be, for one function."""
    values = {"zero": 0.0, "negative": -1, "nan": np.nan, "infinite": np.inf, "none": None, "text": "wide",
              "array": np.ones(2), "complex": 1j, "boolean": True, "float16": np.float16(1)}  # fmt: skip
    kinds = dict.fromkeys(("none", "text", "complex", "boolean", "float16"), TypeError)
    for key, value in values.items():
        yield f"{name} {key}", (functools.partial(call, value), kinds.get(key, ValueError), words)


BAD = {
    "f no function": (
        lambda: matrix_function(3),
        TypeError,
        "`custom_rules.matrix_function(f=...)` should be callable",
    ),
    "f to a number": (lambda: matrix_function(jnp.trace), ValueError, "that it takes, (3, 3). Got shape ()."),
    "f to a pair": (lambda: matrix_function(lambda A: (A, A)), ValueError, "that it takes, (3, 3). Got tuple."),
    "f to another shape": (lambda: matrix_function(lambda A: A[:, :2]), ValueError, "(3, 3). Got shape (3, 2)."),
    "f to another dtype": (
        lambda: matrix_function(lambda A: A.astype("float32")),
        TypeError,
        "`custom_rules.matrix_function(f=...)` should return the dtype that it takes, float64. Got float32.",
    ),
    "f to float64 always": (
        lambda: matrix_function(lambda A: A @ A.astype("float64"))(np.eye(2, dtype="float32")),
        TypeError,
        "should return the dtype that it takes, float32. Got float64.",
    ),
    "solve b": (lambda: solve(np.eye(2), np.ones(3)), ValueError, "`custom_rules.solve(b=...)` should have shape (2,)"),
    "solve b number": (lambda: solve(np.eye(2), 1.0), ValueError, "(2,) or (2, k)"),
    "solve b stack": (lambda: solve(np.eye(2), np.ones((2, 1, 1))), ValueError, "(2,) or (2, k)"),
    "solve b integers": (
        lambda: solve(np.eye(2), np.ones(2, int)),
        TypeError,
        "`custom_rules.solve(b=...)` should hold floating point numbers. Got int64.",
    ),
    "through no function": (
        lambda: straight_through(3.0),
        TypeError,
        "`custom_rules.straight_through(f=...)` should be callable. Got float.",
    ),
    "through shape": (
        lambda: straight_through(jnp.sum)(np.ones(2)),
        ValueError,
        "`custom_rules.straight_through(f=...)` should keep shape (2,) and float64. Got shape () and float64.",
    ),
    "through dtype": (
        lambda: straight_through(lambda x: x.astype(int))(np.ones(2)),
        TypeError,
        "should keep shape (2,) and float64. Got shape (2,) and int64.",
    ),
    "through integers": (
        lambda: straight_through(jnp.round)(2),
        TypeError,
        "`custom_rules.straight_through(f)(x)` should hold floating point numbers. Got int64. Write 2.0 for 2",
    ),
    "smooth no function": (
        lambda: smooth(3.0, 0.1),
        TypeError,
        "`custom_rules.smooth(f=...)` should be callable. Got float.",
    ),
    "smooth shape": (
        lambda: smooth(jnp.sum, 0.1)(1.0),
        ValueError,
        "should work on each element and keep shape (320,)",
    ),
    "smooth dtype": (
        lambda: smooth(lambda x: x > 0, 0.1)(1.0),
        TypeError,
        "`custom_rules.smooth(f=...)` should work on each element",
    ),
    "smooth integers": (lambda: smooth(jnp.round, 0.1)(1), TypeError, "`custom_rules.smooth(f, width)(x)` should hold"),
    "linear_round integers": (
        lambda: linear_round(1, 0.5),
        TypeError,
        "`custom_rules.linear_round(x=...)` should hold",
    ),
    "linear_round too wide": (
        lambda: linear_round(0.3, 1.5),
        ValueError,
        "`custom_rules.linear_round(width=...)` should lie above 0 and be at most 1. Got 1.5.",
    ),
    "soft_round integers": (lambda: soft_round(1, 5.0), TypeError, "`custom_rules.soft_round(x=...)` should hold"),
    "log1pexp integers": (lambda: log1pexp(1), TypeError, "`custom_rules.log1pexp(x=...)` should hold floating"),
    "log1pexp complex": (lambda: log1pexp(1j), TypeError, "Got complex128. Only real functions have derivatives here."),
    "norm integers": (lambda: safe_norm([3, 4]), TypeError, "`custom_rules.safe_norm(x=...)` should hold floating"),
    "norm empty": (lambda: safe_norm(np.ones(0)), ValueError, "`custom_rules.safe_norm(x=...)` should have elements"),
    "norm empty rows": (lambda: safe_norm(np.ones((2, 0)), axis=1), ValueError, "along the axis. Got shape (2, 0)."),
    "norm axis": (
        lambda: safe_norm(np.ones((2, 3)), axis=2),
        ValueError,
        "`custom_rules.safe_norm(axis=...)` should be one of the 2 axes of x, or None. Got 2.",
    ),
    "norm negative axis": (lambda: safe_norm(np.ones((2, 3)), axis=-3), ValueError, "2 axes of x, or None. Got -3."),
    "norm two axes": (lambda: safe_norm(np.ones((2, 3)), axis=(0, 1)), ValueError, "or None. Got (0, 1)."),
    "norm of a number": (lambda: safe_norm(2.0, axis=0), ValueError, "`custom_rules.safe_norm(axis=...)` should"),
    "norm axis true": (lambda: safe_norm(np.ones((2, 3)), axis=True), ValueError, "or None. Got True."),
    **dict(
        wrong_width("linear_round", lambda w: linear_round(0.3, w), "`custom_rules.linear_round(width=...)` should")
    ),
    **dict(wrong_width("soft_round", lambda s: soft_round(0.3, s), "`custom_rules.soft_round(sharpness=...)` should")),
    **dict(wrong_width("smooth", lambda w: smooth(jnp.round, w), "`custom_rules.smooth(width=...)` should")),
}


@pytest.mark.parametrize("call, kind, words", BAD.values(), ids=BAD)
def test_bad_input_gets_a_clear_error(call, kind, words):
    """The error names the call, what it should be given, and what it got."""
    with pytest.raises(kind, match=re.escape(words)) as caught:
        call()
    assert str(caught.value).startswith("`custom_rules.")


def test_all_names_are_public():
    """What the package lists is there, and nothing is listed that is not."""
    assert sorted(custom_rules.__all__) == custom_rules.__all__
    assert all(callable(getattr(custom_rules, name)) for name in custom_rules.__all__)
