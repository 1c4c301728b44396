"""What the functions with rules of their own are given, checked before work starts."""

import jax
import jax.numpy as jnp
import numpy as np


def checked_floats(call, x) -> jax.Array:
    """Return an array of float32 or float64."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    if x.dtype.kind in "iub":
        raise TypeError(f"`{call}` should hold floating point numbers. Got {x.dtype}. Write 2.0 for 2, or convert.")
    if x.dtype not in (jnp.float32, jnp.float64):
        way = "Only real functions have derivatives here." if x.dtype.kind == "c" else "Convert it."
        raise TypeError(f"`{call}` should hold float32 or float64. Got {x.dtype}. {way}")
    return jnp.asarray(x)


def checked_square(call, A) -> jax.Array:
    """Return a square matrix of floats."""
    A = checked_floats(call, A)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or A.size == 0:
        way = " For a stack of matrices, use jax.vmap." if A.ndim > 2 else ""
        raise ValueError(f"`{call}` should have shape (n, n), with n at least 1. Got shape {A.shape}.{way}")
    return A


def checked_positive(call, value, most=np.inf) -> jax.Array:
    """Return a positive number, which may be traced, and is then taken as it is."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    value = checked_floats(call, float(value) if whole else value)
    if value.shape != ():
        raise ValueError(f"`{call}` should be one number. Got shape {value.shape}.")
    if not is_traced(value) and not (0 < value <= most and value < np.inf):
        text = "be positive and finite" if most == np.inf else f"lie above 0 and be at most {most}"
        raise ValueError(f"`{call}` should {text}. Got {float(value)}.")
    return value


def is_traced(x):
    try:
        np.asarray(x)
    except Exception:
        return True
    return False
