"""P6: Jacobians in the mode that needs fewer passes, and Hessian-vector products."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.higher_order import hvp, jacobian
from benchmarks.timing import compare, row

PEERS = ()
TOLERANCE = 1e-10


def rows():
    """Time Jacobians and products beside JAX's own."""
    return [*_jacobians(), *_products()]


def _jacobians():
    random = np.random.default_rng(0)
    A, B = (jnp.asarray(random.normal(size=shape) / 20) for shape in ((2000, 20), (20, 2000)))

    def tall(x):
        return jnp.tanh(A @ x)

    problems = {
        "Jacobian of 2000 x 20": (tall, 20),
        "Jacobian of 20 x 2000": (lambda x: jnp.tanh(B @ x), 2000),
        "20 -> 2000 -> 1": (lambda x: jnp.sum(tall(x) ** 2)[None], 20),
    }
    for problem, (f, n) in problems.items():
        x = jnp.asarray(random.normal(size=n))
        programs = {
            "jacobian, auto": jax.jit(jacobian(f)),
            "jax.jacfwd": jax.jit(jax.jacfwd(f)),
            "jax.jacrev": jax.jit(jax.jacrev(f)),
        }
        times, errors = _timed(programs, (x,), "jax.jacfwd")
        best = min(("jax.jacfwd", "jax.jacrev"), key=lambda name: times[name]["median"])
        yield row("P6", problem, "jacobian, auto", best, times, errors, 0.95)


def _products():
    random = np.random.default_rng(1)
    layers = [jnp.asarray(random.normal(size=(100, 100)) / 10) for _ in range(3)]
    batch = jnp.asarray(random.normal(size=(256, 100)))

    def network(layers):
        x = batch
        for weights in layers:
            x = jnp.tanh(x @ weights)
        return jnp.mean(x**2)

    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    yield from _beside_one_gradient("network, 30,000 weights", network, layers)
    yield from _beside_one_gradient("Rosenbrock, n = 10^6", rosenbrock, jnp.linspace(-1, 1, 10**6))
    x = jnp.linspace(-1, 1, 500)
    programs = {
        "hvp, fwd_over_rev": jax.jit(lambda x: hvp(rosenbrock, (x,), (x,))),
        "jax.hessian(f)(x) @ v": jax.jit(lambda x: jax.hessian(rosenbrock)(x) @ x),
    }
    times, errors = _timed(programs, (x,), "jax.hessian(f)(x) @ v")
    yield row("P6", "H v, Rosenbrock, n = 500", *programs, times, errors, 1)


def _beside_one_gradient(problem, f, x):
    v = jax.tree.map(jnp.cos, x)
    modes = "fwd_over_rev", "rev_over_fwd", "rev_over_rev"
    products = {f"hvp, {mode}": jax.jit(lambda x, v, mode=mode: hvp(f, (x,), (v,), mode=mode)) for mode in modes}
    errors = _errors(products, (x, v), "hvp, rev_over_rev") | {"gradient": 0.0}
    programs = products | {"gradient": jax.jit(lambda x, _: jax.grad(f)(x))}
    times = compare({name: lambda p=p: p(x, v) for name, p in programs.items()})
    for name in products:
        yield row("P6", f"H v beside one gradient, {problem}", name, "gradient", times, errors, 1 / 3)


def _timed(programs, args, truth):
    errors = _errors(programs, args, truth)
    return compare({name: lambda p=p: p(*args) for name, p in programs.items()}, repetitions=15), errors


def _errors(programs, args, truth):
    flat = {name: jax.flatten_util.ravel_pytree(program(*args))[0] for name, program in programs.items()}
    size = abs(flat[truth]).max()
    errors = {name: float(abs(found - flat[truth]).max() / size) for name, found in flat.items()}
    assert max(errors.values()) <= TOLERANCE, errors
    return errors
