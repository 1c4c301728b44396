"""The derivative of any smooth matrix function, from one value of that function at a matrix twice as large.

Knows nothing of the function but how to call it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from autodiff_tutorial.custom_rules.checking import checked_square, is_traced

# For a matrix function f, smooth on the eigenvalues of A, and any E (Mathias 1996; Higham 2008, (3.16)),
#
#     f([A E]) = [f(A) L(A, E)]
#       [0 A]    [ 0     f(A) ]
#
# where L(A, E) is the derivative of f at A along E. As a program, the corner of f is not linear in E, though as a
# function it is: JAX cannot transpose it. But
#
#     <G, L(A, E)> = <L(A^T, G), E>
#
# since f(A^T) = f(A)^T. A primitive of our own carries this transpose. And as L is itself a corner of f, its derivative
# is a corner of a corner: with [X] for the block matrix above,
#
#     L's derivative at (A, E) along (A_dot, E_dot) = the corner of L([A E; 0 A], [A_dot E_dot; 0 A_dot]),
#
# which again is linear in the tangents, with a transpose. So all orders follow, in both modes.


def matrix_function(f: Callable) -> Callable:
    r"""Give a smooth matrix function its derivative, by the block matrix rule.

    The derivative L of f at A is read off the upper right corner, and the cotangent follows from the adjoint identity:

    .. math:: f\!\begin{pmatrix} A & \dot A \\ 0 & A \end{pmatrix}
              = \begin{pmatrix} f(A) & L(A, \dot A) \\ 0 & f(A) \end{pmatrix}, \qquad
              \bar A = L(A^T, \bar C) .

    f itself is never differentiated, and may be anything that JAX can run, `jax.pure_callback` included. A derivative
    costs one call of f at a matrix of size 2n, about eight calls at size n; each further order doubles the size again.

    Parameters
    ----------
    f : callable
        A function of matrices, such as :math:`\sum_k c_k A^k` with real :math:`c_k`: (n, n) to (n, n), for any n. It
        has to be smooth around the eigenvalues of A. It may hold constants, but no values that are differentiated, and
        within `jax.jit` or `jax.vmap` none that depend on their arguments.

    Returns
    -------
    callable
        It has the values of f, takes (n, n) floats, and works in both modes, to any order, under `jax.jit` and
        `jax.vmap`.

    Raises
    ------
    TypeError, ValueError
        If f is not callable, or is seen not to be a matrix function: at one matrix of size 3, :math:`f(A)` does not
        commute with :math:`A`, or :math:`f(A^T)` is not :math:`f(A)^T`, or the blocks are not as above. So are
        functions of the elements, such as `jax.numpy.sin`, and :math:`A / |A|`.

    References
    ----------
    Mathias (1996), A chain rule for matrix functions and applications, SIAM J. Matrix Anal. Appl. 17, 610-620;
    Higham (2008), Functions of Matrices, sections 3.2 and 3.4.

    Examples
    --------
    >>> square = matrix_function(lambda A: A @ A)
    >>> A, A_dot = jnp.array([[1.0, 2.0], [0.0, 3.0]]), jnp.array([[0.0, 0.0], [1.0, 0.0]])
    >>> print(jax.jvp(square, (A,), (A_dot,))[1])  # A @ A_dot + A_dot @ A
    [[2. 0.]
     [4. 2.]]
    """
    if not callable(f):
        raise TypeError(f"`custom_rules.matrix_function(f=...)` should be callable. Got {type(f).__name__}.")
    _check_matrix_function(f)

    def same_kind(A):
        return _of_same_kind(f(A), A)

    return with_block_rule(same_kind, "custom_rules.matrix_function(f)(A)")


def with_block_rule(f, call):
    """Return f with its derivative, unchecked; `call` is what errors on A name."""

    @jax.custom_jvp
    def derivative(A, E):
        return frechet_p.bind(A, E, f=f, derivative=derivative)

    @derivative.defjvp
    def _(primals, tangents):
        return derivative(*primals), _corner(derivative(block(*primals), block(*tangents)))

    @jax.custom_jvp
    def value(A):
        return f(A)

    @value.defjvp
    def _(primals, tangents):
        return value(*primals), derivative(*primals, *tangents)

    return lambda A: value(checked_square(call, A))


def block(A, E):
    return jnp.block([[A, E], [jnp.zeros_like(A), A]])


def _corner(B):
    n = B.shape[-1] // 2
    return B[..., :n, n:]


def _frechet(A, E, *, f, derivative):
    """Read L(A, E) off the corner, with E brought to the size of A, on which the work and the accuracy of f depend."""

    def one(A, E):
        size, of_A = jnp.max(abs(E)), jnp.max(abs(A))
        c = jnp.where(size > 0, jnp.where(of_A > 0, of_A, 1) / jnp.where(size > 0, size, 1), 1)
        return _corner(f(block(A, c * E))) / c

    for _ in range(A.ndim - 2):
        one = jax.vmap(one)
    return one(A, E)


frechet_p = Primitive("frechet")
frechet_p.def_impl(jax.jit(_frechet, static_argnames=("f", "derivative")))
frechet_p.def_abstract_eval(lambda A, E, **_: A)
mlir.register_lowering(frechet_p, mlir.lower_fun(_frechet, multiple_results=False))


def _transpose(G, A, E, *, f, derivative):
    return None, derivative(jnp.swapaxes(A, -1, -2), G)


def _batch(args, axes, **params):
    size = next(arg.shape[axis] for arg, axis in zip(args, axes, strict=True) if axis is not None)
    stacked = [
        jnp.broadcast_to(arg, (size, *arg.shape)) if axis is None else jnp.moveaxis(arg, axis, 0)
        for arg, axis in zip(args, axes, strict=True)
    ]
    return frechet_p.bind(*stacked, **params), 0


ad.primitive_transposes[frechet_p] = _transpose
batching.primitive_batchers[frechet_p] = _batch


def _of_same_kind(value, A):
    """Return f(A), if it is a matrix like A."""
    call = "`custom_rules.matrix_function(f=...)` should"
    if getattr(value, "shape", None) != A.shape:
        got = f"shape {value.shape}" if hasattr(value, "shape") else type(value).__name__
        raise ValueError(f"{call} return a matrix of the shape that it takes, {A.shape}. Got {got}.")
    if value.dtype != A.dtype:
        raise TypeError(f"{call} return the dtype that it takes, {A.dtype}. Got {value.dtype}.")
    return value


def _check_matrix_function(f):
    # Its eigenvalues lie within the unit disk, right of 0, where most functions are smooth; its entries have both
    # signs, and some are above 1/2, where functions of the elements show what they are.
    A = jnp.array([[0.5, -0.3, 0.1], [0.2, 0.6, 0.0], [-0.1, 0.7, 0.4]])
    B = block(A, A @ A.T)
    value, transposed, of_block = (_of_same_kind(f(X), X) for X in (A, A.T, B))
    if is_traced(value):
        return
    gaps = {
        "f(A) A unlike A f(A)": value @ A - A @ value,
        "f(A^T) unlike f(A)^T": transposed - value.T,
        "other blocks in f([[A, E], [0, A]]) than f(A), 0 and f(A)": of_block - block(value, _corner(of_block)),
    }
    for words, gap in gaps.items():
        if jnp.max(abs(gap)) > jnp.finfo(A.dtype).eps ** 0.5 * jnp.max(abs(value)):
            raise ValueError(
                f"`custom_rules.matrix_function(f=...)` should be a function of matrices, such as a power series. "
                f"Got one with {words}. Functions of the elements, such as jnp.exp, need no rule."
            )
