"""The inverse of a matrix and the solution of a linear system, with the rules that a total differential gives.

Knows nothing of how a factorization is computed, and never differentiates one.
"""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import lu_factor, lu_solve
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats, checked_square


def inv(A: ArrayLike) -> jax.Array:
    r"""Invert a matrix.

    With :math:`C = A^{-1}`, the differential of :math:`C A = I` gives the rules

    .. math:: \dot C = -C \dot A C, \qquad \bar A = -C^T \bar C C^T .

    A derivative costs two products of matrices.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Floats. Of a singular matrix, the inverse is infinite or NaN; or huge, where rounding hides that it is singular.

    Returns
    -------
    array, shape (n, n)
        With a relative error of about ``cond(A)`` roundings; in a derivative the condition counts twice.

    Raises
    ------
    TypeError, ValueError
        If `A` holds other than float32 or float64, or is not square.

    References
    ----------
    Magnus and Neudecker (1988), Matrix Differential Calculus, section 8.4; Giles (2008), An extended collection of
    matrix derivative results, section 2.2.3.

    Examples
    --------
    >>> A, A_dot = jnp.diag(jnp.array([1.0, 2.0])), jnp.ones((2, 2))
    >>> print(jax.jvp(inv, (A,), (A_dot,))[1])
    [[-1.   -0.5 ]
     [-0.5  -0.25]]
    """
    return _inv(checked_square("custom_rules.inv(A=...)", A))


@jax.custom_jvp
def _inv(A):
    return jnp.linalg.inv(A)


@_inv.defjvp
def _(primals, tangents):
    C, (A_dot,) = _inv(*primals), tangents
    return C, -product(product(C, A_dot), C)


def solve(A: ArrayLike, b: ArrayLike) -> jax.Array:
    r"""Solve :math:`A x = b`.

    The differential of :math:`A x = b` gives the rules

    .. math:: \dot x = A^{-1} (\dot b - \dot A x), \qquad \bar b = A^{-T} \bar x, \quad \bar A = -\bar b\, x^T .

    `A` is factored once, and not differentiated through its factors: a derivative costs two triangular systems.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Floats. Where it is singular, the result is infinite or NaN; or huge, where rounding hides that.
    b : array_like, shape (n,) or (n, k)
        One right-hand side, or k of them as columns.

    Returns
    -------
    array
        Shaped like `b`, with a relative error of about ``cond(A)`` roundings; in a derivative the condition counts
        twice.

    Raises
    ------
    TypeError, ValueError
        If an argument holds other than float32 or float64, `A` is not square, or `b` does not fit.

    References
    ----------
    Giles (2008), An extended collection of matrix derivative results, section 2.3.1.

    Examples
    --------
    >>> A, b = jnp.diag(jnp.array([1.0, 2.0])), jnp.array([1.0, 1.0])
    >>> print(jax.grad(lambda A: solve(A, b).sum())(A))
    [[-1.   -0.5 ]
     [-0.5  -0.25]]
    """
    A = checked_square("custom_rules.solve(A=...)", A)
    b = checked_floats("custom_rules.solve(b=...)", b)
    if b.ndim not in (1, 2) or b.shape[0] != A.shape[0]:
        raise ValueError(
            f"`custom_rules.solve(b=...)` should have shape ({A.shape[0]},) or ({A.shape[0]}, k). Got {b.shape}."
        )
    dtype = jnp.result_type(A, b)
    A, b = A.astype(dtype), b.astype(dtype)
    factors = lu_factor(jax.lax.stop_gradient(A))
    # JAX has the rule above for every linear system of which it is told the product and both solutions.
    return jax.lax.custom_linear_solve(
        lambda x: product(A, x),
        b,
        lambda _, b: lu_solve(factors, b),
        transpose_solve=lambda _, b: lu_solve(factors, b, trans=1),
    )


def product(A, B):
    """Multiply in full precision: recent GPUs round what they multiply to ten bits by default."""
    return jnp.matmul(A, B, precision="highest")
