"""Jacobians as matrices, by whichever mode needs fewer passes, or by both."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from autodiff_tutorial.linear_maps.checking import checked_size
from autodiff_tutorial.linear_maps.maps import stacked
from autodiff_tutorial.linear_maps.sources import flattened

_CALL = "higher_order.jacobian"


def jacobian(
    f: Callable | tuple[Callable, Callable],
    *,
    mode: Literal["auto", "fwd", "rev", "mixed"] = "auto",
    chunk_size: int | None = None,
) -> Callable[[Any], jax.Array]:
    r"""Make the function that computes the Jacobian of f.

    .. math:: J_{ij} = \frac{\partial f_i}{\partial x_j}, \qquad f : \mathbb{R}^n \to \mathbb{R}^m

    ========= ==================================== =======================================================
    mode      passes                               memory, besides the result
    ========= ==================================== =======================================================
    ``fwd``   n, each a column                     n times what `f` needs at one moment
    ``rev``   m, each a row                        all intermediate values of `f`, and m times their cotangents
    ``auto``  the fewer; ``fwd`` if n = m          as that
    ``mixed`` n through g, m through h             nothing of g is kept
    ========= ==================================== =======================================================

    For ``mixed``, `f` is a pair (g, h), read as h(g(x)), :math:`\mathbb{R}^n \to \mathbb{R}^k \to \mathbb{R}^m`, and
    J is the product of the Jacobian of h, by rows, and that of g, by columns. It pays where n and m are small, and g is
    long: n parameters, a simulation that returns k numbers, and one loss.

    Parameters
    ----------
    f : callable, or pair of callables
        Traceable; takes an array or a pytree of arrays, and returns one. A pair (g, h) stands for h(g(x)), in any mode.
    mode : {"auto", "fwd", "rev", "mixed"}
        Which way.
    chunk_size : int, optional
        How many passes run in one batch, by default all: "n times" and "m times" in the table become `chunk_size`
        times.

    Returns
    -------
    callable
        It takes x and returns J, an array of shape (m, n) in the dtype of `x`, for n numbers in and m out, both
        raveled as by `jax.flatten_util.ravel_pytree`.

    Raises
    ------
    TypeError
        If `f` is neither a function nor a pair of them, `x` (or g(x), for "mixed") holds other than floats of one
        dtype, or f(x) is complex.
    ValueError
        If `mode` is unknown, or "mixed" without a pair, or `chunk_size` is not positive, or `x`, g(x) or f(x) is empty.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(jacobian(lambda x: jnp.stack([x[0] ** 2 + x[1] ** 2, x[0] * x[1]]))(jnp.array([2.0, 3.0])))
    [[4. 6.]
     [3. 2.]]
    >>> print(jacobian((jnp.sin, jnp.sum), mode="mixed")(jnp.array([0.0, 0.0])))
    [[1. 1.]]
    """
    if mode not in ("auto", "fwd", "rev", "mixed"):
        raise ValueError(f"`{_CALL}(mode=...)` should be one of 'auto', 'fwd', 'rev', 'mixed'. Got {mode!r}.")
    if not callable(f) and not (isinstance(f, tuple) and len(f) == 2 and all(map(callable, f))):
        raise TypeError(f"`{_CALL}(f=...)` should be a function, or a pair of them, (g, h) for h(g(x)). Got {f!r}.")
    if callable(f) and mode == "mixed":
        raise ValueError(
            f"`{_CALL}(f=..., mode='mixed')` should be given a pair of functions, (g, h) for h(g(x)), "
            f"which tells where the modes meet. Got {f!r}."
        )
    if chunk_size is not None:
        chunk_size = checked_size("chunk_size", chunk_size, _CALL)

    def evaluated(x):
        if mode != "mixed":
            return _matrix(f if callable(f) else lambda x: f[1](f[0](x)), x, mode, chunk_size)
        g, h = f
        left = _matrix(h, g(x), "rev", chunk_size, "g(x)")
        right = _matrix(g, x, "fwd", chunk_size)
        # By default, recent GPUs round what they multiply to ten bits.
        return jnp.matmul(left.astype(right.dtype), right, precision="highest")

    return evaluated


def _matrix(f, x, mode, chunk_size, name="x"):
    flat_f, x, m = flattened(_CALL, name, f, x)
    n, dtype = x.size, x.dtype

    def same_dtype(flat):
        return flat_f(flat).astype(dtype)

    if mode == "fwd" or (mode == "auto" and n <= m):
        return stacked(lambda v: jax.jvp(same_dtype, (x,), (v,))[1], n, dtype, chunk_size).T
    pull = jax.vjp(same_dtype, x)[1]
    return stacked(lambda u: pull(u)[0], m, dtype, chunk_size)
