"""What the modes check and convert where a reader's function begins and ends."""

import operator

import jax
import numpy as np

from autodiff_tutorial.primitives.arrays import astype
from autodiff_tutorial.primitives.tracing import Traced, dtype_of, is_float, on_jax, plain


def checked_floats(call, leaves):
    """Return leaves that can be differentiated, Python floats as NumPy's; raise an error for others."""
    for leaf in leaves:
        if isinstance(leaf, Traced):
            leaf.level.require_running(call)
        value = plain(leaf)
        if not isinstance(value, int | float | complex | np.ndarray | np.generic | jax.Array):
            raise TypeError(
                f"`{call}` should be floating point numbers, arrays of them, or pytrees of those. "
                f"Got {type(value).__name__}."
            )
        if not is_float(value):
            dtype = dtype_of(value)
            way = "Only real functions have derivatives here" if dtype.kind == "c" else "Write 2.0 for 2, or convert"
            raise TypeError(f"`{call}` should be floating point numbers. Got {dtype}. {way}.")
    return [np.float64(leaf) if type(leaf) is float else leaf for leaf in leaves]


def run(call, f, args, traced):
    """Apply a reader's function to traced arguments; say more where a library raised since it did not know them."""
    try:
        return f(*args)
    except (TypeError, ValueError) as error:
        reason, cause = str(error).partition("\n")[0].rstrip("."), error.__cause__
        if isinstance(cause, TypeError) and "primitives." in str(cause):
            raise TypeError(str(cause)) from error
        if isinstance(error, ValueError) or traced.__name__ not in reason or "primitives" in reason:
            raise
        raise TypeError(
            f"`{call}(f=...)` should be a function of primitives. It calls one that does not know traced values: "
            f"{reason}. Use functions of autodiff_tutorial.primitives, or of NumPy, instead of jax.numpy."
        ) from error


def like(x_dot, x):
    """Return a tangent or cotangent with the dtype of the value that it belongs to."""
    return x_dot if dtype_of(plain(x_dot)) == dtype_of(plain(x)) else astype(x_dot, dtype_of(plain(x)))


def owned(x):
    """Return a value that shares its memory with nobody."""
    return np.array(x)[()] if isinstance(x, np.ndarray) and not on_jax(x) else x


def numbered(call, args, argnums):
    """Return which arguments are meant, counted from 0."""
    try:
        found = [operator.index(i) for i in (argnums if isinstance(argnums, tuple) else (argnums,))]
    except TypeError:
        raise TypeError(f"`{call}(argnums=...)` should be an integer or a tuple of them. Got {argnums!r}.") from None
    if not found or not all(-len(args) <= i < len(args) for i in found):
        raise ValueError(f"`{call}(argnums=...)` should number one of the {len(args)} arguments. Got {argnums!r}.")
    found = [i % len(args) for i in found]
    if len(set(found)) < len(found):
        raise ValueError(f"`{call}(argnums=...)` should name an argument once only. Got {argnums!r}.")
    return found


def as_function_of(f, args, positions, options):
    """Return f as a function of the arguments at these positions."""

    def partial(*chosen):
        full = list(args)
        for i, arg in zip(positions, chosen, strict=True):
            full[i] = arg
        return f(*full, **options)

    return partial
