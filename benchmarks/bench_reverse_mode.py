"""P2, P2e: gradients by our tape, compiled against `jax.grad`, and on NumPy against HIPS autograd."""

from functools import partial
from importlib.util import find_spec
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial import primitives, reverse_mode
from benchmarks.timing import compare, row

PEERS = ("autograd",)
TOLERANCE = 1e-10


def rows():
    """Time gradients of three programs, and check that all contenders find the same one."""
    found = []
    for problem, program, args in _problems():
        on_jax = jax.tree.map(jnp.asarray, args)
        jitted = {
            "jitted": lambda program=program: jax.jit(reverse_mode.grad(program(primitives, primitives.scan))),
            "jax.grad, jitted": lambda program=program: jax.jit(jax.grad(program(jnp, _lax_scan))),
        }
        eager = {"NumPy": reverse_mode.grad(program(primitives, primitives.scan)), **_in_autograd(program)}
        truth = jax.tree.leaves(jax.grad(program(jnp, _lax_scan))(*on_jax))
        compile_times = compare({name: partial(_compiled, make, on_jax) for name, make in jitted.items()}, 3)
        compiled = {name: make() for name, make in jitted.items()}
        contenders = {name: lambda f=f, a=on_jax: f(*a) for name, f in compiled.items()}
        contenders |= {name: lambda f=f, a=args: f(*a) for name, f in eager.items()}
        errors = {name: _error(f(), truth) for name, f in contenders.items()}
        assert max(errors.values()) <= TOLERANCE, errors
        times = {}
        for together in jitted, eager:
            times |= compare({name: contenders[name] for name in together}, repetitions=15)
        pair = "jitted", "jax.grad, jitted"
        found.append(row("P2", f"{problem}: one gradient", *pair, times, errors, 0.95))
        found.append(row("P2", f"{problem}: trace and compile", *pair, compile_times, errors, 0.67))
        if "autograd" in eager:
            found.append(row("P2e", f"{problem}: one gradient", "NumPy", "autograd", times, errors, 1))
    return found


def _problems():
    random = np.random.default_rng(0)
    sizes = (64, 256, 256, 256, 1)
    layers = [(random.normal(size=(m, n)) / np.sqrt(m), np.zeros(n)) for m, n in pairwise(sizes)]
    batch, targets = random.normal(size=(512, 64)), random.normal(size=(512, 1))
    yield "MLP 64-256-256-256-1, batch 512", _mlp, (layers, batch, targets)
    yield "Rosenbrock, n = 10^5", _rosenbrock, (random.uniform(-1, 1, 100_000),)
    yield "recurrence of 10^4 steps", _recurrence, (np.array([0.3, 1.7, 0.2]),)


def _mlp(m, scan):
    def loss(layers, x, targets):
        for weights, bias in layers[:-1]:
            x = m.tanh(m.matmul(x, weights) + bias)
        weights, bias = layers[-1]
        return m.mean((m.matmul(x, weights) + bias - targets) ** 2)

    return loss


def _rosenbrock(m, scan):
    return lambda x: m.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _recurrence(m, scan):
    def step(c, _, a, b):
        return m.sin(a * c) + b, None

    return lambda p: scan(step, p[0], None, (p[1], p[2]), length=10_000)[0]


def _in_autograd(program):
    """Return the gradient by autograd, where it is installed: beside a GPU it need not be."""
    if not find_spec("autograd"):
        return {}
    import autograd

    return {"autograd": autograd.grad(program(autograd.numpy, _python_scan))}


def _lax_scan(step, carry, xs, params, length):
    return jax.lax.scan(lambda c, x: step(c, x, *params), carry, xs, length)


def _python_scan(step, carry, xs, params, length):
    for _ in range(length):
        carry, _ = step(carry, None, *params)
    return carry, None


def _compiled(make, args):
    jax.clear_caches()
    make().lower(*args).compile()


def _error(found, truth):
    pairs = zip(jax.tree.leaves(found), truth, strict=True)
    return max(float(np.max(abs(np.asarray(f) - t)) / np.max(abs(np.asarray(t)))) for f, t in pairs)
