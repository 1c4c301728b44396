"""M: the gradient of one function of n variables, by every method of the library."""

from functools import cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from autodiff_tutorial import finite_differences, forward_mode, linear_maps, primitives, reverse_mode, sparse, symbolic
from benchmarks.timing import QUICK, compare, row

PEERS = ("sympy",)
SIZES = (10, 100, 1000, 10_000) if QUICK else (10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000)
# A method that takes longer is not asked for more variables; nor is SymPy, which takes long to find the formula.
LONGEST, MOST_SYMBOLS = 0.1, 300


def rows():
    """Time all methods for more and more variables, and hold them against the formula in extended precision."""
    too_slow = set()
    for n in SIZES:
        x = np.random.default_rng(0).uniform(-1, 1, n)
        truth, last = _formula(np.longdouble(x)), {}
        names = [name for name in METHODS if name not in too_slow and (n <= MOST_SYMBOLS or "symbolic" not in name)]
        times = compare({name: partial(_kept, last, name, cache(partial(METHODS[name], x))) for name in names}, 5)
        errors = {name: float(np.max(abs(np.ravel(last[name]) - truth)) / np.max(abs(truth))) for name in names}
        for name in names:
            yield row("M", f"gradient, n = {n}", name, PEER, times, errors) | {"n": n}
        too_slow |= {name for name in names if times[name]["median"] > LONGEST}


def _kept(last, name, make):
    """Make the gradient in the first call, which so takes the time for a formula and for compiling."""
    last[name] = make()()
    return last[name]


def _terms(m, x):
    """Return n numbers, of which each depends on its two neighbors; f is their sum. `m` has the functions."""
    return m.exp(-x[:-1]) * m.cos(x[:-1] * x[1:])


def _formula(x):
    decay, product = np.exp(-x[:-1]), x[:-1] * x[1:]
    gradient = np.zeros_like(x)
    gradient[:-1] = -decay * (np.cos(product) + x[1:] * np.sin(product))
    gradient[1:] -= decay * x[:-1] * np.sin(product)
    return gradient


def _on_host(x):
    return _terms(np, x).sum()


def _on_jax(x):
    return jnp.sum(_terms(jnp, x))


def _by_tape(x):
    return primitives.sum(_terms(primitives, x))


def _differences(scheme, x):
    return lambda: finite_differences.jacobian(_on_host, x, scheme=scheme).df


def _symbolic(backend, x):
    symbols = sympy.symbols(f"x:{len(x)}")
    f = sum(sympy.exp(-a) * sympy.cos(a * b) for a, b in pairwise(symbols))
    compiled = symbolic.compile(symbolic.gradient(f, symbols), symbols, backend=backend)
    values = [float(value) for value in x] if backend == "numpy" else [jnp.asarray(value) for value in x]
    return lambda: compiled(*values)


def _jitted(gradient, x):
    return partial(jax.jit(gradient), jnp.asarray(x))


def _pulled(x):
    """Pull the number one back through f: a row of its Jacobian, of the linear map that is transposed."""
    return linear_maps.jacobian(_on_jax, x).T.mv(jnp.ones(1))


def _by_terms(x):
    """Sum the Jacobian of the terms over its rows: two colors, so two passes of forward mode, whatever n is."""
    jacobian = sparse.jacobian(partial(_terms, jnp), x)

    def gradient(x):
        found = jacobian(x)
        return jnp.zeros_like(x).at[found.indices[:, 1]].add(found.data)

    return _jitted(gradient, x)


PEER = "jax.grad, jitted"
METHODS = {
    "finite_differences, forward": partial(_differences, "forward"),
    "finite_differences, central": partial(_differences, "central"),
    "finite_differences, complex": partial(_differences, "complex"),
    "symbolic, numpy": partial(_symbolic, "numpy"),
    "symbolic, jax": partial(_symbolic, "jax"),
    "forward_mode, NumPy": lambda x: lambda: forward_mode.jacfwd(_by_tape)(x),
    "forward_mode, jitted": partial(_jitted, forward_mode.jacfwd(_by_tape)),
    "reverse_mode, NumPy": lambda x: lambda: reverse_mode.grad(_by_tape)(x),
    "reverse_mode, jitted": partial(_jitted, reverse_mode.grad(_by_tape)),
    "linear_maps, jitted": partial(_jitted, _pulled),
    "sparse, of the terms": _by_terms,
    PEER: partial(_jitted, jax.grad(_on_jax)),
}
