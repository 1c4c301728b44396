"""P4s: first derivatives of a million samples on a random grid, against findiff and np.gradient."""

import jax
import jax.numpy as jnp
import numpy as np
from findiff import Diff

from autodiff_tutorial import sampled_data
from benchmarks.timing import compare, row

PEERS = ("findiff",)
N, TOLERANCE = 10**6, 1e-9


def rows():
    """Time every way to the same derivative; check that each is as accurate as is asked."""
    x = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, N))
    x *= 2 * np.pi / x[-1]
    y, truth = np.sin(x), np.cos(x)
    x_device, y_device = jnp.asarray(x), jnp.asarray(y)

    def ours(accuracy):
        compiled = jax.jit(lambda y, x: sampled_data.derivative(y, x, accuracy=accuracy))
        known = jax.jit(lambda y: sampled_data.derivative(y, x, accuracy=accuracy))
        return {
            "NumPy": lambda: sampled_data.derivative(y, x, accuracy=accuracy),
            "jitted": lambda: compiled(y_device, x_device),
            "jitted, grid known": lambda: known(y_device),
        }

    stored = Diff(0, x, acc=4)  # computes its weights at its first call, and keeps them
    fourth = ours(4) | {"findiff, build + apply": lambda: Diff(0, x, acc=4)(y), "findiff, apply": lambda: stored(y)}
    second = ours(2) | {"numpy.gradient": lambda: np.gradient(y, x, edge_order=2)}
    anew, again = ("NumPy", "jitted"), ("jitted, grid known",)
    found = []
    for accuracy, contenders, pairs in (
        (4, fourth, [("findiff, build + apply", 10, anew), ("findiff, apply", 1, again)]),
        (2, second, [("numpy.gradient", 1, anew)]),
    ):
        errors = {name: float(abs(np.asarray(call()) - truth).max()) for name, call in contenders.items()}
        assert max(errors.values()) <= TOLERANCE, errors
        times = compare(contenders)
        problem = f"10^6 samples on a random grid, accuracy {accuracy}"
        found += [
            row("P4s", problem, name, peer, times, errors, target) for peer, target, names in pairs for name in names
        ]
    return found
