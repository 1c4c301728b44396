"""Which entries of a Jacobian can differ from zero, read off the program that computes its products."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import scipy.sparse as sp

from autodiff_tutorial.linear_maps.sources import check_scalar, flattened
from autodiff_tutorial.sparse.dependence import identity
from autodiff_tutorial.sparse.programs import NoForwardRuleError, Program, has_rules


def pattern(f: Callable, x: Any) -> sp.csr_array:
    r"""Find which entries of the Jacobian of f can differ from zero, for all x.

    The program that maps v to :math:`\partial f(x)[v]` is traced with x unknown, and followed operation by operation:
    which of the v does each number depend on? So the pattern is that of the derivative which JAX computes, by rules of
    your own too, such as a straight-through floor. It never lacks an entry, and holds too many only where an operation
    cannot be followed closely: indices that depend on x, loops of unknown length, cancellation such as x - x. Where a
    branch depends on x, all branches count; constants count with their zeros, as in A @ x with a given A; and iterative
    solvers count as exact.

    f is traced and never run. The cost is in proportion to the numbers that come up in f, or to the entries found.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one. A function with `jax.custom_vjp` inside is
        followed in reverse mode.
    x : array or pytree of floats
        An example of the argument; only shapes and dtypes count, and `jax.ShapeDtypeStruct` will do.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (m, n)
        Raveled as by `jax.flatten_util.ravel_pytree`; indices sorted.

    Raises
    ------
    TypeError
        If `x` or f(x) holds other than floats of one dtype.
    ValueError
        If `x` or f(x) is empty.

    Warns
    -----
    UserWarning
        If f holds an operation that is not known here; all that comes out of it then depends on all that goes in.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> pattern(lambda x: x[1:] * x[:-1], jnp.zeros(4)).toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])
    """
    flat_f, flat_x, _ = checked("sparse.pattern", "x", f, x)
    return detected(flat_f, flat_x, stacklevel=4)[0]


def hessian_pattern(f: Callable, x: Any) -> sp.csr_array:
    r"""Find which entries of the Hessian of a scalar function can differ from zero, for all x.

    It is the `pattern` of the gradient, less what its transpose lacks. Where f calls functions with rules of their own
    (`jax.custom_jvp`, `jax.custom_vjp`), which need not be the derivatives of anything, it is the pattern and its
    transpose together.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one number.
    x : array or pytree of floats
        An example of the argument, as for `pattern`.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (n, n)
        Symmetric.

    Raises
    ------
    TypeError, ValueError
        As `pattern`, or if f returns more than one number.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> hessian_pattern(lambda x: x[0] ** 2 * x[1] + x[2], jnp.zeros(3)).toarray().astype(int)
    array([[1, 1, 0],
           [1, 0, 0],
           [0, 0, 0]])
    """
    found, _, true = second_derivatives(*scalar("sparse.hessian_pattern", "x", f, x))
    both = (found * found.T if true else found + found.T).tocsr()
    both.sort_indices()
    return both


def detected(f, x, stacklevel=5):
    """Return the pattern of a function of vectors, and whether it has forward derivatives.

    The level of warnings is that of a reader's line, as `warnings.warn` counts it from `_read`.
    """
    try:
        return _read(lambda x, v: jax.jvp(f, (x,), (v,))[1], x, x, stacklevel), True
    except NoForwardRuleError:
        return _read(lambda x, u: jax.vjp(f, x)[1](u)[0], x, jax.eval_shape(f, x), stacklevel).T.tocsr(), False


def second_derivatives(flat_f, x):
    """Return the pattern of the gradient, and whether that has forward derivatives, and is sure to be symmetric."""
    return *detected(jax.grad(flat_f), x), not has_rules(jax.make_jaxpr(flat_f)(x))


def scalar(call, name, f, x):
    """Return a scalar function of a vector, and x as a vector."""
    flat_f, flat_x, _ = checked(call, name, f, x)
    check_scalar(call, f, _arrays(x))
    return lambda flat: flat_f(flat)[0], flat_x


def checked(call, name, f, x):
    """Return f between vectors, x as a vector, and the number of outputs, without running f."""
    if not callable(f):
        raise TypeError(f"`{call}(f=...)` should be a function. Got {type(f).__name__}.")
    for leaf in jax.tree.leaves(x):
        if not isinstance(leaf, float | int | complex) and not hasattr(leaf, "dtype"):
            raise TypeError(f"`{call}({name}=...)` should hold arrays of floats. Got {type(leaf).__name__}.")

    def floats(x):
        y = f(x)
        for leaf in jax.tree.leaves(y):
            dtype = leaf.dtype if hasattr(leaf, "dtype") else type(leaf).__name__
            if dtype != "float" and not (hasattr(leaf, "dtype") and jnp.issubdtype(dtype, jnp.floating)):
                raise TypeError(
                    f"`{call}(f=...)` should return floats alone. Got {dtype} among its outputs. "
                    "Return only what is to be differentiated: f = lambda x: g(x)[0]."
                )
        return y

    return flattened(call, name, floats, _arrays(x))


def _arrays(x):
    return jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf, x
    )


def _read(product, x, v, stacklevel):
    """Return the pattern of a function of x and v that is linear in v, for all x."""
    program, unknown = jax.make_jaxpr(product)(x, v), set()
    (found,) = Program(program, [None, identity(v.size)], [lambda: None] * 2, unknown).run()
    for name in sorted(unknown):
        warnings.warn(
            f"`sparse.pattern` does not know the operation {name!r}, and takes all that comes out of it to depend on "
            "all that goes in: no entry is lost, but there may be too many.",
            stacklevel=stacklevel,
        )
    if found is None:
        return sp.csr_array((program.out_avals[0].size, v.size), dtype=bool)
    matrix = found.as_matrix()
    matrix.sort_indices()
    return matrix
