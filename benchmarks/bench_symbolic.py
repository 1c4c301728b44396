"""P7: the Hessian of an expression of six variables, compiled and run, against SymPy's lambdify and sympy2jax."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy
import sympy2jax

from autodiff_tutorial import symbolic
from benchmarks.timing import QUICK, compare, row

PEERS = ("sympy", "sympy2jax")
TOLERANCE = 1e-12


def rows():
    """Time from the expression to the first value, and then each call; check that all values agree with JAX's."""
    x = sympy.symbols("x1:7")
    H = symbolic.hessian(_bowl(sympy, x), x)
    point = [jnp.asarray(v) for v in np.linspace(0.1, 0.6, 6)]
    plain = [float(v) for v in point]
    truth = jax.hessian(lambda p: _bowl(jnp, p))(jnp.stack(point))
    names = [s.name for s in x]

    def with_sympy2jax():
        module = sympy2jax.SymbolicModule(list(H))
        return jax.jit(lambda *p: jnp.stack(module(**dict(zip(names, p, strict=True)))).reshape(6, 6))

    builders = {
        "compile, numpy": (lambda: symbolic.compile(H, x), plain),
        "compile, jax": (lambda: symbolic.compile(H, x, backend="jax"), point),
        "lambdify, numpy": (lambda: sympy.lambdify(x, H, "numpy"), plain),
        "lambdify, jax, jitted": (lambda: jax.jit(sympy.lambdify(x, H, "jax")), point),
        "sympy2jax, jitted": (with_sympy2jax, point),
    }

    def first_value(name):
        build, arguments = builders[name]
        sympy.core.cache.clear_cache()
        built[name] = build()
        return built[name](*arguments)

    built = {}
    # Of JAX by way of lambdify, half a minute a call, there is time only in a full run.
    for name in [name for name in builders if QUICK and name.startswith("lambdify, jax")]:
        del builders[name]
    compile_times = compare({name: partial(first_value, name) for name in builders}, 3)
    errors = {
        name: float(abs(built[name](*arguments) - truth).max() / abs(truth).max())
        for name, (_, arguments) in builders.items()
    }
    assert max(errors.values()) <= TOLERANCE, errors
    run_times = compare({name: lambda name=name: built[name](*builders[name][1]) for name in builders})
    pairs = [
        ("compile, numpy", "lambdify, numpy"),
        ("compile, jax", "lambdify, jax, jitted"),
        ("compile, jax", "sympy2jax, jitted"),
    ]
    problem = f"Hessian of 6 variables, {symbolic.operation_count(H)} operations"
    found = []
    for ours, peer in (pair for pair in pairs if pair[1] in builders):
        found.append(row("P7", f"{problem}: first value", ours, peer, compile_times, errors, 10))
        found.append(row("P7", f"{problem}: one call", ours, peer, run_times, errors, 1))
    return found


def _bowl(m, x):
    product = x[0] * x[1] * x[2] * x[3] * x[4] * x[5]
    pairs = sum(x[i] * x[j] * m.sin(x[i] - x[j]) for i in range(6) for j in range(i))
    return m.exp(-pairs) * m.sqrt(1 + sum(v**2 for v in x)) / (1 + m.cos(product))
