"""A loop that is compiled once, however many steps it has, and that both modes can pass through."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.primitives.parts import stack
from autodiff_tutorial.primitives.rules import Primitive, define
from autodiff_tutorial.primitives.tracing import (
    dtype_of,
    innermost,
    is_float,
    on_jax,
    plain,
    running,
    shape_of,
    suspended,
    zeros_like,
)


def scan(
    step: Callable,
    carry: Any,
    xs: Any = None,
    params: tuple = (),
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    r"""Repeat a step, and collect what it puts out.

    .. math:: (c_{t+1}, y_t) = \text{step}(c_t, x_t, \text{params}), \qquad t = 0, \dots, T - 1

    On JAX arrays the loop is one `jax.lax.scan`: a Python loop of 10,000 steps would be unrolled, and take minutes to
    compile. Reverse mode keeps the T carries of it, and computes the inside of each step a second time. On floats and
    NumPy arrays it is a Python loop, of which reverse mode keeps everything.

    Parameters
    ----------
    step : callable
        ``step(carry, x, *params)`` returns the next carry, with the same shapes and dtypes, and an output or None.
    carry : array_like or pytree
        The first carry.
    xs : array_like or pytree of arrays, shape (T, ...), optional
        What goes into the steps, one entry of the first axis each.
    params : tuple of array_likes or pytrees
        What every step uses. On JAX arrays a step may not use traced values that it is not given.
    length : int, optional
        The number of steps T, if `xs` does not tell it.
    reverse : bool
        Whether the loop runs over `xs` from the last to the first.

    Returns
    -------
    tuple
        The last carry, and the outputs stacked along a new first axis, in the order of `xs`.

    Raises
    ------
    TypeError
        If `step` is not callable or `params` no tuple, or the step returns a carry of another structure.
    ValueError
        If the number of steps is not given, is 0, or differs between the arrays in `xs`, or, on JAX arrays, the step
        uses a traced value from outside.

    Examples
    --------
    >>> scan(lambda c, x, a: (a * c + x, c), 1.0, np.array([1.0, 2.0, 3.0]), params=(0.5,))
    (np.float64(4.375), array([1.  , 1.5 , 2.75]))
    """
    if not callable(step) or not isinstance(params, tuple):
        raise TypeError(
            "`primitives.scan(step=..., params=...)` should be given a function and a tuple. "
            f"Got {step!r} and {type(params).__name__}."
        )
    (c, c_tree), (x, x_tree), (p, p_tree) = (jax.tree.flatten(part) for part in (carry, xs, params))
    lengths = [*(shape_of(leaf)[:1] for leaf in x), *([] if length is None else [(length,)])]
    if len(set(lengths)) != 1 or not isinstance(lengths[0][0] if lengths[0] else None, int) or lengths[0][0] < 1:
        found = [n[0] if n else "a number" for n in dict.fromkeys(lengths)]
        raise ValueError(
            f"`primitives.scan(xs=..., length=...)` should tell one number of steps, at least 1. Got {found}."
        )
    y_tree = None

    def flat(c, x, p):
        nonlocal y_tree
        new, y = step(jax.tree.unflatten(c_tree, c), jax.tree.unflatten(x_tree, x), *jax.tree.unflatten(p_tree, p))
        new, new_tree = jax.tree.flatten(new)
        if new_tree != c_tree:
            raise TypeError(
                "`primitives.scan(step=...)` should return a carry of the same structure. "
                f"Got {new_tree} after {c_tree}."
            )
        y, y_tree = jax.tree.flatten(y)
        return new, y

    c, ys = scan_leaves(flat, c, x, p, lengths[0][0], reverse)
    return jax.tree.unflatten(c_tree, c), jax.tree.unflatten(y_tree, ys)


def scan_leaves(step, c, x, p, length, reverse):
    """Repeat a step on lists of leaves, under whatever mode is innermost."""
    leaves = [*c, *x, *p]
    if not on_jax(*map(plain, leaves)):
        return python_loop(step, c, x, p, length, reverse)
    dtype = jnp.result_type(0.0, *(plain(leaf) for leaf in leaves if is_float(leaf)))  # what a Python float becomes
    c = [jnp.asarray(leaf, dtype) if type(leaf) is float else leaf for leaf in c]
    level = innermost(leaves)
    if level is not None:
        level.require_running("primitives.scan")
        return level.scan(step, c, x, p, length, reverse)
    with suspended("primitives.scan"):
        return jax.lax.scan(lambda c, x: step(c, x, p), [jnp.asarray(leaf) for leaf in c], x, length, reverse)


def python_loop(step, c, x, p, length, reverse):
    """Repeat a step on lists of leaves, one after the other."""
    ys = []
    for t in range(length)[:: -1 if reverse else 1]:
        c, y = step(c, [leaf[t] for leaf in x], p)
        ys.append(y)
    return c, [stack(column) for column in zip(*(ys[::-1] if reverse else ys), strict=True)]


def _held(x, *others):
    return jax.lax.optimization_barrier((x, *others))[0] if on_jax(x) else x


# x, but for a compiler that must not compute anything from it before the others are there.
hold: Primitive = define(
    "hold",
    _held,
    jvp=(lambda x_dot, y, x, *others: hold(x_dot, *others),),
    vjp=(lambda y_bar, y, x, *others: y_bar,),
    linear=True,
)


def along_basis(linear, x):
    """Apply a linear function to every basis direction of x; return the results stacked along a new first axis."""
    shape, dtype, plain_x = shape_of(x), dtype_of(plain(x)), plain(x)
    n = math.prod(shape)
    if n and on_jax(plain_x) and not running():
        return jax.vmap(linear)(jnp.eye(n, dtype=dtype).reshape(n, *shape))
    if n == 0:
        return jax.tree.map(lambda row: zeros_like(row)[None][:0], linear(np.zeros(shape, dtype)))
    rows = []
    for i in range(n):
        direction = np.zeros(n, dtype)
        direction[i] = 1
        rows.append(linear(jnp.asarray(direction.reshape(shape)) if on_jax(plain_x) else direction.reshape(shape)[()]))
    return jax.tree.map(lambda *row: stack(row), *rows)
