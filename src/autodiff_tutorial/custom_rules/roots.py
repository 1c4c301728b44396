"""The square root and the logarithm of a matrix, by products and inverses only, so that they run on every device."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.matrices import product
from autodiff_tutorial.custom_rules.matrix_functions import with_block_rule

# Newton's method for X^2 = A from X = A, in the product form of Denman and Beavers (Cheng, Higham, Kenney and Laub
# 2001; Higham 2008, (6.29)): X_k -> A^(1/2), M_k = X_k A^-1 X_k -> I, quadratically. The factor mu = |det M|^(-1/2n)
# shortens the way there. The limit of accuracy, cond(A^(1/2)) roundings, is that of the problem.
_MAX_STEPS = 60


def _sqrtm(A):
    n, eps = A.shape[0], jnp.finfo(A.dtype).eps
    identity = jnp.eye(n, dtype=A.dtype)

    def unfinished(state):
        _, _, gap, k = state
        return (gap > n * eps) & (k < _MAX_STEPS)

    def step(state):
        X, M, gap, k = state
        mu2 = jnp.where(gap > 0.1, jnp.exp(-jnp.linalg.slogdet(M)[1] / n), 1)
        inverse = jnp.linalg.inv(M) / mu2
        X = 0.5 * jnp.sqrt(mu2) * (X + product(X, inverse))
        M = 0.5 * (identity + 0.5 * (mu2 * M + inverse))
        return X, M, jnp.max(jnp.sum(abs(M - identity), axis=1)), k + 1

    # Matrices are scaled to entries near 1, lest squares overflow.
    c = jnp.exp2(jnp.round(jnp.log2(jnp.max(abs(A)))))
    A = A / c
    X, _, gap, _ = jax.lax.while_loop(unfinished, step, (A, A, jnp.asarray(jnp.inf, A.dtype), 0))
    # Near the negative axis rounding can lead elsewhere.
    right = jnp.max(abs(product(X, X) - A)) <= eps**0.25 * jnp.max(abs(X)) ** 2
    return jnp.where((gap <= eps**0.5) & right, X * jnp.sqrt(c), jnp.nan)


# log A = 2^k log A^(1/2^k), and for a small X = A^(1/2^k) - I, with the nodes and weights of Gauss and Legendre,
#     log(I + X) = integral over t from 0 to 1 of X (I + t X)^-1 = sum_j w_j X (I + t_j X)^-1 + O(X^15),
# the Pade approximant of degree 7 in partial fractions (Dieci, Morini and Papini 1996; Higham 2008, section 11.4).
_NODES, _WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(7))
_SMALL, _MAX_ROOTS = 0.25, 100


def _logm(A):
    identity = jnp.eye(A.shape[0], dtype=A.dtype)

    def size(A):
        return jnp.max(jnp.sum(abs(A - identity), axis=1))

    def unfinished(state):
        A, k = state
        return (size(A) > _SMALL) & (k < _MAX_ROOTS)

    A, k = jax.lax.while_loop(unfinished, lambda state: (_sqrtm(state[0]), state[1] + 1), (A, 0))
    X = A - identity
    nodes, weights = (jnp.asarray(part, A.dtype)[:, None, None] for part in (_NODES + 0.5, _WEIGHTS))
    terms = jnp.linalg.solve(identity + nodes * X, jnp.broadcast_to(X, (len(nodes), *X.shape)))
    log = jnp.exp2(jnp.asarray(k, A.dtype)) * jnp.sum(weights * terms, axis=0)
    return jnp.where(size(A) <= _SMALL, log, jnp.nan)


_sqrtm_with_rule = with_block_rule(_sqrtm, "custom_rules.sqrtm(A=...)")
_logm_with_rule = with_block_rule(_logm, "custom_rules.logm(A=...)")


def sqrtm(A: ArrayLike) -> jax.Array:
    r"""Return the principal square root of a matrix: :math:`X X = A`, with eigenvalues of positive real part.

    It is computed by a scaled Newton iteration, about seven inversions. The derivative solves
    :math:`X \dot X + \dot X X = \dot A`, and comes from the block matrix rule of `matrix_function`, at the cost of a
    root of size 2n; it works in both modes and to any order.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Floats; without eigenvalues on the negative real axis or at zero.

    Returns
    -------
    array, shape (n, n)
        With a relative error of about ``cond(X)`` roundings; in a derivative, ``cond(X)**2``. At an angle d off the
        negative axis, ``1 / d**2`` times that. NaN where no real root is found.

    Raises
    ------
    TypeError, ValueError
        If `A` holds other than float32 or float64, or is not square.

    References
    ----------
    Cheng, Higham, Kenney and Laub (2001), Approximating the logarithm of a matrix to specified accuracy, SIAM J.
    Matrix Anal. Appl. 22, section 4; Higham (2008), Functions of Matrices, section 6.3.

    Examples
    --------
    >>> A = jnp.array([[4.0, 1.0], [0.0, 9.0]])
    >>> print(np.asarray(sqrtm(A)).round(4))
    [[2.  0.2]
     [0.  3. ]]
    >>> slopes = jax.grad(lambda A: jnp.trace(sqrtm(A)))(A)  # half the inverse of the root, transposed
    >>> print(np.asarray(slopes).round(4))
    [[ 0.25    0.    ]
     [-0.0167  0.1667]]
    """
    return _sqrtm_with_rule(A)


def logm(A: ArrayLike) -> jax.Array:
    r"""Return the principal logarithm of a matrix: :math:`e^X = A`, eigenvalues within :math:`\pi` of the real axis.

    Square roots are taken until A is near the identity, then a Pade approximant. The derivative comes from the block
    matrix rule of `matrix_function`, at the cost of a logarithm of size 2n; it works in both modes and to any order.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Floats; without eigenvalues on the negative real axis or at zero.

    Returns
    -------
    array, shape (n, n)
        With a relative error of up to about ``cond(A)`` roundings, in a derivative too. NaN where no real logarithm
        is found.

    Raises
    ------
    TypeError, ValueError
        If `A` holds other than float32 or float64, or is not square.

    References
    ----------
    Cheng, Higham, Kenney and Laub (2001), Approximating the logarithm of a matrix to specified accuracy, SIAM J.
    Matrix Anal. Appl. 22, 1112-1125; Higham (2008), Functions of Matrices, chapter 11.

    Examples
    --------
    >>> from jax.scipy.linalg import expm
    >>> print(np.asarray(logm(expm(jnp.array([[0.5, 1.0], [0.0, 0.25]])))).round(4))
    [[0.5  1.  ]
     [0.   0.25]]
    """
    return _logm_with_rule(A)
