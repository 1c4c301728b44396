"""What maps and graphs are given, checked before work starts."""

import jax
import jax.numpy as jnp
import numpy as np


def real_dtype(call, dtype):
    """Return the dtype that JAX gives to the one asked for, its default for None."""
    found = jnp.zeros(0).dtype if dtype is None else jnp.result_type(np.empty(0, dtype))
    if found not in (jnp.float32, jnp.float64):
        raise TypeError(f"`linear_maps.{call}` should be float32 or float64. Got {found}.")
    return found


def is_real_number(value):
    """Tell whether a value, which may be traced, is one real number."""
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    return array.shape == () and array.dtype.kind in "iuf"


def kind_of(value):
    return f"shape {np.shape(value)}" if np.shape(value) else type(value).__name__


def checked_size(name, value, call="linear_maps.LinearMap"):
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"`{call}({name}=...)` should be an integer. Got {value!r}.")
    if value < 1:
        raise ValueError(f"`{call}({name}=...)` should be at least 1. Got {value}.")
    return int(value)


def first_line(error):
    return next(iter(str(error).strip().splitlines()), "no more is said").rstrip(".")


def check_program(name, program, n, m, dtype):
    """Check the shape and the dtype of what a program returns, without running it."""
    should = f"`linear_maps.LinearMap({name}=...)` should"
    try:
        found = jax.eval_shape(program, jax.ShapeDtypeStruct((n,), dtype))
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"{should} be traceable by JAX: written with jax.numpy, without branches on x. Got {first_line(error)}."
        ) from error
    if getattr(found, "shape", None) != (m,):
        got = f"shape {found.shape}" if hasattr(found, "shape") else type(found).__name__
        raise ValueError(f"{should} return an array of shape ({m},) for one of shape ({n},). Got {got}.")
    if found.dtype != dtype:
        raise TypeError(
            f"{should} return {dtype}, which it was given. Got {found.dtype}. "
            "Convert the constants in it, or give the other dtype."
        )


def check_linear(mv, n, dtype):
    """Refuse a program that is not homogeneous: powers of two and signs are exact, so rounding is no excuse."""
    r = jnp.cos(jnp.arange(n, dtype=dtype))
    once, scaled = mv(r), mv(-2 * r)
    if isinstance(once, jax.core.Tracer):
        return
    # Where sums run in parallel they may be added in another order, hence a tolerance.
    gap, size = (np.max(abs(np.asarray(a))) for a in (scaled + 2 * once, once))
    if not gap <= jnp.finfo(dtype).eps ** 0.5 * size:
        raise ValueError(
            "`linear_maps.LinearMap(mv=...)` should be linear. Got one with A(-2 r) unlike -2 A(r). "
            "Take out what is added, such as b in A x + b; for the derivative of a function, use `jacobian`."
        )


def checked_vector(call, x, size, A):
    """Return a vector for a map A: lists and NumPy's arrays are converted, JAX's may not lose digits."""
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    if x.shape != (size,):
        raise ValueError(
            f"`{call}` should have a vector of shape ({size},), for a map of shape {A.shape}. Got shape {x.shape}. "
            "For a stack of vectors, use jax.vmap(A.mv)."
        )
    narrowed = isinstance(x, jax.Array) and x.dtype == jnp.float64 and A.dtype == jnp.float32
    if x.dtype.kind not in "iuf" or narrowed:
        raise TypeError(
            f"`{call}` should have a vector of {A.dtype}, as the map. Got {x.dtype}. "
            "Convert the vector, or make the map with that dtype."
        )
    return jnp.asarray(x, dtype=A.dtype)
