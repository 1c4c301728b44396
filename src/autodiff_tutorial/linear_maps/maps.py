"""Linear maps as programs: products with a vector, the transpose, sums and compositions, and the matrix if asked."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from autodiff_tutorial.linear_maps.checking import (
    check_linear,
    check_program,
    checked_size,
    checked_vector,
    first_line,
    is_real_number,
    kind_of,
    real_dtype,
)

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


class LinearMap:
    r"""A linear map from n numbers to m, given by the program that applies it.

    With maps ``A`` and ``B``, a vector ``x`` of shape (n,), a vector ``y`` of shape (m,) and a number ``c``:

    - ``A @ x`` is :math:`A x`, of shape (m,): one call of `mv`.
    - ``A.T @ y`` and ``y @ A`` are :math:`A^T y`, of shape (n,): one call of the transposed program.
    - ``A @ B`` is the map :math:`x \mapsto A (B x)`, whose transpose is ``B.T @ A.T``.
    - ``A + B`` and ``A - B`` are the sum and the difference of maps of one shape.
    - ``c * A``, ``A * c``, ``A / c`` and ``-A`` are multiples.

    No matrix is stored. The transpose obeys :math:`\langle y, A x \rangle = \langle A^T y, x \rangle`; it is made by
    `jax.linear_transpose` from `mv`, at about its cost.

    Parameters
    ----------
    mv : callable
        Takes a JAX array of shape (n,) and returns one of shape (m,) and of the same dtype; linear, and traceable.
    in_size, out_size : int
        n and m, at least 1.
    rmv : callable, optional
        The transposed program, (m,) to (n,), where you have a better one than JAX makes, or `mv` holds what JAX cannot
        transpose, such as a `while` loop. It is taken as it is: compare both sides of the equation above.
    dtype : dtype, optional
        Of the vectors, float32 or float64; by default JAX's default.

    Attributes
    ----------
    mv : callable
        The program, as it was given.
    shape : tuple of int
        ``(m, n)``, the shape of the matrix.
    dtype : dtype
        Of the vectors that go in and come out.

    Raises
    ------
    TypeError
        If a size is no integer, or `mv` returns another dtype than it takes, or cannot be traced.
    ValueError
        If a size is below 1, `mv` returns another shape, or is seen not to be linear.

    Notes
    -----
    Construction traces `mv` once, and applies it twice: :math:`A (-2 r) = -2 A r` for one vector r tells most functions
    that are not linear, such as :math:`x \mapsto A x + b`. Under `jax.jit`, where there are no numbers yet, it cannot.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> A = LinearMap(lambda x: jnp.stack([2 * x[0], x[1] + 3 * x[2]]), 3, 2)
    >>> A @ jnp.array([1.0, 1.0, 1.0]), A.T @ jnp.array([1.0, 1.0])
    (Array([2., 4.], ...), Array([2., 1., 3.], ...))
    >>> print((A @ A.T).as_matrix())
    [[ 4.  0.]
     [ 0. 10.]]
    """

    # NumPy's arrays leave `array @ map` and `number * map` to the map.
    __array_ufunc__ = None

    def __init__(
        self, mv: Callable, in_size: int, out_size: int, *, rmv: Callable | None = None, dtype: DTypeLike | None = None
    ):
        n, m = (checked_size(name, size) for name, size in (("in_size", in_size), ("out_size", out_size)))
        self.mv, self.shape, self.dtype = mv, (m, n), real_dtype("LinearMap(dtype=...)", dtype)
        self._transposed = None
        check_program("mv", mv, n, m, self.dtype)
        if rmv is not None:
            check_program("rmv", rmv, m, n, self.dtype)
            self._transposed = lambda: derived(rmv, (n, m), self.dtype, lambda: self)
        check_linear(mv, n, self.dtype)

    @property
    def T(self) -> "LinearMap":
        """The transposed map, made anew (one trace of `mv`) at each access: keep it where you use it often."""
        if self._transposed is not None:
            return self._transposed()
        m, n = self.shape
        try:
            pull = jax.linear_transpose(self.mv, jax.ShapeDtypeStruct((n,), self.dtype))
            jax.eval_shape(pull, jax.ShapeDtypeStruct((m,), self.dtype))
        except (AssertionError, NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                "`LinearMap.T` should belong to an mv that JAX can transpose: linear in x, without branches or loops "
                f"whose length depends on x. Got {type(error).__name__}: {first_line(error)}. "
                "If mv is linear, give its transpose: LinearMap(..., rmv=...)."
            ) from error
        return derived(lambda y: pull(y)[0], (n, m), self.dtype, lambda: self)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearMap):
            _check_dtypes("A @ B", self, other)
            if self.shape[1] != other.shape[0]:
                raise ValueError(
                    "`A @ B` should have as many outputs of B as inputs of A. "
                    f"Got shapes {self.shape} and {other.shape}."
                )
            shape = self.shape[0], other.shape[1]
            return derived(lambda x: self.mv(other.mv(x)), shape, self.dtype, lambda: other.T @ self.T)
        return self.mv(checked_vector("A @ x", other, self.shape[1], self))

    def __rmatmul__(self, other: Any) -> Any:
        return self.T.mv(checked_vector("y @ A", other, self.shape[0], self))

    def __add__(self, other: "LinearMap") -> "LinearMap":
        if not isinstance(other, LinearMap):
            return NotImplemented
        _check_dtypes("A + B", self, other)
        if self.shape != other.shape:
            raise ValueError(f"`A + B` should have maps of one shape. Got {self.shape} and {other.shape}.")
        return derived(lambda x: self.mv(x) + other.mv(x), self.shape, self.dtype, lambda: self.T + other.T)

    def __sub__(self, other: "LinearMap") -> "LinearMap":
        return self + -1 * other if isinstance(other, LinearMap) else NotImplemented

    def __mul__(self, c: Any) -> "LinearMap":
        if isinstance(c, LinearMap):
            raise TypeError("`c * A` should have a number c. Got a map. For the composition of two maps, write A @ B.")
        if not is_real_number(c):
            raise TypeError(f"`c * A` should have a real number c. Got {kind_of(c)}.")
        c = jnp.asarray(c, dtype=self.dtype)
        return derived(lambda x: c * self.mv(x), self.shape, self.dtype, lambda: c * self.T)

    __rmul__ = __mul__

    def __truediv__(self, c: Any) -> "LinearMap":
        if not is_real_number(c):
            raise TypeError(f"`A / c` should have a real number c. Got {kind_of(c)}.")
        return self * (1 / (c if isinstance(c, int | float) else jnp.asarray(c, self.dtype)))

    def __neg__(self) -> "LinearMap":
        return -1 * self

    def __repr__(self):
        return f"a linear map of shape {self.shape} in {self.dtype}"

    def as_matrix(self, by: Literal["auto", "columns", "rows"] = "auto", chunk_size: int | None = None) -> jax.Array:
        """Write the map out as a matrix.

        Column j is ``A @ e_j``, row i is ``A.T @ e_i``, with e the basis vectors. The cost is n products by columns
        and m by rows, in one batch, or in batches of `chunk_size`. Besides the result, memory holds what one batch
        needs: the more the larger it is.

        Parameters
        ----------
        by : {"auto", "columns", "rows"}
            What is computed; "auto" takes the fewer, columns if m = n.
        chunk_size : int, optional
            How many products are computed at once; by default all.

        Returns
        -------
        array, shape (m, n)

        Raises
        ------
        TypeError, ValueError
            If an option is unknown or `chunk_size` is no positive integer.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> print(LinearMap(jnp.cumsum, 3, 3).as_matrix(by="rows", chunk_size=2))
        [[1. 0. 0.]
         [1. 1. 0.]
         [1. 1. 1.]]
        """
        if by not in ("auto", "columns", "rows"):
            raise ValueError(f"`LinearMap.as_matrix(by=...)` should be one of 'auto', 'columns', 'rows'. Got {by!r}.")
        if chunk_size is not None:
            chunk_size = checked_size("chunk_size", chunk_size, "LinearMap.as_matrix")
        m, n = self.shape
        if by == "columns" or (by == "auto" and n <= m):
            return stacked(self.mv, n, self.dtype, chunk_size).T
        return stacked(self.T.mv, m, self.dtype, chunk_size)

    def to_scipy(self) -> "LinearOperator":
        """Return the map as SciPy's operator, for its solvers; NumPy in, NumPy out, compiled at the first product.

        Returns
        -------
        LinearOperator
            From `scipy.sparse.linalg`; its ``matvec`` applies the map, its ``rmatvec`` the transpose.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse.linalg import cg
        >>> A = LinearMap(lambda x: 2 * x, 3, 3)
        >>> cg(A.to_scipy(), np.ones(3))[0]
        array([0.5, 0.5, 0.5]...)
        """
        # Importing this changes the warning filters of the process, which importing our package should not.
        from scipy.sparse.linalg import LinearOperator

        mv, rmv = jax.jit(self.mv), functools.cache(lambda: jax.jit(self.T.mv))

        def on_host(program):
            def product(x):
                if np.iscomplexobj(x):
                    return product(x.real) + 1j * product(x.imag)
                # A copy, since solvers write into what they are given, and views of JAX's arrays are read-only.
                return np.array(program(jnp.asarray(np.ravel(x), dtype=self.dtype)))

            return product

        return LinearOperator(self.shape, matvec=on_host(mv), rmatvec=on_host(lambda y: rmv()(y)), dtype=self.dtype)


def derived(mv, shape, dtype, transposed=None, kind=LinearMap):
    """Return a map that is linear by construction, unchecked; `transposed`, if given, returns its transpose."""
    A = object.__new__(kind)
    A.mv, A.shape, A.dtype, A._transposed = mv, shape, dtype, transposed
    return A


def stacked(mv, size, dtype, chunk_size):
    """Return mv(e_0), mv(e_1), ... as rows."""

    def product(j):
        return mv(jnp.zeros(size, dtype).at[j].set(1))

    indices = jnp.arange(size)
    if chunk_size is None or chunk_size >= size:
        return jax.vmap(product)(indices)
    return jax.lax.map(product, indices, batch_size=chunk_size)


def _check_dtypes(call, A, B):
    if A.dtype != B.dtype:
        raise TypeError(f"`{call}` should have maps of one dtype. Got {A.dtype} and {B.dtype}.")
