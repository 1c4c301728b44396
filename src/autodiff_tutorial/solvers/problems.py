"""What all solvers share: a problem as vectors, what they return, and when they are done."""

import contextlib
import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from autodiff_tutorial.linear_maps.checking import checked_size, first_line


class Solution(NamedTuple):
    """What a solver found.

    Attributes
    ----------
    y : array or pytree
        The last iterate, solution or not.
    converged : array of bool, shape ()
        Whether the solver arrived. If not, look at `residual`.
    n_steps : array of int, shape ()
        How many steps it took.
    residual : array of float, shape ()
        The largest absolute value of what should be zero, at `y`.
    """

    y: Any
    converged: jax.Array
    n_steps: jax.Array
    residual: jax.Array


@contextlib.contextmanager
def tracing(call, name="fn"):
    """Explain what JAX says of a function that it cannot trace."""
    try:
        yield
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"`{call}({name}=...)` should be traceable by JAX: written with jax.numpy, without branches on values. "
            f"Got {first_line(error)}."
        ) from error


def problem(call, fn, y0, *, name="y0", scalar=False):
    """Return fn between vectors, y0 as a vector, and the way back, after a look at what fn returns."""
    check_function(call, fn)
    leaves = jax.tree.leaves(y0)
    dtypes = sorted({jnp.result_type(leaf).name if is_number(leaf) else repr(leaf) for leaf in leaves})
    if len(dtypes) > 1 or dtypes[:1] not in ([], ["float32"], ["float64"]):
        raise TypeError(
            f"`{call}({name}=...)` should hold floats of one dtype, float32 or float64. Got {', '.join(dtypes)}. "
            "Write 2.0 for 2, or convert."
        )
    y0 = jax.tree.map(jnp.asarray, y0)
    flat, unravel = ravel_pytree(y0)
    if flat.size == 0:
        raise ValueError(f"`{call}({name}=...)` should not be empty. Got no numbers.")
    with tracing(call):
        found = jax.eval_shape(fn, y0)
    like = jax.ShapeDtypeStruct((), flat.dtype) if scalar else y0
    got, wanted = described(found), described(like)
    if got != wanted:
        words = "one number in the dtype of y" if scalar else "the structure, the shapes and the dtype of y"
        raise TypeError(f"`{call}(fn=...)` should return {words}, {wanted}. Got {got}.")
    if scalar:
        return lambda v: fn(unravel(v)), flat, unravel
    return lambda v: ravel_pytree(fn(unravel(v)))[0], flat, unravel


def check_function(call, fn, of="y"):
    if not callable(fn):
        raise TypeError(f"`{call}(fn=...)` should be a function of {of}. Got {fn!r}.")


def is_number(leaf):
    """Tell whether a leaf of a tree is a number or an array of numbers."""
    kinds = numbers.Number | np.ndarray | np.generic | jax.Array
    return isinstance(leaf, kinds) and (isinstance(leaf, jax.Array) or np.asarray(leaf).dtype.kind in "biufc")


def described(tree):
    """Return dtypes and shapes in the place of arrays, float64[3], and words as they are written."""
    return jax.tree.map(lambda a: f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else repr(a), tree)


def tolerances(call, dtype, rtol, atol, most, default=None, count="max_steps"):
    """Return the tolerances, by default the machine epsilon to the power 2/3, and the largest number of steps."""
    given, limits = {"rtol": rtol, "atol": atol}, {"rtol": 1, "atol": np.inf}
    for name, value in given.items():
        if value is None:
            given[name] = float(jnp.finfo(dtype).eps) ** (2 / 3) if default is None else default
        elif not isinstance(value, numbers.Real) or not 0 <= value < limits[name]:
            words = {"rtol": "a number from 0 to 1, without 1", "atol": "a finite number, 0 or more"}[name]
            raise ValueError(f"`{call}({name}=...)` should be {words}. Got {value!r}.")
    return given["rtol"], given["atol"], checked_size(count, most, call)


def largest(v, axis=None):
    """Return the largest absolute value, or NaN if there is one."""
    size = abs(v)
    # On a CPU, XLA's maximum over thousands of numbers, in one row or in many, may lose a NaN; a sum keeps it.
    most = jnp.max(size, axis)
    return most if size.size == 1 else jnp.where(jnp.isnan(jnp.sum(size, axis)), jnp.nan, most)


def relative(change, y, rtol, atol):
    """Return the largest change in units of what is tolerated: at most 1 where all is well."""
    tolerated = atol + rtol * abs(y)
    return largest(
        jnp.where(change == 0, 0, abs(change) / jnp.where(tolerated > 0, tolerated, jnp.finfo(y.dtype).tiny))
    )
