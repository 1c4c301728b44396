"""P4: the Jacobian of sin(A x) by differences, against numdifftools and SciPy, to an error of 1e-10."""

import jax
import jax.numpy as jnp
import numdifftools
import numpy as np
import scipy.differentiate

from autodiff_tutorial import finite_differences as fd
from benchmarks.timing import compare, row

PEERS = ("numdifftools", "scipy")
N, TOLERANCE = 50, 1e-10


def rows():
    """Time every way to the same Jacobian; check that each is as accurate as is asked."""
    random = np.random.default_rng(0)
    A, x = random.normal(size=(N, N)) / np.sqrt(N), random.normal(size=N)
    truth = np.cos(A @ x)[:, None] * A

    def f(p):  # one point, as a black box is written
        return np.sin(A @ p)

    def stack(points):  # a stack of points in rows, as `batched` wants it
        return np.sin(points @ A.T)

    def columns(points):  # a stack of points along the last axes, as SciPy wants it
        return np.sin(np.einsum("ij,j...->i...", A, points))

    A_device, x_device = jnp.asarray(A), jnp.asarray(x)

    def compiled(scheme):
        return jax.jit(lambda p: fd.jacobian(lambda q: jnp.sin(q @ A_device.T), p, scheme=scheme, batched=True).df)

    central, complex_step = compiled("central"), compiled("complex")
    contenders = {
        "central": lambda: fd.jacobian(f, x).df,
        "complex": lambda: fd.jacobian(f, x, scheme="complex").df,
        "central, batched": lambda: fd.jacobian(stack, x, batched=True).df,
        "complex, batched": lambda: fd.jacobian(stack, x, scheme="complex", batched=True).df,
        "central, jitted": lambda: central(x_device),
        "complex, jitted": lambda: complex_step(x_device),
        "numdifftools": lambda: numdifftools.Jacobian(f)(x),
        "numdifftools, complex": lambda: numdifftools.Jacobian(f, method="complex")(x),
        "scipy.differentiate": lambda: scipy.differentiate.jacobian(columns, x).df,
    }
    errors = {name: float(abs(call() - truth).max()) for name, call in contenders.items()}
    assert max(errors.values()) <= TOLERANCE, errors
    times = compare(contenders)
    ours = [name for name in contenders if name.startswith(("central", "complex"))]
    # SciPy's is handed all points at once, as our "batched" and "jitted" are.
    pairs = [(name, "numdifftools", 30) for name in ours] + [(name, "scipy.differentiate", 10) for name in ours[2:]]
    pairs.append(("complex", "numdifftools, complex", None))
    problem = f"Jacobian of sin(A x), n = m = {N}"
    return [row("P4", problem, name, peer, times, errors, target) for name, peer, target in pairs]
