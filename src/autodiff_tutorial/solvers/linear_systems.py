"""Linear systems whose matrix is a program, with a derivative in both modes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import bicgstab, cg, gmres

from autodiff_tutorial.linear_maps.maps import stacked
from autodiff_tutorial.solvers.problems import described

# How many vectors GMRES keeps before it starts again, and how many products a method may take.
_KEPT, _PRODUCTS = 20, 4000


def solve_linear(matvec: Callable, b: jax.Array, linear_solve: str | Callable = "gmres") -> jax.Array:
    r"""Solve :math:`A x = b` for a matrix that is known by its products only.

    The solution is checked: where :math:`|A x - b| > \sqrt\epsilon\, |b|`, it is NaN. Its derivatives are solutions of
    further systems, with A and :math:`A^T`, whatever the method, in both modes and to any order.

    Parameters
    ----------
    matvec : callable
        :math:`x \mapsto A x`, from (n,) to (n,); linear, and transposable by JAX.
    b : array_like of floats, shape (n,)
        The right-hand side.
    linear_solve : {"gmres", "bicgstab", "cg", "diagonal", "dense"} or callable
        "gmres" takes any matrix, is quick where eigenvalues cluster, as those of I - K for a contraction K, and keeps
        20 vectors; "bicgstab" keeps 8, is faster for large n, and may break down where eigenvalues are imaginary;
        "cg" needs a symmetric positive matrix; "diagonal" takes the matrix to be diagonal, one product; "dense" writes
        it out, n products and :math:`O(n^3)`. A callable ``linear_solve(matvec, b)`` returns x; it is called with
        the products of :math:`A^T` too.

    Returns
    -------
    array, shape (n,)
        NaN where the method fails, or the system has no solution. If it has many, an iterative method returns one.

    Raises
    ------
    TypeError, ValueError
        If b is no vector of floats, a product or what a callable returns is not like it, or the method is unknown.

    Examples
    --------
    >>> A = jnp.array([[2.0, 1.0], [0.0, 4.0]])
    >>> print(solve_linear(lambda x: A @ x, jnp.array([4.0, 4.0]), "dense"))
    [1.5 1. ]
    """
    call = "solvers.solve_linear"
    b = jnp.asarray(b)
    if b.ndim != 1 or b.dtype.name not in ("float32", "float64"):
        raise TypeError(f"`{call}(b=...)` should be a vector of float32 or float64. Got {described(b)}.")
    found = jax.eval_shape(matvec, b)
    if described(found) != described(b):
        raise TypeError(f"`{call}(matvec=...)` should return {described(b)}, as b is. Got {described(found)}.")
    eps = float(jnp.finfo(b.dtype).eps)
    method = linear_method(call, linear_solve, b.size, eps**0.75)

    def solve(matvec, b):
        x = method(matvec, b)
        return jnp.where(solved(matvec(x), b, eps**0.5), x, jnp.nan)

    return jax.lax.custom_linear_solve(matvec, b, solve, transpose_solve=solve)


def solved(product, b, tolerance):
    """Tell whether a product with A equals b, as far as is tolerated."""
    size = _size(b)
    whole = jnp.linalg.norm(b / size)
    return (jnp.linalg.norm((product - b) / size) <= tolerance * whole) & (whole < jnp.inf)


def linear_method(call, linear_solve, n, rtol):
    """Return a method as a function of the products and the right-hand side; what it finds is not looked at."""
    check_linear_solve(call, linear_solve)
    if callable(linear_solve):

        def checked(matvec, b):
            x = linear_solve(matvec, b)
            if described(x) != described(b):
                raise TypeError(
                    f"`{call}(linear_solve=...)` should return an array like b, {described(b)}. Got {described(x)}."
                )
            return x

        return checked
    if n == 1:
        return _diagonal
    if linear_solve in ("diagonal", "dense"):
        return {"diagonal": _diagonal, "dense": _dense}[linear_solve]
    options = {
        "gmres": {"restart": min(_KEPT, n), "maxiter": _PRODUCTS // _KEPT},
        "bicgstab": {"maxiter": _PRODUCTS // 2},
        "cg": {"maxiter": _PRODUCTS},
    }[linear_solve]
    krylov = {"gmres": gmres, "bicgstab": bicgstab, "cg": cg}[linear_solve]

    def solve(matvec, b):
        # These methods take what is below a fixed size for zero, so b and the products are brought near 1.
        of_b = _size(b)
        of_product = _size(matvec(b / of_b))
        return krylov(lambda v: matvec(v) / of_product, b / of_b, tol=rtol, **options)[0] * (of_b / of_product)

    return solve


def _size(v):
    size = jnp.max(abs(v))
    return jnp.where((size > 0) & (size < jnp.inf), size, 1)


def check_linear_solve(call, linear_solve):
    names = ("gmres", "bicgstab", "cg", "diagonal", "dense")
    if not callable(linear_solve) and linear_solve not in names:
        raise ValueError(
            f"`{call}(linear_solve=...)` should be one of {', '.join(map(repr, names))}, or a function of matvec "
            f"and b. Got {linear_solve!r}."
        )


def _diagonal(matvec, b):
    return b / matvec(jnp.ones_like(b))


def _dense(matvec, b):
    return jnp.linalg.solve(stacked(matvec, b.size, b.dtype, None).T, b)
