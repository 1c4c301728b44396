"""Jacobians and Hessians from a few products: one a color, of all columns or rows of that color at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial import finite_differences
from autodiff_tutorial.finite_differences import Scheme, optimal_step
from autodiff_tutorial.sparse.coloring import Coloring
from autodiff_tutorial.sparse.compression import check_coloring, checked_chunk, compressed_products, decompress
from autodiff_tutorial.sparse.detection import checked, detected, scalar, second_derivatives
from autodiff_tutorial.sparse.search import color

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO


def jacobian(
    f: Callable,
    x_like: Any,
    *,
    coloring: Coloring | None = None,
    scheme: Scheme | None = None,
    chunk_size: int | None = None,
) -> Callable[[Any], "BCOO"]:
    r"""Make the function that computes the Jacobian of f as a sparse matrix.

    .. math:: J_{ij} = \frac{\partial f_i}{\partial x_j}, \qquad f : \mathbb{R}^n \to \mathbb{R}^m

    The pattern is detected and colored once, here. After that a Jacobian costs one product a color, which is often
    few whatever n is: 3 for a tridiagonal one. Let `coloring.num_colors` tell; where it comes near min(m, n), use
    `higher_order.jacobian`.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one. With `scheme`, any function of a NumPy array
        of shape (n,) that returns one of shape (m,).
    x_like : array or pytree of floats
        An example of the argument; only shapes and dtypes count, and `jax.ShapeDtypeStruct` will do.
    coloring : Coloring, optional
        From `color`, if you know the pattern, or have colored it before. Entries outside of it are lost, and may be
        added to others: a pattern must hold every entry that can differ from zero.
    scheme : str, optional
        Of `finite_differences.jvp`, such as "central": f is a black box, and products are finite differences along a
        color. It takes a `coloring` of columns, since a black box shows no pattern; and a host: it is not traceable.
    chunk_size : int, optional
        How many products are computed in one batch, by default all.

    Returns
    -------
    callable
        It takes x and returns the Jacobian, of shape (m, n), as `decompress` does. It works under `jax.jit`; under
        `jax.vmap` let it return ``jac(x).data``, or ``jac(x).todense()``, or use the matrix inside. Rows and columns
        count numbers raveled as by `jax.flatten_util.ravel_pytree`.

    Raises
    ------
    TypeError
        If `x_like` or f(x) holds other than floats, or `coloring` is no `Coloring`.
    ValueError
        If `coloring` is for another shape or missing where it is needed, an option is unknown, `x_like` is empty, or
        the function that is returned is given an x of another shape.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid, On the estimation of sparse Jacobian matrices, 1974.
    A. H. Gebremedhin, F. Manne, A. Pothen, What color is your Jacobian?, 2005.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> jac = jacobian(lambda x: x[1:] * x[:-1], jnp.zeros(4))
    >>> print(jac(jnp.array([1.0, 2.0, 3.0, 4.0])).todense())
    [[2. 1. 0. 0.]
     [0. 3. 2. 0.]
     [0. 0. 4. 3.]]

    A black box, whose pattern you know:

    >>> bidiagonal = color(np.eye(3, 4) + np.eye(3, 4, k=1), mode="fwd")
    >>> jac = jacobian(np.diff, np.zeros(4), coloring=bidiagonal, scheme="central")
    >>> print(jac(np.ones(4)).todense().round(6))
    [[-1.  1.  0.  0.]
     [ 0. -1.  1.  0.]
     [ 0.  0. -1.  1.]]
    """
    call = "sparse.jacobian"
    chunk_size = checked_chunk(call, chunk_size)
    if scheme is not None:
        return _black_box(call, f, x_like, coloring, scheme)
    flat_f, flat_x, m = checked(call, "x_like", f, x_like)
    if coloring is None:
        coloring = _colored(flat_f, flat_x, m)
    check_coloring(call, coloring, (m, flat_x.size))
    return _evaluator(call, f, x_like, coloring, chunk_size)


def hessian(
    f: Callable, x_like: Any, *, coloring: Coloring | None = None, chunk_size: int | None = None
) -> Callable[[Any], "BCOO"]:
    r"""Make the function that computes the Hessian of a scalar function as a sparse matrix.

    .. math:: H_{ij} = \frac{\partial^2 f}{\partial x_i \partial x_j}

    Products are Hessian-vector products, forward over reverse: a few gradients each. The coloring uses that H is its
    own transpose: an entry may be read at (i, j) or at (j, i), which often saves colors: 2 instead of n for an arrow.
    Rules of your own may break this: a gradient that goes straight through a floor is the gradient of no function, and
    its derivative no symmetric matrix. So where f calls functions with `jax.custom_jvp` or `jax.custom_vjp`, even
    `jax.nn.relu`, columns are colored instead. If you know the rules to be true derivatives, say so by a coloring with
    mode "symmetric".

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one number.
    x_like, coloring, chunk_size
        As for `jacobian`; the coloring from ``color(hessian_pattern(f, x_like), mode="symmetric")``, or of columns.

    Returns
    -------
    callable
        It takes x and returns the Hessian, of shape (n, n), with the entries of both triangles, as `decompress` does.

    Raises
    ------
    TypeError, ValueError
        As `jacobian`, or if f returns more than one number.

    References
    ----------
    T. F. Coleman, J. J. Moré, Estimation of sparse Hessian matrices and graph coloring problems, 1984.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> hess = hessian(lambda x: x[0] * jnp.sum(x**2), jnp.zeros(3))
    >>> print(hess(jnp.array([1.0, 2.0, 3.0])).todense())
    [[6. 4. 6.]
     [4. 2. 0.]
     [6. 0. 2.]]
    """
    call = "sparse.hessian"
    chunk_size = checked_chunk(call, chunk_size)
    flat_f, flat_x = scalar(call, "x_like", f, x_like)
    if coloring is None:
        found, forward, true = second_derivatives(flat_f, flat_x)
        coloring = color(found * found.T, mode="symmetric") if true else color(found, mode="fwd" if forward else "rev")
    check_coloring(call, coloring, (flat_x.size,) * 2)
    return _evaluator(call, jax.grad(f), x_like, coloring, chunk_size)


def _evaluator(call, f, x_like, coloring, chunk_size):
    def shapes_of(x):
        leaves, structure = jax.tree.flatten(x)
        return [jnp.shape(leaf) for leaf in leaves], structure

    expected = shapes_of(x_like)

    def evaluated(x):
        if shapes_of(x) != expected:
            wanted, found = (jax.tree.map(jnp.shape, tree) for tree in (x_like, x))
            raise ValueError(f"The function that `{call}` made should be given x of shape {wanted}. Got {found}.")
        flat_f, flat_x, m = checked(call, "x", f, x)
        return decompress(compressed_products(flat_f, flat_x, m, coloring, chunk_size), coloring)

    return evaluated


def _colored(f, x, m):
    """Detect and color, for such derivatives as f has: loops may lack reverse ones, custom rules forward ones."""
    found, forward = detected(f, x)
    if not forward:
        return color(found, mode="rev")
    coloring = color(found)
    if coloring.num_row_colors:
        try:
            jax.eval_shape(lambda x: jax.vjp(f, x)[1](jnp.zeros(m, x.dtype)), x)
        except ValueError:
            # JAX has no reverse derivative of loops whose length depends on x.
            return color(found, mode="fwd")
    return coloring


def _black_box(call, f, x_like, coloring, scheme):
    if coloring is None:
        raise ValueError(
            f"`{call}(coloring=...)` should be given with a scheme: a black box shows no pattern. Got None. "
            "Make one with sparse.color(pattern, mode='fwd')."
        )
    optimal_step(scheme, 2, np.float64)  # refuses unknown schemes
    if np.ndim(x_like) != 1:
        raise ValueError(f"`{call}(x_like=...)` should have shape (n,), with a scheme. Got {type(x_like).__name__}.")
    n = np.shape(x_like)[0]
    check_coloring(call, coloring, (coloring.shape[0] if isinstance(coloring, Coloring) else None, n))
    m = coloring.shape[0]
    if coloring.num_row_colors:
        raise ValueError(
            f"`{call}(coloring=..., scheme={scheme!r})` should color columns alone: finite differences give no "
            f"products with rows. Got {coloring.num_row_colors} colors of rows. Use sparse.color(pattern, mode='fwd')."
        )

    def evaluated(x):
        x = np.asarray(x)
        if x.shape != (n,):
            raise ValueError(f"The function that `{call}` made should be given x of shape ({n},). Got {x.shape}.")
        seeds = (coloring.column_colors == np.arange(coloring.num_column_colors)[:, None]).astype(x.dtype)
        columns = [finite_differences.jvp(f, x, v, scheme=scheme).df for v in seeds]
        for column in columns[:1]:
            if column.shape != (m,):
                raise ValueError(
                    f"`{call}(f=...)` should return an array of shape ({m},), one number a row of the coloring. "
                    f"Got shape {column.shape}."
                )
        return decompress((np.reshape(columns, (-1, m)), np.zeros((0, n))), coloring)

    return evaluated
