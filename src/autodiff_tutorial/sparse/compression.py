"""Products of a Jacobian with colors, and back: its entries from the products."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.linear_maps.checking import checked_size
from autodiff_tutorial.sparse.coloring import Coloring
from autodiff_tutorial.sparse.detection import checked

# Seeds are stored, one byte a number, up to this size.
_SEEDS = 10_000_000

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO


def compress(f: Callable, x: Any, coloring: Coloring, *, chunk_size: int | None = None) -> tuple[jax.Array, jax.Array]:
    r"""Compute the products of a Jacobian with the colors of its columns and rows.

    .. math:: C_c = J\, s_c, \qquad R_r = t_r^T J

    with :math:`s_c` the vector of ones at the columns of color c, and :math:`t_r` that of ones at the rows of color r.
    The cost is one Jacobian-vector product a color of columns, and one vector-Jacobian product a color of rows.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one. For a Hessian, the gradient.
    x : array or pytree of floats
        The point; n numbers.
    coloring : Coloring
        From `color`, for a Jacobian of m by n.
    chunk_size : int, optional
        How many products are computed in one batch, by default all. Memory is what one batch needs, and the result.

    Returns
    -------
    columns : array, shape (num_column_colors, m)
        The vectors :math:`C_c`.
    rows : array, shape (num_row_colors, n)
        The vectors :math:`R_r`. Both in the dtype of `x`.

    Raises
    ------
    TypeError
        If `x` or f(x) holds other than floats, or `coloring` is no `Coloring`.
    ValueError
        If `coloring` is for another shape, or `chunk_size` is not positive.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from autodiff_tutorial.sparse import color
    >>> x = jnp.array([1.0, 2.0, 3.0])
    >>> columns, rows = compress(lambda x: x**2, x, color(jnp.eye(3)))
    >>> print(columns, rows.shape)
    [[2. 4. 6.]] (0, 3)
    """
    call = "sparse.compress"
    flat_f, flat_x, m = checked(call, "x", f, x)
    check_coloring(call, coloring, (m, flat_x.size))
    return compressed_products(flat_f, flat_x, m, coloring, checked_chunk(call, chunk_size))


def decompress(compressed: tuple[jax.Array, jax.Array], coloring: Coloring) -> "BCOO":
    """Read the entries of a matrix from its products with colors.

    No arithmetic is done: each entry stands alone in one of the products.

    Parameters
    ----------
    compressed : (columns, rows)
        As from `compress`.
    coloring : Coloring
        That with which they were made.

    Returns
    -------
    BCOO, shape (m, n)
        A sparse matrix of `jax.experimental.sparse`, with one entry a place of the pattern, zeros included, in the
        order of rows: ``.data`` of shape (nnz,) and ``.indices`` of shape (nnz, 2). ``.todense()`` writes it out,
        ``A @ v`` multiplies, and `scipy.sparse.csr_array` takes ``(A.data, A.indices.T)``.

    Raises
    ------
    ValueError
        If the shapes do not belong together.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from autodiff_tutorial.sparse import color
    >>> tridiagonal = color(jnp.eye(3) + jnp.eye(3, k=1) + jnp.eye(3, k=-1))
    >>> x = jnp.array([1.0, 2.0, 3.0])
    >>> f = lambda x: x**2 + jnp.roll(x, 1).at[0].set(0)
    >>> print(decompress(compress(f, x, tridiagonal), tridiagonal).todense())
    [[2. 0. 0.]
     [1. 4. 0.]
     [0. 1. 6.]]
    """
    # Importing this takes a third as long as importing JAX, which importing our package should not.
    from jax.experimental.sparse import BCOO

    check_type("sparse.decompress", coloring)
    if not isinstance(compressed, tuple | list) or len(compressed) != 2:
        raise TypeError(
            "`sparse.decompress(compressed=...)` should be a pair, (columns, rows), as from `sparse.compress`. "
            f"Got {type(compressed).__name__}."
        )
    columns, rows = map(jnp.asarray, compressed)
    m, n = coloring.shape
    expected = (coloring.num_column_colors, m), (coloring.num_row_colors, n)
    found = columns.shape, rows.shape
    if found != expected:
        raise ValueError(
            f"`sparse.decompress(compressed=...)` should hold arrays of shapes {expected[0]} and {expected[1]}, for "
            f"this coloring. Got {found[0]} and {found[1]}."
        )
    # Shapes are right, so that places are inside.
    if coloring.num_row_colors == 0:
        data = columns.at[coloring.color, coloring.position].get(mode="promise_in_bounds", wrap_negative_indices=False)
    elif coloring.num_column_colors == 0:
        data = rows.at[coloring.color, coloring.position].get(mode="promise_in_bounds", wrap_negative_indices=False)
    else:
        # Places in the other array may lie outside; what is read there is not used.
        by_row = coloring.color - coloring.num_column_colors
        data = jnp.where(
            by_row < 0,
            columns.at[coloring.color, coloring.position].get(mode="clip"),
            rows.at[by_row, coloring.position].get(mode="clip"),
        )
    indices = jnp.stack([coloring.rows, coloring.cols], axis=1)
    return BCOO((data, indices), shape=coloring.shape, indices_sorted=True, unique_indices=True)


def compressed_products(f, x, m, coloring, chunk_size):
    def same_dtype(x):
        return f(x).astype(x.dtype)

    columns, rows = jnp.zeros((0, m), x.dtype), jnp.zeros((0, x.size), x.dtype)
    if coloring.num_column_colors:
        columns = _by_color(
            lambda v: jax.jvp(same_dtype, (x,), (v,))[1],
            coloring.column_colors, coloring.num_column_colors, x.dtype, chunk_size,
        )  # fmt: skip
    if coloring.num_row_colors:
        pull = jax.vjp(same_dtype, x)[1]
        rows = _by_color(lambda u: pull(u)[0], coloring.row_colors, coloring.num_row_colors, x.dtype, chunk_size)
    return columns, rows


def _by_color(product, colors, count, dtype, chunk_size):
    """Return the products with the vectors of ones at each color."""
    if chunk_size is None or chunk_size >= count:
        if isinstance(colors, np.ndarray) and colors.size * count <= _SEEDS:
            # As a constant, the seeds are not compared anew in each product.
            seeds = unfused(jnp.asarray(colors == np.arange(count)[:, None]))
            return jax.vmap(lambda seed: product(seed.astype(dtype)))(seeds)
        return jax.vmap(lambda c: product((colors == c).astype(dtype)))(jnp.arange(count))
    colors = jnp.asarray(colors)
    return jax.lax.map(lambda c: product((colors == c).astype(dtype)), jnp.arange(count), batch_size=chunk_size)


def checked_chunk(call, chunk_size):
    return None if chunk_size is None else checked_size("chunk_size", chunk_size, call)


def check_type(call, coloring):
    if not isinstance(coloring, Coloring):
        raise TypeError(
            f"`{call}(coloring=...)` should be a Coloring, from sparse.color. Got {type(coloring).__name__}."
        )


def check_coloring(call, coloring, shape):
    check_type(call, coloring)
    if coloring.shape != shape:
        raise ValueError(
            f"`{call}(coloring=...)` should be for a matrix of shape {shape}, outputs by inputs. Got {coloring.shape}."
        )


def unfused(constant):
    """Keep a constant out of fused programs, where XLA on CPUs may read it in a wrong order.

    So it does in JAX 0.7.2 and 0.8.0, and no longer in 0.8.3; from then on nothing is done.
    """
    return jax.lax.optimization_barrier(constant) if jax.__version_info__ < (0, 8, 3) else constant
