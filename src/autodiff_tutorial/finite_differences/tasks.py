"""Checked input: one place where points, directions, steps and options are looked at before work starts."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.finite_differences.stencils import checked_scheme, optimal_step


class Task(NamedTuple):
    """Checked input: the function, the point, the steps and the options."""

    call: str
    f: Callable
    xp: ModuleType
    x: Any
    v: Any
    h: Any
    eta: Any
    scheme: str
    accuracy: int
    order: int
    step_given: bool
    batched: bool
    rank: int | None


def checked_task(call, f, x, scheme, accuracy, order, step, batched, v=None, rank=None) -> Task:
    """Check the input of a public function and choose its steps; `rank` is the most axes that f(x) may have."""
    scheme, accuracy, order = checked_scheme(call, scheme, accuracy, order)
    if not callable(f):
        raise TypeError(f"`finite_differences.{call}(f=...)` should be a function. Got {type(f).__name__}.")
    if batched and any(isinstance(a, jax.Array) for a in (v, step)):
        x = jnp.asarray(x)
    x = _checked_point(call, "x", x, batched)
    if rank is not None and x.ndim != 1:
        raise ValueError(f"`finite_differences.{call}(x=...)` should have shape (n,). Got {x.shape}. Ravel it first.")
    xp = jnp if isinstance(x, jax.Array) else np
    h = _short(optimal_step(scheme, accuracy, x.dtype, order) * xp.maximum(1, abs(x)), xp)
    if v is not None:
        v = xp.asarray(_checked_point(call, "v", v, batched), dtype=x.dtype)
        if v.shape != x.shape:
            raise ValueError(
                f"`finite_differences.{call}(v=...)` should have the shape of x, {x.shape}. Got {v.shape}."
            )
        reach = (abs(v) / h).max()
        h = _short(1 / xp.where(reach > 0, reach, 1), xp)
    imaginary = scheme == "complex" and order == 1
    if step is not None:
        h = _checked_step(call, step, h, None if imaginary else x, v, xp)
    eta = h if imaginary else float(jnp.finfo(x.dtype).eps) ** 2 * xp.ones_like(h)
    return Task(call, f, xp, x, v, h, eta, scheme, accuracy, order, step is not None, batched, rank)


def _checked_point(call, name, x, batched):
    if isinstance(x, jax.core.Tracer) and not batched:
        raise TypeError(
            f"`finite_differences.{call}({name}=...)` should be a concrete array, since f runs on the host. "
            "Got a traced one. Pass batched=True to use it under jax.jit or jax.vmap."
        )
    x = x if isinstance(x, jax.Array) and batched else np.asarray(x)
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"`finite_differences.{call}({name}=...)` should hold real floating point numbers, float32 or float64. "
            f"Got {x.dtype}. Write 2.0 for 2, or convert with astype(float)."
        )
    if x.size == 0:
        raise ValueError(f"`finite_differences.{call}({name}=...)` should not be empty. Got shape {x.shape}.")
    if not isinstance(x, jax.core.Tracer) and not np.isfinite(x).all():
        raise ValueError(f"`finite_differences.{call}({name}=...)` should be finite. Got NaN or infinity.")
    return x


def _checked_step(call, step, h, x, v, xp):
    """Return the caller's step in the shape and dtype of h; `x` is given where a step, along v, has to change it."""
    try:
        step = step if isinstance(step, jax.Array) else np.asarray(step)
    except ValueError:
        raise ValueError(f"`finite_differences.{call}(step=...)` should be an array. Got a ragged list.") from None
    if step.shape not in ((), h.shape):
        raise ValueError(
            f"`finite_differences.{call}(step=...)` should be a number or have shape {h.shape}. Got shape {step.shape}."
        )
    if not isinstance(step, jax.core.Tracer):
        with np.errstate(over="ignore"):
            given = np.asarray(step).astype(h.dtype) if step.dtype.kind in "iuf" else np.zeros(1)
        if not (np.isfinite(given) & (given >= np.finfo(h.dtype).tiny)).all():
            raise ValueError(f"`finite_differences.{call}(step=...)` should be positive and finite. Got {step}.")
        if x is not None and not any(isinstance(a, jax.core.Tracer) for a in (x, v)):
            lost = (x + given == x).any() if v is None else v.any() and (x + given * v == x).all()
            if lost:
                raise ValueError(
                    f"`finite_differences.{call}(step=...)` should be wide enough that x + step "
                    f"{'' if v is None else '* v '}differs from x. Got {step}. Leave it out, and the step will suit x."
                )
    return xp.broadcast_to(xp.asarray(step, dtype=h.dtype), h.shape)


def _short(h, xp):
    """Round to eight bits, so that x + h and x + 2 h are exact wherever x has as many to spare."""
    mantissa, exponent = xp.frexp(h)
    return xp.ldexp(xp.round(mantissa * 256) / 256, exponent)
