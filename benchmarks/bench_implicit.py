"""P5: derivatives of roots and fixed points, against optimistix and against iterations that are unrolled."""

import time

import jax
import jax.numpy as jnp
import lineax
import numpy as np
import optimistix
from scipy.linalg import solve_banded

from autodiff_tutorial import implicit
from benchmarks.timing import QUICK, compare, row

PEERS = ("optimistix", "lineax", "equinox")
TOLERANCE = 1e-6
# What suffices for Newton's last step, as convergence is quadratic or nearly so; the same for both.
LOOSE = {"rtol": 1e-8, "atol": 1e-8}
# The loosest power of ten with which each gets the gradients of both layers to 1e-9; ours bounds the error of a
# repeated map, the peer its last step.
STEPS = {"anderson": 1e-11, "picard": 1e-10, "optimistix": 1e-11}
# A quick run leaves out the smaller chain and the layer of quick convergence.
SIZES = (10**5,) if QUICK else (2000, 10**5)
LAYERS = ("symmetric W of norm 0.95",) if QUICK else ("W of norm 0.7", "symmetric W of norm 0.95")
DENSE = lineax.AutoLinearSolver(well_posed=None)


def rows():
    """Time gradients and Hessians of a chain, of a layer that is a fixed point, and of many equations at once."""
    return [*_chains(), *_layers(), *_kepler()]


def _chains():
    a = np.array([2.0, 0.7])
    derivatives = {
        "gradient in n numbers": lambda f: jax.grad(f, 1),
        "Hessian in 2 numbers": jax.hessian,
    }
    pairs = [
        ("gmres", "optimistix, GMRES"),
        ("bicgstab", "optimistix, BiCGStab"),
        ("tridiagonal", "optimistix, tridiagonal"),
        ("gmres", "optimistix, dense"),
    ]
    for n in SIZES:
        values = {
            "gmres": _chain("gmres"),
            "optimistix, GMRES": _chain_in_optimistix(*(lineax.GMRES(tol, tol / n) for tol in (1e-4, 1e-10))),
            "bicgstab": _chain("bicgstab"),
            "optimistix, BiCGStab": _chain_in_optimistix(*(lineax.BiCGStab(tol, tol / n) for tol in (1e-4, 1e-11))),
            "tridiagonal": _chain(_tridiagonal),
            "optimistix, tridiagonal": _chain_in_optimistix(DENSE, DENSE, frozenset({lineax.tridiagonal_tag})),
            "optimistix, dense": _chain_in_optimistix(DENSE, DENSE),
        }
        if n > 2000:
            del values["optimistix, dense"], pairs[3]
        for (problem, derivative), truth in zip(derivatives.items(), _chain_truth(n, a), strict=True):
            programs = {name: derivative(value) for name, value in values.items()}
            yield from _compared(f"chain, n = {n}, {problem}", programs, pairs, (a, jnp.zeros(n)), truth)


def _chain_residual(y, args):
    a, source = args
    i = jnp.arange(1, y.size + 1)
    return y**3 + 4 * y - jnp.pad(y[:-1], (1, 0)) - jnp.pad(y[1:], (0, 1)) - a[0] * jnp.sin(i * a[1]) - source


def _chain(linear_solve):
    def value(a, source):
        y0, options = jnp.zeros_like(source), {"linear_solve": linear_solve, **LOOSE}
        return jnp.mean(implicit.root(_chain_residual, y0, (a, source), **options).y ** 2)

    return value


def _chain_in_optimistix(in_steps, in_derivative, tags=frozenset()):
    # For systems that only serve its steps loose tolerances suffice, too.
    solver = optimistix.Newton(**LOOSE, linear_solver=in_steps)
    adjoint = optimistix.ImplicitAdjoint(in_derivative)

    def value(a, source):
        y0 = jnp.zeros_like(source)
        found = optimistix.root_find(_chain_residual, solver, y0, (a, source), adjoint=adjoint, tags=tags)
        return jnp.mean(found.value**2)

    return value


def _tridiagonal(matvec, b):
    """Read three diagonals off three products, as a user does who knows that there are no others."""
    places = jnp.arange(b.size)
    products = jax.vmap(matvec)((places % 3 == jnp.arange(3)[:, None]).astype(b.dtype))
    below, middle, above = (
        jnp.where(columns % 3 == 0, products[0], jnp.where(columns % 3 == 1, products[1], products[2]))
        for columns in (places + 2, places, places + 1)
    )
    return jax.lax.linalg.tridiagonal_solve(below.at[0].set(0), middle, above.at[-1].set(0), b[:, None])[:, 0]


def _chain_truth(n, a):
    """Return the gradient in the sources, by a banded system, and the Hessian, by complex steps over such systems."""
    i, ones = np.arange(1, n + 1), -np.ones(n)

    def gradients(a):
        def solve(y, b):
            return solve_banded((1, 1), np.stack([ones, 3 * y**2 + 4, ones]), b)

        y = np.zeros(n, a.dtype)
        for _ in range(12):
            beside = np.pad(y[:-1], (1, 0)) + np.pad(y[1:], (0, 1))
            y = y - solve(y, y**3 + 4 * y - beside - a[0] * np.sin(i * a[1]))
        by_source = solve(y, 2 * y / n)
        return np.stack([by_source @ np.sin(i * a[1]), by_source @ (a[0] * i * np.cos(i * a[1]))]), by_source

    h = 1e-30
    return gradients(a)[1], np.stack([gradients(a + 1j * h * e)[0].imag / h for e in np.eye(2)], axis=1)


def _layers():
    random = np.random.default_rng(0)
    drawn, drive = random.normal(size=(256, 256)), random.normal(size=(64, 256))
    symmetric = drawn + drawn.T
    for problem, W, x in (
        ("W of norm 0.7", 0.7 * drawn / np.linalg.norm(drawn, 2), drive),
        ("symmetric W of norm 0.95", 0.95 * symmetric / np.linalg.norm(symmetric, 2), 0.1 * drive),
    ):
        if problem not in LAYERS:
            continue
        truth, steps = _layer_truth(W, x)
        unrolled = f"unrolled, {steps} steps"
        layers = {
            "anderson, gmres": _layer_in_ours("anderson", "gmres"),
            "picard, gmres": _layer_in_ours("picard", "gmres"),
            "picard, bicgstab": _layer_in_ours("picard", "bicgstab"),
            "optimistix, GMRES": _layer_in_optimistix(lineax.GMRES(1e-10, 1e-12)),
            "optimistix, BiCGStab": _layer_in_optimistix(lineax.BiCGStab(1e-11, 1e-14)),
            unrolled: lambda z, *args, steps=steps: jax.lax.scan(lambda z, _: (_layer(z, args), None), z, length=steps)[
                0
            ],
        }
        pairs = [
            ("anderson, gmres", "optimistix, GMRES"),
            ("picard, gmres", "optimistix, GMRES"),
            ("picard, bicgstab", "optimistix, BiCGStab"),
            ("picard, bicgstab", unrolled),
        ]
        programs = {name: jax.grad(_loss(layer), (0, 1)) for name, layer in layers.items()}
        yield from _compared(f"layer of 256, batch of 64, {problem}", programs, pairs, (W, x), truth)


def _layer(z, args):
    W, x = args
    return jnp.tanh(W @ z + x)


def _loss(layer):
    return lambda W, x: jnp.mean(jax.vmap(lambda x: layer(jnp.zeros_like(x), W, x))(x) ** 2)


def _layer_in_ours(method, linear_solve):
    options = {"method": method, "linear_solve": linear_solve, "rtol": STEPS[method], "atol": STEPS[method]}
    return lambda z, *args: implicit.fixed_point(_layer, z, args, **options).y


def _layer_in_optimistix(linear_solver):
    solver = optimistix.FixedPointIteration(rtol=STEPS["optimistix"], atol=STEPS["optimistix"])
    adjoint = optimistix.ImplicitAdjoint(linear_solver)
    return lambda z, *args: optimistix.fixed_point(_layer, solver, z, args, max_steps=10_000, adjoint=adjoint).value


def _layer_truth(W, x):
    """Return both gradients, by dense systems, and how many steps bring z within 1e-10 of the fixed point."""
    path = [np.zeros_like(x)]
    while len(path) < 3 or (np.any(path[-1] != path[-2]) and len(path) < 3000):
        path.append(np.tanh(path[-1] @ W.T + x))
    z = path[-1]
    steps = next(k for k, at in enumerate(path) if abs(at - z).max() <= 1e-10)
    slopes = 1 - z**2
    systems = np.eye(len(W)) - np.swapaxes(slopes[:, :, None] * W, 1, 2)
    by_x = slopes * np.linalg.solve(systems, 2 * z[:, :, None] / z.size)[:, :, 0]
    return (by_x.T @ z, by_x), steps


def _kepler():
    random = np.random.default_rng(0)
    eccentricity, M = random.uniform(0, 0.9, 10**5), random.uniform(0, np.pi, 10**5)
    names = frozenset({lineax.diagonal_tag})

    def each(solve):
        return lambda e, M: jnp.mean(jax.vmap(solve)(e, M) ** 2)

    def in_optimistix(solver, linear_solver, tags=frozenset()):
        adjoint, between = optimistix.ImplicitAdjoint(linear_solver), isinstance(solver, optimistix.Bisection)
        return lambda e, M: optimistix.root_find(
            _kepler_residual, solver, _start(e, M), (e, M), adjoint=adjoint, tags=tags,
            options={"lower": M - 1, "upper": M + 1} if between else None,
        ).value  # fmt: skip

    def unrolled(e, M):
        E = _start(e, M)
        for _ in range(10):
            E -= _kepler_residual(E, (e, M)) / (1 - e * jnp.cos(E))
        return E

    values = {
        "newton": each(lambda e, M: implicit.root(_kepler_residual, _start(e, M), (e, M), **LOOSE).y),
        "optimistix, Newton": each(in_optimistix(optimistix.Newton(**LOOSE), DENSE)),
        "optimistix, Newton, Diagonal": each(
            in_optimistix(optimistix.Newton(**LOOSE, linear_solver=lineax.Diagonal()), lineax.Diagonal(), names)
        ),
        "unrolled, 10 steps": each(unrolled),
        "bisection": each(
            lambda e, M: implicit.root(
                _kepler_residual, M, (e, M), method="bisection", bracket=(M - 1, M + 1)
            ).y
        ),
        "optimistix, Bisection": each(in_optimistix(optimistix.Bisection(1e-14, 1e-14), DENSE)),
    }  # fmt: skip
    pairs = [("newton", name) for name in list(values)[1:4]] + [("bisection", "optimistix, Bisection")]
    programs = {name: jax.grad(value, (0, 1)) for name, value in values.items()}
    E = np.asarray(_start(eccentricity, M))
    for _ in range(20):
        E = E - (E - eccentricity * np.sin(E) - M) / (1 - eccentricity * np.cos(E))
    by_M = 2 * E / E.size / (1 - eccentricity * np.cos(E))
    truth = by_M * np.sin(E), by_M
    yield from _compared("10^5 Kepler equations, gradient", programs, pairs, (eccentricity, M), truth)


def _kepler_residual(E, args):
    e, M = args
    return E - e * jnp.sin(E) - M


def _start(e, M):
    return M + 0.85 * e


def _compared(problem, programs, pairs, args, truth):
    """Compile all, compare them with the truth, and time them in pairs; memory is what XLA needs besides the arrays."""
    args = jax.tree.map(jnp.asarray, args)
    compiled, seconds, errors, kept = {}, {}, {}, {}
    for name, program in programs.items():
        start = time.perf_counter()
        compiled[name] = jax.jit(program).lower(*args).compile()
        seconds[name] = time.perf_counter() - start
        kept[name] = compiled[name].memory_analysis().temp_size_in_bytes
        errors[name] = max(
            float(np.max(abs(part - true)) / np.max(abs(true)))
            for part, true in zip(jax.tree.leaves(compiled[name](*args)), jax.tree.leaves(truth), strict=True)
        )
    assert max(errors.values()) <= TOLERANCE, (problem, errors)
    for ours, peer in pairs:
        times = compare({name: lambda p=compiled[name]: p(*args) for name in (ours, peer)})
        for name, time_of in times.items():
            time_of |= {"first": time_of["first"] + seconds[name], "bytes": kept[name]}
        yield row("P5", problem, ours, peer, times, errors, 1)
