"""Derivatives of matrix functions by the block rule, against JAX's own rules and against an unrolled iteration."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import expm

from autodiff_tutorial import custom_rules
from benchmarks.timing import compare, row

PEERS = ("jax", "scipy")
TOLERANCE = 1e-9


def rows():
    """Time gradients and a Hessian-vector product of e^A, and gradients of A^(1/2) and of a linear system."""
    exponentials = {"matrix_function(expm)": custom_rules.matrix_function(expm), "jax expm": expm}
    for n in (10, 100):
        A, V = np.random.default_rng(0).normal(size=(2, n, n)) / np.sqrt(n)
        gradients = {name: _gradient(f) for name, f in exponentials.items()}
        yield _compared(f"exp(A), n = {n}, gradient", gradients, A)
        products = {name: _along(gradient, V) for name, gradient in gradients.items()}
        yield _compared(f"exp(A), n = {n}, Hessian-vector product", products, A)
    for n in (10, 100):
        X = np.random.default_rng(0).normal(size=(n, n)) / np.sqrt(n)
        P = X @ X.T + np.eye(n)
        programs = {
            "sqrtm": jax.grad(lambda A: jnp.sum(custom_rules.sqrtm(A) ** 3)),
            "unrolled, 10 steps": jax.grad(lambda A: jnp.sum(_denman_beavers(A) ** 3)),
        }
        yield _compared(f"square root of A, n = {n}, gradient", programs, P)
    A, b = np.eye(300) + np.random.default_rng(0).normal(size=(300, 300)) / 60, np.ones(300)
    programs = {
        "solve": jax.grad(lambda A: jnp.sum(custom_rules.solve(A, b) ** 2)),
        "jax.numpy.linalg.solve": jax.grad(lambda A: jnp.sum(jnp.linalg.solve(A, b) ** 2)),
    }
    yield _compared("linear system, n = 300, gradient", programs, A)


def _gradient(f):
    return jax.grad(lambda A: jnp.sum(f(A) ** 2))


def _along(gradient, V):
    return lambda A: jax.jvp(gradient, (A,), (jnp.asarray(V),))[1]


def _denman_beavers(A):
    X, Y = A, jnp.eye(len(A))
    for _ in range(10):
        X, Y = (X + jnp.linalg.inv(Y)) / 2, (Y + jnp.linalg.inv(X)) / 2
    return X


def _compared(problem, programs, A):
    """Compile both, see that they agree, and time them; the error of both is their difference."""
    A = jnp.asarray(A)
    compiled = {name: jax.jit(program) for name, program in programs.items()}
    ours, peer = (compiled[name](A) for name in programs)
    error = float(jnp.max(abs(ours - peer)) / jnp.max(abs(peer)))
    assert error <= TOLERANCE, (problem, error)
    names = list(programs)
    times = compare({name: lambda program=compiled[name]: program(A) for name in names})
    return row("PM", problem, *names, times, dict.fromkeys(names, error))
