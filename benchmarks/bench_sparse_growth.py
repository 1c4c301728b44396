"""P3: the stages of a sparse Jacobian as the number of unknowns grows, against asdex and dense Jacobians."""

import jax
import jax.numpy as jnp

from autodiff_tutorial import sparse
from benchmarks.bench_sparse import _band, _coloring, _detection, _evaluation, _stencil
from benchmarks.timing import compare, row

PEERS = ("asdex",)


def rows():
    """Let n grow. Detection with asdex would take half a minute a call at the end."""
    for n in (100, 300, 1000, 3000, 10**4, 10**5, 10**6):
        problem = f"cost against n, three-point stencil, n = {n}"
        yield _detection(problem, _stencil, n, None) if n <= 10**5 else _detection_beside_tracing(problem, _stencil, n)
        yield _coloring(problem, _band(n, 1), None)
        yield from _evaluation(
            problem, _stencil, n, _band(n, 1),
            {"asdex": None} | ({"jax.jacfwd, dense": None} if n <= 3000 else {}),
        )  # fmt: skip


def _detection_beside_tracing(problem, f, n):
    x = jnp.zeros(n)
    contenders = {
        "pattern": lambda: sparse.pattern(f, x),
        "tracing alone": lambda: jax.make_jaxpr(lambda x, v: jax.jvp(f, (x,), (v,))[1])(x, x) and None,
    }
    problem = f"detection, {problem}: {sparse.pattern(f, x).nnz} entries"
    return row("P3d", problem, *contenders, compare(contenders), dict.fromkeys(contenders, 0.0)) | {"n": n}
