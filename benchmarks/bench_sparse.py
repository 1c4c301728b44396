"""P3: which entries a Jacobian has, how they are colored, and the values, against asdex, sparsejac and dense Jacobians.

asdex needs another Python and JAX than the library does: `make bench` runs this file in an environment of its own.
"""

import warnings

import asdex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
import sparsejac
from jax.experimental.sparse import BCOO

from autodiff_tutorial import sparse
from benchmarks.timing import QUICK, compare, row

PEERS = ("asdex", "sparsejac", "numba", "networkx", "scipy")
TOLERANCE = 1e-10


def rows():
    """Time detection, coloring and evaluation apart, each beside the peers' own; check patterns, colors and values."""
    with warnings.catch_warnings():
        # It tells of an arrow that it takes as many colors as a dense matrix, which is in the row.
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        return [*_detections(), *_colorings(), *_evaluations()]


def _detections():
    for problem, f, n in (
        ("three-point stencil, n = 10^5", _stencil, 10**5),
        ("Brusselator, 2 x 70 x 70", _brusselator, 9800),
        ("UNet of a 32 x 32 image", _unet(4), 1024),
    ):
        yield _detection(problem, f, n, 20)


def _colorings():
    ones = np.ones(200, bool)
    arrow = sp.coo_array(np.diag(ones) | (np.arange(200) == 0) | (np.arange(200) == 0)[:, None])
    random = sp.random_array((2000, 2000), density=5 / 2000, rng=np.random.default_rng(0))
    for problem, pattern, beside_sparsejac in (
        ("three-point stencil, n = 10^5", _band(10**5, 1), True),
        ("Brusselator, 2 x 70 x 70", sparse.pattern(_brusselator, jnp.zeros(9800)), True),
        ("UNet of a 32 x 32 image", sparse.pattern(_unet(4), jnp.zeros(1024)), True),
        ("arrow, n = 200", arrow, True),
        ("random, n = 2000, 5 entries a row", random, True),
        ("band of 11, n = 10^5", _band(10**5, 5), False),
        ("tridiagonal, n = 10^6", _band(10**6, 1), False),
    ):
        yield _coloring(problem, pattern, 1)
        if beside_sparsejac and not QUICK:
            yield _coloring_beside_sparsejac(problem, pattern)
    yield _coloring("tridiagonal and symmetric, n = 10^6", _band(10**6, 1), 1, symmetric=True)


def _evaluations():
    for problem, f, n in (
        ("three-point stencil, n = 10^5", _stencil, 10**5),
        ("Brusselator, 2 x 70 x 70", _brusselator, 9800),
        ("UNet of a 32 x 32 image", _unet(4), 1024),
    ):
        pattern = sparse.pattern(f, jnp.zeros(n))
        yield from _evaluation(problem, f, n, pattern, {"asdex": 1, "sparsejac": 1})
    yield from _evaluation("three-point stencil, n = 2000", _stencil, 2000, _band(2000, 1), {"jax.jacfwd, dense": 1})
    yield from _hessian("Hessian, Rosenbrock chain, n = 10^6", _rosenbrock, 10**6, _band(10**6, 1))


def _detection(problem, f, n, target):
    x, v = (jnp.asarray(np.random.default_rng(seed).uniform(0.5, 1, n)) for seed in (0, 1))
    contenders = {"pattern": lambda: sparse.pattern(f, x), "asdex": lambda: asdex.jacobian_sparsity(f, x)}
    ours, theirs = (find() for find in contenders.values())
    # A Jacobian read from its products by way of a pattern is right only if the pattern lacks no entry.
    jacobians = {
        "pattern": sparse.jacobian(f, x, coloring=sparse.color(ours)),
        "asdex": asdex.jacobian_from_coloring(f, asdex.jacobian_coloring_from_sparsity(theirs)),
    }
    truth = jax.jvp(f, (x,), (v,))[1]
    errors = {
        name: float(abs(jax.jit(jacobian)(x) @ v - truth).max() / abs(truth).max())
        for name, jacobian in jacobians.items()
    }
    assert max(errors.values()) <= TOLERANCE, errors
    times = compare(contenders, repetitions=5)
    problem = f"detection, {problem}: {ours.nnz} entries, asdex {theirs.nnz}"
    return row("P3d", problem, *contenders, times, errors, target) | {"n": n}


def _coloring(problem, pattern, target, symmetric=False):
    pattern = sp.csr_array(pattern)
    places = asdex.SparsityPattern.from_coo(*_places(pattern), pattern.shape)
    mode = "symmetric" if symmetric else "auto"
    color = asdex.hessian_coloring_from_sparsity if symmetric else asdex.jacobian_coloring_from_sparsity
    contenders = {"color": lambda: sparse.color(pattern, mode=mode), "asdex": lambda: color(places)}
    return _colored(problem, pattern, contenders, [find().num_colors for find in contenders.values()], 7, target)


def _coloring_beside_sparsejac(problem, pattern):
    """Time what colors in sparsejac: making the function. Of the colors it tells nothing, but its seeds are there."""
    pattern, n = sp.csr_array(pattern), pattern.shape[1]
    places = _bcoo(pattern)
    contenders = {
        "color": lambda: sparse.color(pattern),
        "sparsejac": lambda: sparsejac.jacfwd(_stencil, places),
    }
    constants = jax.make_jaxpr(contenders["sparsejac"]())(jnp.zeros(n)).consts
    (seeds,) = (c for c in constants if c.ndim == 2 and c.dtype == float)
    return _colored(problem, pattern, contenders, [sparse.color(pattern).num_colors, seeds.shape[1]], 3, 1)


def _colored(problem, pattern, contenders, counts, repetitions, target):
    """Put the counts into the row; a target is met only with no more colors than the peer's."""
    # `sparse.color` leaves no entry that cannot be read, and says so itself.
    calls = {name: lambda call=call: call() and None for name, call in contenders.items()}
    times = compare(calls, repetitions)
    ours, peer = contenders
    problem = f"coloring, {problem}: {counts[0]} colors, {peer} {counts[1]}"
    found = row("P3c", problem, ours, peer, times, dict.fromkeys(contenders, 0.0), target)
    if target is not None:
        found["met"] = found["met"] and counts[0] <= counts[1]
    return found | {"n": pattern.shape[1], "colors": dict(zip(("ours", "peer"), counts, strict=True))}


def _evaluation(problem, f, n, pattern, targets):
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, n))
    theirs = asdex.jacobian_coloring_from_sparsity(asdex.SparsityPattern.from_coo(*_places(pattern), pattern.shape))
    peers = {
        "asdex": lambda: asdex.jacobian_from_coloring(f, theirs),
        "sparsejac": lambda: sparsejac.jacfwd(f, _bcoo(pattern)),
        "jax.jacfwd, dense": lambda: jax.jacfwd(f),
    }
    ours = sparse.jacobian(f, x, coloring=sparse.color(pattern))
    return _evaluated(problem, {"jacobian": ours} | {name: peers[name]() for name in targets}, x, targets)


def _hessian(problem, f, n, pattern):
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, n))
    theirs = asdex.hessian_coloring_from_sparsity(asdex.SparsityPattern.from_coo(*_places(pattern), pattern.shape))
    programs = {
        "hessian": sparse.hessian(f, x, coloring=sparse.color(pattern, mode="symmetric")),
        "asdex": asdex.hessian_from_coloring(f, theirs),
    }
    return _evaluated(problem, programs, x, {"asdex": 1})


def _evaluated(problem, programs, x, targets):
    """Time the compiled programs, and compare what they return, entry by entry, with the last one's."""
    programs = {name: jax.jit(program) for name, program in programs.items()}
    found = {name: _csr(program(x)) for name, program in programs.items()}
    truth = list(found.values())[-1]
    errors = {name: float(abs(values - truth).max() / abs(truth).max()) for name, values in found.items()}
    assert max(errors.values()) <= TOLERANCE, errors
    times = compare({name: lambda p=p: p(x) for name, p in programs.items()})
    ours = next(iter(programs))
    for peer, target in targets.items():
        yield row("P3e", f"evaluation, {problem}", ours, peer, times, errors, target) | {"n": x.size}


def _csr(matrix):
    if isinstance(matrix, BCOO):
        return sp.csr_array((np.asarray(matrix.data), np.asarray(matrix.indices).T), shape=matrix.shape)
    return sp.csr_array(np.asarray(matrix))


def _places(pattern):
    return tuple(places.astype(np.int32) for places in pattern.tocoo().coords)


def _bcoo(pattern):
    return BCOO((jnp.ones(pattern.nnz), jnp.stack(_places(pattern), axis=1)), shape=pattern.shape)


def _band(n, width):
    offsets = range(-width, width + 1)
    return sp.csr_array(sp.diags_array([np.ones(n - abs(k)) for k in offsets], offsets=offsets)).astype(bool)


def _stencil(x):
    return (3 - 2 * x) * x + 1 - jnp.pad(x[:-1], (1, 0)) - 2 * jnp.pad(x[1:], (0, 1))


def _brusselator(x):
    u, v = x.reshape(2, 70, 70)

    def laplacian(z):
        return sum(jnp.roll(z, shift, axis) for shift in (1, -1) for axis in (0, 1)) - 4 * z

    reaction = u**2 * v
    return jnp.stack([1 - 4.4 * u + reaction + 0.1 * laplacian(u), 3.4 * u - reaction + 0.1 * laplacian(v)]).ravel()


def _unet(channels):
    random = np.random.default_rng(0)
    shapes = ((1, 1), (2, 1), (2, 2), (1, 3))
    kernels = [jnp.asarray(random.normal(size=(o * channels, i * channels, 3, 3)) / 10) for o, i in shapes]
    first, down, across, up = kernels
    first, last = first[:, :1], first[:1]

    def convolution(x, kernel, stride=1):
        return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME")

    def f(x):
        fine = jnp.tanh(convolution(x.reshape(1, 1, 32, 32), first))
        coarse = jnp.tanh(convolution(jnp.tanh(convolution(fine, down, 2)), across))
        spread = coarse.repeat(2, axis=2).repeat(2, axis=3)
        return convolution(jnp.tanh(convolution(jnp.concatenate([fine, spread], axis=1), up)), last).ravel()

    return f


def _rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
