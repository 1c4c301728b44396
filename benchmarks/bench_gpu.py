"""G, P1g: the same programs on the device that JAX finds, a GPU as a rule, and on two cores of its host."""

import sys
from contextlib import ExitStack
from functools import cache, partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial import hep_fits, higher_order, implicit, integrals, primitives, reverse_mode, sparse, toys
from benchmarks.processes import ask, server, two_cores
from benchmarks.timing import QUICK, compare, row

PEERS = ()
# Sums are taken in another order.
TOLERANCE = 1e-8
# Fits are of so many toys on the device, from and to the host's memory, and of so many on the processor.
TOYS, FEWER = 100_000 if QUICK else 1_000_000, 98_304


def rows():
    """Time programs that need nothing but JAX, and fits of toys if pyhf is here, which makes their likelihood."""
    cores = two_cores()
    if not cores:
        return
    device = jax.devices()[0].device_kind
    with ExitStack() as stack, TemporaryDirectory() as home:
        process, target = server(stack, "bench_gpu.serve", cores), Path(home, "found.npz")
        assert process.stdout.readline() == "ready\n"
        for name, make in programs().items():
            last = {}
            times = compare({device: partial(_kept, last, make()), "two cores": partial(ask, process, name)}, 5)
            ask(process, f"{name} > {target}")
            with np.load(target) as theirs:
                off = max(_off(*pair) for pair in zip(last["found"], theirs.values(), strict=True))
            assert off <= TOLERANCE, (name, off)
            yield row("G", name, device, "two cores", _without_bytes(times), dict.fromkeys(times, off))
        if find_spec("pyhf"):
            yield _toys(process, device)


def programs():
    """Return functions that put their arguments on the device of JAX's choice and return a program without any."""
    return {
        "gradient of a network, batch of 512": _network,
        "H v, Rosenbrock, n = 10^7": _product,
        "sparse Jacobian, three-point stencil, n = 10^6": _stencil,
        "10^6 integrals of x^2 + y^2, value and gradient": _parabolas,
        "10^5 tails of a bell": _tails,
        "Marcum Q, 10^5 points": _marcum,
        "10^5 Kepler equations, gradient": _kepler,
    }


def serve():
    """Run a program each time that its name comes in, and write what it finds where that is asked."""
    made = cache(lambda name: _fits(FEWER) if name == "toys" else programs()[name]())
    print("ready", flush=True)
    for line in sys.stdin:
        name, _, target = line.strip().partition(" > ")
        found = jax.block_until_ready(made(name)())
        if target:
            np.savez(target, *jax.tree.leaves(found))
        print("done", flush=True)


def _kept(last, program):
    last["found"] = jax.tree.leaves(program())
    return last["found"]


def _without_bytes(times):
    """Take away the memory: what a process that is asked needs lies elsewhere."""
    return {name: t | {"bytes": None} for name, t in times.items()}


def _off(found, other):
    found = np.asarray(found)
    return float(np.max(abs(found - other)) / max(np.max(abs(other)), 1e-300)) if found.size else 0.0


def _toys(process, device):
    """Time fits of 50 bins, for a thousand toys."""
    last = {}
    times = compare({device: partial(_kept, last, _fits(TOYS)), "two cores": partial(ask, process, "toys")}, 3)
    for name, n in (device, TOYS), ("two cores", FEWER):
        scaled = {kind: 1000 * times[name][kind] / n for kind in ("median", "min", "max")}
        times[name] |= scaled | {"rounds": [1000 * t / n for t in times[name]["rounds"]]}
    converged = np.mean(last["found"][1])
    assert converged >= 1 - 1e-4, converged
    errors = {device: float(1 - converged), "two cores": 0.0}
    found = row("P1g", "50 bins, fits of 1000 toys", device, "two cores", _without_bytes(times), errors, 20)
    return found | {"toys": {"ours": TOYS, "peer": FEWER}}


def _fits(n):
    from benchmarks.bench_hep_fits import _bins

    likelihood, key = hep_fits.from_pyhf(_bins(50)[0]), jax.random.key(0)
    parts = [toys.generate(likelihood, likelihood.init, key, min(FEWER, n - k), first=k) for k in range(0, n, FEWER)]
    data = np.concatenate(parts)

    def program():
        found = toys.fit_toys(likelihood, data)
        return found.params, found.converged

    return program


def _drawn(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape))


def _network():
    sizes = (64, 256, 256, 256, 1)
    layers = [(_drawn(m, n) / np.sqrt(m), jnp.zeros(n)) for m, n in pairwise(sizes)]

    def loss(layers, x):
        for weights, bias in layers[:-1]:
            x = primitives.tanh(primitives.matmul(x, weights) + bias)
        weights, bias = layers[-1]
        return primitives.mean((primitives.matmul(x, weights) + bias) ** 2)

    return partial(jax.jit(reverse_mode.grad(loss)), layers, _drawn(512, 64))


def _product():
    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = jnp.linspace(-1, 1, 10**7)
    return partial(jax.jit(lambda x: higher_order.hvp(rosenbrock, (x,), (jnp.cos(x),))), x)


def _stencil():
    def f(x):
        return (3 - 2 * x) * x + 1 - jnp.pad(x[:-1], (1, 0)) - 2 * jnp.pad(x[1:], (0, 1))

    x = jnp.linspace(0.5, 1, 10**6)
    jacobian = jax.jit(sparse.jacobian(f, x))
    return lambda: jacobian(x).data


def _parabolas():
    def value(b, y):
        found = integrals.integrate(lambda x, y: x**2 + y**2, 0.0, b, (y,)).value
        return found.sum(), found

    slopes = jax.jit(jax.value_and_grad(value, argnums=(0, 1), has_aux=True))
    return partial(slopes, jnp.linspace(0.1, 3, 10**6), jnp.linspace(-1, 2, 10**6))


def _tails():
    def value(a, t):
        return integrals.integrate(lambda x, t: jnp.exp(-t * x**2), a, jnp.inf, (t,)).value

    return partial(jax.jit(value), jnp.linspace(0, 3, 10**5), jnp.linspace(1, 2, 10**5))


def _marcum():
    order, a, b = (1 + 20 * jnp.abs(jnp.sin(k * jnp.arange(1.0, 1 + 10**5))) for k in (1, 2, 3))
    return partial(jax.jit(integrals.marcum_q), order, a, b)


def _kepler():
    def each(e, M):
        return implicit.root(lambda E, args: E - args[0] * jnp.sin(E) - args[1], M + 0.85 * e, (e, M)).y

    e, M = jnp.linspace(0, 0.9, 10**5), jnp.pi * jnp.abs(jnp.sin(jnp.arange(10.0**5)))
    return partial(jax.jit(jax.grad(lambda e, M: jnp.mean(jax.vmap(each)(e, M) ** 2), (0, 1))), e, M)
