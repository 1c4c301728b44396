"""Gradients, Jacobians and checkpoints by the tape."""

from collections.abc import Callable
from typing import Any

import jax

from autodiff_tutorial import primitives
from autodiff_tutorial.primitives.boundary import (
    as_function_of,
    checked_floats,
    like,
    numbered,
    owned,
)
from autodiff_tutorial.primitives.loops import along_basis
from autodiff_tutorial.primitives.tracing import Traced, call, on_jax, ones_like, shape_of, zeros_like
from autodiff_tutorial.reverse_mode.tape import Node, Tape, on_tape, pull


def vjp(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    r"""Evaluate f, and return the function that pulls cotangents back through it.

    .. math:: \bar x_k = \Bigl(\frac{\partial f}{\partial x_k}(x)\Bigr)^{\!T} \bar y

    A pull costs a small multiple of `f`, whatever the number of inputs. Memory: every intermediate value of `f`, as
    long as the pullback lives; see `checkpoint`.

    Parameters
    ----------
    f : callable
        Written with operators, functions of `primitives`, or functions of NumPy. It takes and returns floats, arrays
        or pytrees of them, and may branch and loop as it likes, but change no array in place.
    *primals : array_like or pytree
        The arguments of `f`.

    Returns
    -------
    value
        f(\*primals).
    pullback : callable
        ``pullback(y_bar)`` takes a cotangent, shaped like the value, and returns a tuple with one for each argument.
        NumPy arrays that `f` used must not be changed before its last call.

    Raises
    ------
    TypeError
        If an argument or a result is not of real floating point numbers, or `f` uses an operation that has no rule.
    ValueError
        If `f` changes an array that the tape needs, or uses a value of a run that has finished; from the pullback, if
        the cotangent has another structure or shape than the value.

    Notes
    -----
    While `f` runs, NumPy arrays that the tape needs are read-only. A view that `f` makes of one stays so; a change
    through a view that was made before is not noticed.

    Examples
    --------
    >>> def f(x1, x2):
    ...     return x1 * x2 + x2
    >>> value, pullback = vjp(f, 2.0, 4.0)
    >>> value, pullback(1.0)
    (np.float64(12.0), (4.0, 3.0))
    """
    return _vjp("reverse_mode.vjp", f, primals)


def _vjp(name, f, primals):
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")
    given, tree = jax.tree.flatten(primals)
    with Tape() as tape:
        y, leaves = on_tape(name, f, tape, given, tree)
        ys, y_tree = jax.tree.flatten(y)
        ys = checked_floats(f"{name}(f=...)(...)", ys)
        entries = tape.entries
    places = [y.index if isinstance(y, Node) and y.level is tape else None for y in ys]
    values = [y if place is None else y.primal for y, place in zip(ys, places, strict=True)]

    def pullback(y_bar):
        bars, bars_tree = jax.tree.flatten(y_bar)
        if bars_tree != y_tree:
            raise ValueError(
                f"`pullback(y_bar=...)` should have the structure of the value, {y_tree}. Got {bars_tree}."
            )
        bars = checked_floats("pullback(y_bar=...)", bars)
        for value, bar in zip(values, bars, strict=True):
            if shape_of(value) != shape_of(bar):
                raise ValueError(
                    f"`pullback(y_bar=...)` should have the shape of the value, {shape_of(value)}. Got {shape_of(bar)}."
                )
        seeds = [
            (place, like(bar, value))
            for place, bar, value in zip(places, bars, values, strict=True)
            if place is not None
        ]
        out = pull(entries, seeds, len(leaves))
        return jax.tree.unflatten(tree, [_finished(x, bar) for x, bar in zip(given, out, strict=True)])

    return jax.tree.unflatten(y_tree, map(owned, values)), pullback


def _finished(x, x_bar):
    """Return a cotangent with the dtype of x, as an array of its own; as a float if x is one."""
    if x_bar is None:
        x_bar = zeros_like(x)
    if type(x) is float:
        return x_bar if isinstance(x_bar, Traced) or on_jax(x_bar) else float(x_bar)
    return owned(like(x_bar, x))


def value_and_grad(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    r"""Make the function that computes a scalar function and its gradient.

    .. math:: \Bigl(f(x),\; \frac{\partial f}{\partial x_k}(x)\Bigr)

    The cost is a small multiple of that of `f`, whatever the size of `x`.

    Parameters
    ----------
    f : callable
        As for `vjp`; returns a scalar.
    argnums : int or tuple of int
        The argument, or arguments, to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns its value and the gradient, shaped like the argument. With a tuple in
        `argnums` the gradient is a tuple.

    Raises
    ------
    TypeError
        If `f` does not return a scalar; else as `vjp`.
    ValueError
        If there is no such argument; else as `vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> value_and_grad(lambda x: (x * x).sum())(np.array([3.0, 4.0]))
    (np.float64(25.0), array([6., 8.]))
    """
    return _value_and_grad("reverse_mode.value_and_grad", f, argnums)


def _value_and_grad(name, f, argnums):
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")

    def function(*args, **options):
        positions = numbered(name, args, argnums)
        y, pullback = _vjp(name, as_function_of(f, args, positions, options), tuple(args[i] for i in positions))
        if isinstance(y, dict | list | tuple) or y is None or shape_of(y) != ():
            got = type(y).__name__ if isinstance(y, dict | list | tuple) or y is None else f"shape {shape_of(y)}"
            raise TypeError(
                f"`{name}(f=...)` should return one number. Got {got}. Add the entries up, or take jacrev or vjp."
            )
        bars = pullback(ones_like(y))
        return y, bars if isinstance(argnums, tuple) else bars[0]

    return function


def grad(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    r"""Make the function that computes the gradient of a scalar function.

    The cost is a small multiple of that of `f`, whatever the size of `x`.

    Parameters
    ----------
    f, argnums
        As for `value_and_grad`.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns the gradient, shaped like the argument.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`.

    Examples
    --------
    >>> cube = lambda x: x**3
    >>> grad(cube)(4.0), grad(grad(cube))(4.0), grad(grad(grad(cube)))(4.0)
    (48.0, 24.0, 6.0)
    """
    function = _value_and_grad("reverse_mode.grad", f, argnums)
    return lambda *args, **options: function(*args, **options)[1]


def jacrev(f: Callable, argnums: int = 0) -> Callable:
    r"""Make the function that computes the Jacobian of f by rows.

    Entry :math:`(i, j)` is :math:`\partial f_i / \partial x_j`, shaped ``f(x).shape + x.shape``; the cost is one run
    of `f` and one pull for each entry of the result. On JAX arrays all rows are pulled in one batch.

    Parameters
    ----------
    f : callable
        As for `vjp`; takes and returns arrays or pytrees of them.
    argnums : int
        The argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f`. Where the argument or the result is a pytree, so is the Jacobian: the structure of
        the result outside, that of the argument inside.

    Raises
    ------
    TypeError, ValueError
        As `vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> jacrev(lambda x: x[0] * x)(np.array([3.0, 4.0]))
    array([[6., 0.],
           [4., 3.]])
    """

    def jacobian(*args, **options):
        (position,) = numbered("reverse_mode.jacrev", args, argnums)
        y, pullback = _vjp("reverse_mode.jacrev", as_function_of(f, args, (position,), options), (args[position],))
        leaves, tree = jax.tree.flatten(y)

        def row(i, direction):
            return pullback(
                jax.tree.unflatten(tree, [direction if j == i else zeros_like(leaf) for j, leaf in enumerate(leaves)])
            )[0]

        blocks = []
        for i, leaf in enumerate(leaves):
            rows = along_basis(lambda direction, i=i: row(i, direction), leaf)
            shape = shape_of(leaf)
            blocks.append(jax.tree.map(lambda r, shape=shape: primitives.reshape(r, (*shape, *shape_of(r)[1:])), rows))
        return jax.tree.unflatten(tree, blocks)

    return jacobian


def checkpoint(f: Callable) -> Callable:
    """Make f forget its intermediate values: reverse mode keeps its arguments only, and runs it a second time.

    Parameters
    ----------
    f : callable
        As for `vjp`. It may not use traced values that it is not given as arguments.

    Returns
    -------
    callable
        The same function, with the same derivatives, for one more evaluation and less memory.

    Notes
    -----
    Under `jax.jit` the second run stands behind `jax.lax.optimization_barrier`, as that of `jax.checkpoint` does. XLA
    for CPUs drops it and merges the two runs, so that nothing is saved. There, loop over segments by
    `primitives.scan`, which keeps the carries only.

    Raises
    ------
    ValueError
        If an argument is traced, and `f` uses a traced value from outside.

    Examples
    --------
    >>> import numpy as np
    >>> grad(checkpoint(lambda x: np.sin(np.sin(x))))(0.0)
    1.0
    """

    def checkpointed(*args):
        leaves, tree = jax.tree.flatten(args)
        y_tree = None

        def flat(leaves):
            nonlocal y_tree
            ys, y_tree = jax.tree.flatten(f(*jax.tree.unflatten(tree, leaves)))
            return ys

        ys = call(flat, leaves, "reverse_mode.checkpoint")
        return jax.tree.unflatten(y_tree, ys)

    return checkpointed
