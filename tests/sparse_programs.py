"""Functions whose derivatives have many zeros: for each a size, and whether its pattern can be told exactly.

"exact" says that the pattern holds nothing but what differs from zero at some of many random points; for a function
that is sorted or branches, these points see all cases. "superset" says that more is kept, and why.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Case(NamedTuple):
    f: object
    size: int
    kind: str = "exact"


def brusselator(y):
    u, v = y.reshape(2, 4, 4)

    def laplacian(z):
        return jnp.roll(z, 1, 0) + jnp.roll(z, -1, 0) + jnp.roll(z, 1, 1) + jnp.roll(z, -1, 1) - 4 * z

    du = 1 + u**2 * v - 4.4 * u + 0.1 * laplacian(u)
    dv = 3.4 * u - u**2 * v + 0.1 * laplacian(v)
    return jnp.stack([du, dv]).ravel()


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[0] * x[1:] + x[1:] ** 2])


def blocks(x):
    return jnp.prod(x.reshape(4, 3), axis=1, keepdims=True).repeat(3, axis=1).ravel()


def advection(x):
    return lax.scan(lambda state, _: (state * 0.5 + jnp.roll(state, 1) * state, None), x, length=3)[0]


def recurrence(x):
    return lax.scan(lambda carry, a: (carry * a, carry + a), x[0], x)[1]


def backward_scan(x):
    return lax.scan(lambda carry, a: (carry + a**2, jnp.sin(carry)), 1.0, x, reverse=True)[1]


def fori_neighbours(x):
    return lax.fori_loop(0, 5, lambda i, y: y.at[i].set(jnp.sin(x[i]) * x[i + 1]), x)


def nested_scan(x):
    def row(total, r):
        inner, out = lax.scan(lambda c, a: (c + a, c * a), 0.0, r)
        return total + inner, out

    return lax.scan(row, 0.0, x.reshape(3, 3))[1].ravel()


def while_newton(x):
    def step(state):
        i, y = state
        return i + 1, y - (y**2 - x) / (2 * y)

    return lax.while_loop(lambda state: state[0] < 4 + (x[0] > 0), step, (0, x + 1.5))[1]


def while_chain(x):
    """Move numbers one place further in each of an unknown number of steps."""
    return lax.while_loop(
        lambda state: state[0] < 3 + 4 * (x[0] > 0.5),
        lambda state: (state[0] + 1, state[1].at[1:].add(state[1][:-1] ** 2)),
        (0, x),
    )[1]


@jax.custom_jvp
def floor_through(x):
    return jnp.floor(x)


floor_through.defjvp(lambda primals, tangents: (jnp.floor(primals[0]), tangents[0]))


@jax.custom_jvp
def neighbour_rule(x):
    return x


neighbour_rule.defjvp(lambda primals, tangents: (primals[0], primals[0] * jnp.roll(tangents[0], 1)))


@jax.custom_vjp
def reverse_rule(x):
    return jnp.sin(x)


reverse_rule.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.cos(x) * g,))

LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float)
BANDED = np.triu(np.tril(np.arange(1.0, 37.0).reshape(6, 6), 1), -1)
BEYOND = np.array([1, 9])
RANDOM = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
KERNEL = np.where(np.arange(48).reshape(3, 2, 4, 2) % 5 < 2, 0.0, 1.0 + np.arange(48.0).reshape(3, 2, 4, 2))


def conv(x, kernel, **options):
    return lax.conv_general_dilated(x, jnp.asarray(kernel), **options)


def five_point(x):
    return conv(x.reshape(1, 1, 5, 5), LAPLACE[None, None], window_strides=(1, 1), padding="SAME").ravel()


def two_features(x):
    return conv(x.reshape(1, 2, 4, 4), RANDOM, window_strides=(2, 2), padding=[(1, 0), (0, 2)]).ravel()


def grouped(x):
    kernel = RANDOM.reshape(6, 1, 3, 3)[:4]
    return jnp.tanh(
        conv(x.reshape(1, 2, 4, 4), kernel, window_strides=(1, 1), padding="SAME", feature_group_count=2)
    ).ravel()


def dilated(x):
    options = {"window_strides": (1,), "padding": [(2, 2)], "lhs_dilation": (2,), "rhs_dilation": (2,)}
    return conv(x.reshape(1, 1, 6), np.array([[[1.0, 2, 3]]]), **options).ravel()


def grouped_with_zeros(x):
    """Every option of a convolution, other along each axis, with batches and features in another place."""
    return conv(
        x.reshape(3, 2, 4, 3), KERNEL, window_strides=(1, 2), padding=[(1, 0), (0, 3)], lhs_dilation=(2, 1),
        rhs_dilation=(1, 2), dimension_numbers=("HNCW", "WIOH", "CHNW"), feature_group_count=2,
    ).ravel()  # fmt: skip


def own_kernel(x):
    return conv(x[:5].reshape(1, 1, 5), x[5:].reshape(1, 1, 3), window_strides=(1,), padding="VALID").ravel()


def channels_last(x):
    kernel = np.moveaxis(RANDOM, (0, 1), (3, 2))
    return conv(
        x.reshape(1, 3, 3, 2), kernel, window_strides=(1, 1), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    ).ravel()


def max_pool(x):
    return lax.reduce_window(x.reshape(4, 4), -jnp.inf, lax.max, (2, 2), (2, 2), "VALID").ravel()


def window_with_gaps(x):
    """Every option of a window, other along each axis."""
    options = {"padding": [(1, 0), (0, 2)], "base_dilation": (2, 1), "window_dilation": (1, 2)}
    return lax.reduce_window(x.reshape(3, 4) ** 2, 0.0, lax.add, (2, 3), (1, 2), **options).ravel()


def banded_solve(x):
    return jax.scipy.linalg.solve_triangular(BANDED + jnp.diag(x), x, lower=True)


def diagonal_solve(x):
    """Solve for a diagonal matrix, which only its program shows."""
    return lax.custom_linear_solve(lambda v: 2 * v, x**2, lambda matvec, b: b / 2, symmetric=True)


def solve_with_a_count(x):
    """Solve by a program that tells one thing more, which has no derivative."""
    solve = lambda matvec, b: (b / 2, jnp.int32(1))  # noqa: E731
    return lax.custom_linear_solve(lambda v: 2 * v, x**2, solve, solve, has_aux=True)[0]


def set_columns(x):
    return jnp.zeros((3, 4)).at[:, jnp.array([2, 0])].set(x.reshape(3, 2) ** 2).ravel()


def unknown_column(x):
    """Read a column whose number depends on x: rows stay apart."""
    A = x.reshape(3, 4)
    return lax.dynamic_slice(A, (0, jnp.argmax(A[0])), (3, 1)).ravel()


def unknown_write(x):
    A = x.reshape(3, 4)
    return lax.dynamic_update_slice(A, A[:, :1] ** 2, (0, jnp.argmax(A[0]))).ravel()


def known_places(x):
    """Read and write blocks whose places are the same for all x, and moved inside where they reach over the edge."""
    A = x.reshape(3, 4)
    return lax.dynamic_update_slice(A, lax.dynamic_slice(A, (1, -3), (2, 2)) ** 2, (-7, 9)).ravel()


def tridiagonal_solve(x):
    return lax.linalg.tridiagonal_solve(*np.array([[0, 1.0, 1], [4, 4, 4], [1, 1, 0]]), x.reshape(3, 2)).ravel()


def own_batches(x):
    A = x.reshape(3, 4)
    return jax.vmap(lambda row: row[jnp.argmax(row)])(A)


def scatter_batches(x):
    return jax.vmap(lambda row: row.at[jnp.argmin(row)].add(row[0] ** 2))(x.reshape(3, 4)).ravel()


def gaps_in_sums(x):
    """Add to sums of pairs what has nothing at its first place."""
    first = np.arange(4) == 0
    gaps = [
        x.at[jnp.array([0])].set(0.0, unique_indices=True), jnp.where(first, 0.0, x), x * ~first,
        lax.pad(x[1:], 0.0, [(1, 0, 0)]), jnp.append(0.0, x[1:]), lax.dynamic_update_slice(x, jnp.zeros(1), (0,)),
    ]  # fmt: skip
    return jnp.concatenate([jnp.repeat(x.reshape(2, 2).sum(axis=1), 2) + gap for gap in gaps])


def no_steps(x):
    x = lax.fori_loop(0, 0, lambda i, y: y * y[0], x)
    return x + lax.scan(lambda c, b: (c * b, b), x[0], x[:0])[0]


def lookup(x):
    grid = jnp.linspace(-3, 3, 7)
    return jnp.interp(x, grid, jnp.sin(grid))


PROGRAMS = {
    "elementwise": Case(lambda x: jnp.sin(x) * jnp.exp(x), 5),
    "stencil": Case(lambda x: jnp.sin(x[2:]) - 2 * x[1:-1] ** 2 + x[:-2] * x[1:-1], 8),
    "periodic stencil": Case(lambda x: jnp.roll(x, 1) * x + jnp.roll(x, -1), 7),
    "Brusselator": Case(brusselator, 32),
    "arrow": Case(arrow, 6),
    "block diagonal": Case(blocks, 12),
    "constant": Case(lambda x: jnp.ones(3) * 2 + 0 * jnp.sum(lax.stop_gradient(x)), 4),
    "linear, a sparse matrix": Case(lambda x: BANDED @ x, 6),
    "matrix of x": Case(lambda x: (x.reshape(2, 3) @ BANDED[:3, :4]).ravel(), 6),
    "product of two": Case(lambda x: (x[:6].reshape(2, 3) @ x[6:].reshape(3, 2)).ravel(), 12),
    "batched product": Case(lambda x: jnp.einsum("bij,bjk->kbi", x.reshape(2, 3, 2), x.reshape(2, 2, 3)).ravel(), 12),
    "mask": Case(lambda x: jnp.where(np.arange(6) % 2 == 0, x, 0 * x[::-1]) * (np.arange(6) < 4), 6),
    "choice by x": Case(lambda x: jnp.where(x > 0, x**2, x[::-1]), 6),
    "convolution": Case(lambda x: jnp.convolve(x, jnp.array([1.0, 0, 2]), mode="same"), 7),
    "five-point convolution": Case(five_point, 25),
    "convolution, two features": Case(two_features, 32),
    "convolution in groups": Case(grouped, 32),
    "convolution in groups, with zeros": Case(grouped_with_zeros, 72),
    "dilated convolution": Case(dilated, 6),
    "convolution with a kernel of x": Case(own_kernel, 8),
    "convolution, features last": Case(channels_last, 18),
    "max pool": Case(max_pool, 16),
    "mean pool": Case(lambda x: lax.reduce_window(x**2, 0.0, lax.add, (3,), (2,), "SAME"), 9),
    "window with gaps": Case(window_with_gaps, 12),
    "gather": Case(lambda x: x[jnp.array([3, 1, -1])] ** 2, 6),
    "gather, clipped and filled": Case(
        lambda x: jnp.append(jnp.take(x, BEYOND, mode="clip"), jnp.take(x, BEYOND, mode="fill", fill_value=0.0)), 4
    ),
    "set at indices": Case(lambda x: x.at[jnp.array([0, 2])].set(x[:2] * x[1:3]), 5),
    "set columns": Case(set_columns, 6),
    "add at indices": Case(lambda x: x.at[jnp.array([0, 0, 2, 9])].add(x[1:] ** 2), 5),
    "multiply at indices": Case(lambda x: x.at[jnp.array([0, 3])].multiply(x[:2], unique_indices=True), 5),
    "sum by segments": Case(lambda x: jax.ops.segment_sum(x**2, jnp.array([0, 2, 0, 1]), num_segments=3), 4),
    "unknown column": Case(unknown_column, 12),
    "unknown write": Case(unknown_write, 12),
    "known places": Case(known_places, 12),
    "gather in batches": Case(own_batches, 12),
    "scatter in batches": Case(scatter_batches, 12),
    "lookup": Case(lookup, 5),
    "pad": Case(lambda x: jnp.pad(x.reshape(2, 3) ** 2, 1, mode="edge").ravel(), 6),
    "pad between": Case(lambda x: lax.pad(x, x[0] ** 2, [(-1, 2, 1)]), 5),
    "transpose and tile": Case(lambda x: jnp.tile(x.reshape(2, 3).T, (1, 2)).ravel(), 6),
    "stack and unstack": Case(
        lambda x: jnp.stack([row**2 for row in jnp.unstack(x.reshape(3, 2))][::-1], axis=-1).ravel(), 6
    ),
    "split": Case(lambda x: jnp.concatenate([part**2 for part in jnp.split(x, [1, 3])][::-1]), 6),
    "sums over axes": Case(lambda x: jnp.sum(x.reshape(2, 3, 2) ** 2, axis=(0, 2)), 12),
    "cumulative sum": Case(jnp.cumsum, 5),
    "cumulative product, from the end": Case(lambda x: lax.cumprod(x.reshape(2, 3), axis=1, reverse=True).ravel(), 6),
    "softmax of rows": Case(lambda x: jax.nn.softmax(x.reshape(2, 3), axis=1).ravel(), 6),
    "sort": Case(jnp.sort, 4),
    "sort rows": Case(lambda x: jnp.sort(x.reshape(3, 3), axis=1).ravel(), 9),
    "maximum of rows": Case(lambda x: jnp.max(x.reshape(2, 4), axis=1), 8),
    "FFT of rows": Case(lambda x: jnp.abs(jnp.fft.rfft(x.reshape(2, 5), axis=1)).ravel(), 10),
    "triangular solve": Case(lambda x: jax.scipy.linalg.solve_triangular(np.tri(4) + np.eye(4), x, lower=True), 4),
    "triangular solve, transposed": Case(
        lambda x: jax.scipy.linalg.solve_triangular(np.tri(4) + np.eye(4), x, lower=True, trans=1), 4
    ),
    "triangular matrix of x": Case(banded_solve, 6),
    "tridiagonal solve": Case(tridiagonal_solve, 6),
    "solve, dense": Case(lambda x: jnp.linalg.solve(np.ones((4, 4)) + np.eye(4), x**2), 4),
    "solve, diagonal": Case(diagonal_solve, 4),
    "solve, with a count": Case(solve_with_a_count, 4),
    "scan": Case(recurrence, 5),
    "scan, backward": Case(backward_scan, 5),
    "scan over time": Case(advection, 8),
    "scan in a scan": Case(nested_scan, 9),
    "loop over places": Case(fori_neighbours, 7),
    "while": Case(while_newton, 4),
    "while, moving": Case(while_chain, 6, "superset"),
    "cond": Case(lambda x: lax.cond(x[0] > 0, lambda x: x**2, lambda x: x[::-1], x), 5),
    "switch, known": Case(lambda x: lax.switch(1, [jnp.sin, lambda x: x[::-1] ** 2], x), 5),
    "map": Case(lambda x: lax.map(lambda row: row[::-1] ** 2, x.reshape(3, 2)).ravel(), 6),
    "nested jit": Case(lambda x: jax.jit(lambda y: jax.jit(jnp.sin)(y) * y[0])(x), 4),
    "checkpoint": Case(jax.checkpoint(lambda x: jnp.sin(x[1:]) * x[:-1]), 5),
    "checkpointed places": Case(lambda x: x[jax.checkpoint(lambda k: 4 - k)(jnp.arange(5))] * x, 5),
    "custom_jvp": Case(neighbour_rule, 5),
    "custom_vjp": Case(lambda x: reverse_rule(x)[:3] * x[3:], 6),
    "straight-through floor": Case(lambda x: floor_through(x) * x[0], 5),
    "straight-through by stop_gradient": Case(lambda x: x + lax.stop_gradient(jnp.floor(x) - x), 5),
    "conjugate gradients": Case(lambda x: jax.scipy.sparse.linalg.cg(lambda v: 2 * v, x**2)[0], 4),
    "rule at constants": Case(lambda x: x[jnp.array([0, 2])] * jax.nn.relu(jnp.arange(2.0)), 3),
    "gaps in sums": Case(gaps_in_sums, 4),
    "no steps": Case(no_steps, 3),
    "empty parts": Case(lambda x: jnp.concatenate([jnp.cumsum(x[:0]), x]) + x[:0].sum() + x[:0] @ x[:0], 3),
    "cumulative sum of a model": Case(lambda x: jnp.cumsum(x[0] * jnp.exp(-x[1] * jnp.linspace(0, 1, 50)) + x[2]), 3),
    "cumulative sum, from the end": Case(lambda x: lax.cumsum(x.reshape(7, 1), reverse=True).ravel(), 7),
    "complex numbers": Case(lambda x: jnp.abs(jnp.exp(1j * x[:3]) + x[3:]), 6),
}  # fmt: skip
