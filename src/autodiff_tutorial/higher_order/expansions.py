"""Taylor series along a line, and of the solution of a differential equation."""

import operator
from collections.abc import Callable
from typing import Any

import jax

from autodiff_tutorial import primitives
from autodiff_tutorial.higher_order.series import Expansion, Series
from autodiff_tutorial.primitives.boundary import checked_floats, like, owned, run
from autodiff_tutorial.primitives.tracing import shape_of, zeros_like


def taylor(f: Callable, x: Any, v: Any, order: int) -> Any:
    r"""Expand f along a line into a Taylor series.

    .. math:: f(x + t v) = \sum_{k=0}^{K} c_k t^k + O(t^{K+1}), \qquad
              c_k = \frac{1}{k!} \frac{d^k}{dt^k} f(x + t v) \Big|_{t=0}

    Series are propagated through the program as dual numbers are: c_0 is the value, c_1 the JVP, 2 c_2 the curvature
    :math:`v^T H v` of a scalar function. The program runs once. A product or a function of series takes about
    :math:`K^2 / 2` products, so the cost grows as :math:`K^2`; nested JVPs would take :math:`2^K`.

    Parameters
    ----------
    f : callable
        Written with operators, functions of `primitives`, or functions of NumPy, of one argument. It may branch and
        loop as it likes; a branch is decided by the value at t = 0. Loops by `primitives.scan` are unrolled.
    x : array_like or pytree of floats
        The point.
    v : array_like or pytree of floats
        The direction, of the structure and the shapes of `x`.
    order : int
        K, at least 0.

    Returns
    -------
    array or pytree
        :math:`c_0, \dots, c_K`, along a first axis of length K + 1 that is added to the shape of the result of `f`.
        Where a derivative is infinite, nan or infinity; at kinks and jumps, and of a power of 0 whose exponent moves,
        what the rules of `primitives` say there.

    Raises
    ------
    TypeError
        If `x`, `v` or f(x) is not of real floating point numbers, `order` is no integer, or `f` uses an operation that
        has no rule.
    ValueError
        If `order` is negative, or `v` differs from `x` in structure or shape.

    References
    ----------
    Griewank and Walther (2008), chapter 13; McIlroy (1999) for series whose terms are computed on demand.

    Examples
    --------
    >>> import numpy as np
    >>> taylor(lambda x: np.exp(x) * x, 0.0, 1.0, 4).round(4)
    array([0.    , 1.    , 1.    , 0.5   , 0.1667])
    """
    name = "higher_order.taylor"
    order = _checked_order(name, f, order)
    leaves, tree = jax.tree.flatten(x)
    directions, v_tree = jax.tree.flatten(v)
    if tree != v_tree:  # type: ignore[operator]  # JAX's stub of PyTreeDef has == only
        raise ValueError(f"`{name}(v=...)` should have the structure of x, {tree}. Got {v_tree}.")
    leaves = [owned(leaf) for leaf in checked_floats(f"{name}(x=...)", leaves)]
    directions = checked_floats(f"{name}(v=...)", directions)
    for leaf, direction in zip(leaves, directions, strict=True):
        if shape_of(leaf) != shape_of(direction):
            raise ValueError(
                f"`{name}(v=...)` should have the shape of x, {shape_of(leaf)}. Got {shape_of(direction)}."
            )
    with Expansion(name) as level:
        line = [
            Series(level, leaf, lambda k: None, [leaf, like(direction, leaf)])
            for leaf, direction in zip(leaves, directions, strict=True)
        ]
        ys, y_tree = jax.tree.flatten(run(name, f, (jax.tree.unflatten(tree, line),), Series))
        ys = checked_floats(f"{name}(f=...)(...)", ys)
        for k in range(order + 1):
            level.advance(k)
        return jax.tree.unflatten(y_tree, [_stacked(level, y, order) for y in ys])


def ode_taylor(f: Callable, y: Any, order: int) -> Any:
    r"""Expand the solution of a differential equation into a Taylor series.

    .. math:: \dot y(t) = f(y(t)), \quad y(0) = y
              \qquad\Longrightarrow\qquad y(t) = \sum_{k=0}^{K} c_k t^k + O(t^{K+1})

    Coefficient k of f(y(t)) needs coefficients 0 to k of y(t), and is k + 1 times coefficient k + 1 of it. So the
    series grows by its own help, one term at a time, while the program runs once. The cost grows as :math:`K^2`.

    Parameters
    ----------
    f : callable
        The right-hand side, as for `taylor`. Time can be made a component of `y`, with the rate 1.
    y : array_like or pytree of floats
        The state at t = 0.
    order : int
        K, at least 0.

    Returns
    -------
    array or pytree
        :math:`c_0, \dots, c_K`, along a first axis of length K + 1 that is added to the shape of `y`.

    Raises
    ------
    TypeError
        If `y` or f(y) is not of real floating point numbers, `order` is no integer, or `f` uses an operation that has
        no rule.
    ValueError
        If `order` is negative, or f(y) differs from `y` in structure or shape.

    References
    ----------
    Moore (1966); Corliss and Chang (1982).

    Examples
    --------
    >>> ode_taylor(lambda y: y, 1.0, 4).round(4)
    array([1.    , 1.    , 0.5   , 0.1667, 0.0417])
    """
    name = "higher_order.ode_taylor"
    order = _checked_order(name, f, order)
    leaves, tree = jax.tree.flatten(y)
    leaves = [owned(leaf) for leaf in checked_floats(f"{name}(y=...)", leaves)]
    rates: list = []

    def solution(i, leaf):
        def extend(k):
            c = level.term(rates[i], k - 1)
            return None if c is None else like(c, leaf) / k

        return Series(level, leaf, extend)

    with Expansion(name) as level:
        ys = [solution(i, leaf) for i, leaf in enumerate(leaves)]
        found, found_tree = jax.tree.flatten(run(name, f, (jax.tree.unflatten(tree, ys),), Series))
        rates += checked_floats(f"{name}(f=...)(...)", found)
        shapes, wanted = ([shape_of(leaf) for leaf in group] for group in (rates, leaves))
        if (found_tree, shapes) != (tree, wanted):
            raise ValueError(
                f"`{name}(f=...)` should return the structure and shapes of y, {tree} with {wanted}. "
                f"Got {found_tree} with {shapes}."
            )
        for k in range(order + 1):
            for component in ys:
                component.term(k)
            if k < order:
                level.advance(k)
        return jax.tree.unflatten(tree, [_stacked(level, component, order) for component in ys])


def _checked_order(name, f, order):
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")
    try:
        order = operator.index(order)
    except TypeError:
        raise TypeError(f"`{name}(order=...)` should be an integer. Got {order!r}.") from None
    if order < 0:
        raise ValueError(f"`{name}(order=...)` should be at least 0. Got {order}.")
    return order


def _stacked(level, y, order):
    value = y.primal if level.owns(y) else y
    terms = [level.term(y, k) for k in range(order + 1)]
    return primitives.stack([zeros_like(value) if c is None else _spread(like(c, value), value) for c in terms])


def _spread(c, value):
    return c if shape_of(c) == shape_of(value) else primitives.broadcast_to(c, shape_of(value))
