"""Where linear maps come from: matrices, linear functions, and derivatives at a point."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import ArrayLike

from autodiff_tutorial.linear_maps.checking import real_dtype
from autodiff_tutorial.linear_maps.maps import LinearMap, derived


def from_matrix(A: ArrayLike) -> LinearMap:
    """Make a linear map of a matrix, which is kept.

    Products are computed in full precision on every device.

    Parameters
    ----------
    A : array_like, shape (m, n)
        The matrix. Floats keep their precision, integers become JAX's default floats.

    Returns
    -------
    LinearMap
        Of shape (m, n).

    Raises
    ------
    TypeError
        If `A` does not hold real numbers in float32, float64 or integers.
    ValueError
        If `A` is not two-dimensional, or empty.

    Examples
    --------
    >>> A = from_matrix([[2, 0, 0], [0, 1, 3]])
    >>> print(A.T.as_matrix())
    [[2. 0.]
     [0. 1.]
     [0. 3.]]
    """
    call = "`linear_maps.from_matrix(A=...)` should"
    A = A if isinstance(A, jax.Array) else np.asarray(A)
    if A.dtype.kind not in "iuf":
        raise TypeError(
            f"{call} hold real numbers, as a dense array. Got {A.dtype}. "
            "For a sparse matrix, give LinearMap the program that applies it."
        )
    if A.ndim != 2 or A.size == 0:
        raise ValueError(f"{call} have shape (m, n), with m and n at least 1. Got {A.shape}.")
    dtype = real_dtype("from_matrix(A=...)", A.dtype if A.dtype.kind == "f" else None)
    # JAX may share memory with an array of NumPy, which can change: so with a copy.
    A = jnp.asarray(A if isinstance(A, jax.Array) else np.array(A), dtype=dtype)

    def product(matrix):
        # By default, recent GPUs round what they multiply to ten bits.
        return lambda x: jnp.matmul(matrix, x, precision="highest")

    m, n = A.shape
    there = derived(product(A), (m, n), dtype, lambda: back)
    back: LinearMap = derived(product(A.T), (n, m), dtype, lambda: there)
    return there


def from_function(f: Callable, x_like: Any) -> LinearMap:
    """Make a linear map of a linear function of arrays or pytrees, raveled to vectors.

    Parameters
    ----------
    f : callable
        Linear, and traceable; takes one argument like `x_like`, and returns an array or a pytree of arrays.
    x_like : array_like or pytree
        An example of the argument; only shapes and dtypes count, `jax.ShapeDtypeStruct` will do.

    Returns
    -------
    LinearMap
        It takes and returns vectors, raveled as by `jax.flatten_util.ravel_pytree`.

    Raises
    ------
    TypeError
        If `x_like` holds other than floats of one dtype, or f returns another dtype.
    ValueError
        If `x_like` is empty, or f is seen not to be linear, as for `LinearMap`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> sums = from_function(lambda X: (X.sum(axis=0), X.sum(axis=1)), jnp.zeros((2, 3)))
    >>> print(sums.as_matrix())
    [[1. 0. 0. 1. 0. 0.]
     [0. 1. 0. 0. 1. 0.]
     [0. 0. 1. 0. 0. 1.]
     [1. 1. 1. 0. 0. 0.]
     [0. 0. 0. 1. 1. 1.]]
    """
    x = jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf), jnp.result_type(leaf)), x_like)
    flat_f, flat_x, size = flattened("linear_maps.from_function", "x_like", f, x)
    return LinearMap(flat_f, flat_x.size, size, dtype=flat_x.dtype)


def jacobian(f: Callable, x: Any) -> LinearMap:
    r"""Return the derivative of f at x as a linear map.

    ``J @ x_dot`` is :math:`\partial f(x)[\dot x]`, the push-forward, and ``J.T @ y_bar`` is
    :math:`\partial f(x)^T [\bar y]`, the pullback. f is linearized once, which costs a few evaluations of f and memory
    for its intermediate results. After that a product of either kind costs about as much as f, and f is not called.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one.
    x : array_like or pytree of floats
        The point of linearization.

    Returns
    -------
    LinearMap
        Of shape (m, n) for n numbers in and m out, both raveled as by `jax.flatten_util.ravel_pytree`, in the dtype
        of `x`.

    Raises
    ------
    TypeError
        If `x` holds other than floats of one dtype, or f(x) is complex.
    ValueError
        If `x` or f(x) is empty.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> J = jacobian(lambda x: jnp.stack([x[0] ** 2 + x[1] ** 2, x[0] * x[1]]), jnp.array([1.0, 2.0]))
    >>> print(J @ jnp.array([1.0, 0.0]), J.T @ jnp.array([1.0, 0.0]))
    [2. 2.] [2. 4.]
    """
    flat_f, flat_x, size = flattened("linear_maps.jacobian", "x", f, x)

    def same_dtype(flat):
        return flat_f(flat).astype(flat.dtype)

    return derived(jax.linearize(same_dtype, flat_x)[1], (size, flat_x.size), flat_x.dtype)


def hessian(f: Callable, x: Any) -> LinearMap:
    """Return the second derivative of a scalar function at x as a linear map, its own transpose.

    ``H @ v`` is the derivative of the gradient along v, forward over reverse. The gradient is linearized once; after
    that a product costs about as much as a gradient, and f is not called.

    Parameters
    ----------
    f : callable
        Traceable; takes an array or a pytree of arrays, and returns one number.
    x : array_like or pytree of floats
        The point.

    Returns
    -------
    LinearMap
        Of shape (n, n), in the dtype of `x`.

    Raises
    ------
    TypeError
        If `x` holds other than floats of one dtype.
    ValueError
        If `x` is empty, or f returns more than one number.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> H = hessian(lambda x: x[0] ** 2 * x[1], jnp.array([1.0, 2.0]))
    >>> print(H.as_matrix(), H.T is H)
    [[4. 2.]
     [2. 0.]] True
    """
    flat_f, flat_x, _ = flattened("linear_maps.hessian", "x", f, x)
    check_scalar("linear_maps.hessian", f, x)
    gradient = jax.grad(lambda flat: flat_f(flat)[0])
    H: LinearMap = derived(jax.linearize(gradient, flat_x)[1], (flat_x.size,) * 2, flat_x.dtype, lambda: H)
    return H


def check_scalar(call, f, x):
    """Refuse a function that returns other than one number, without running it."""
    found = jax.eval_shape(f, x)
    if [leaf.shape for leaf in jax.tree.leaves(found)] != [()]:
        got = jax.tree.map(lambda leaf: leaf.shape, found)
        raise ValueError(f"`{call}(f=...)` should return one number, of shape (). Got shape {got}.")


def flattened(call, name, f, x):
    """Return f between vectors, x as a vector, and the number of outputs, without running f."""
    dtypes = sorted({str(jnp.result_type(leaf)) for leaf in jax.tree.leaves(x)})
    if len(dtypes) > 1 or dtypes[:1] not in ([], ["float32"], ["float64"]):
        raise TypeError(
            f"`{call}({name}=...)` should hold floats of one dtype, float32 or float64. Got {', '.join(dtypes)}."
        )
    flat_x, unravel = ravel_pytree(x)
    if flat_x.size == 0:
        raise ValueError(f"`{call}({name}=...)` should not be empty. Got no numbers.")

    def flat_f(flat):
        return ravel_pytree(f(unravel(flat)))[0]

    y = jax.eval_shape(flat_f, flat_x)
    if y.size == 0:
        raise ValueError(f"`{call}(f=...)` should return at least one number. Got none.")
    if y.dtype.kind == "c":
        raise TypeError(f"`{call}(f=...)` should return real numbers. Got {y.dtype}. Return real and imaginary parts.")
    return flat_f, flat_x, y.size
