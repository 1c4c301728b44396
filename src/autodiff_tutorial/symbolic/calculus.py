"""Derivatives of expressions: with respect to symbols, and to functions of time."""

from collections.abc import Sequence
from typing import Any

import sympy
from sympy.core.function import AppliedUndef

from autodiff_tutorial.symbolic.expressions import scalar, variables, vector


def gradient(expr: sympy.Expr, symbols: Sequence) -> sympy.Array:
    r"""Return the gradient of an expression, :math:`\partial f / \partial x_j`.

    Parameters
    ----------
    expr : sympy.Expr
        The expression :math:`f`.
    symbols : sequence of sympy.Symbol
        The symbols :math:`x_j`; n of them.

    Returns
    -------
    sympy.Array, shape (n,)
        The derivatives, exact and not simplified.

    Raises
    ------
    TypeError
        If `expr` is no expression, or `symbols` holds something else than symbols.
    ValueError
        If `expr` is an array.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> gradient(x**2 * y, [x, y])
    [2*x*y, x**2]
    """
    expr, symbols = scalar("gradient", "expr", expr), _symbols("gradient", symbols)
    return sympy.Array([expr.diff(s) for s in symbols])


def jacobian(exprs: Any, symbols: Sequence) -> sympy.Matrix:
    r"""Return the Jacobian of a list of expressions, :math:`J_{ij} = \partial f_i / \partial x_j`.

    Parameters
    ----------
    exprs : list of sympy.Expr
        The expressions :math:`f_i`, m of them; a one-dimensional array or a matrix of one column serves as well.
    symbols : sequence of sympy.Symbol
        The symbols :math:`x_j`; n of them. For functions of time see
        :py:func:`~autodiff_tutorial.symbolic.jacobian_wrt_functions`.

    Returns
    -------
    sympy.Matrix, shape (m, n)
        A row for each expression, a column for each symbol.

    Raises
    ------
    TypeError
        If `exprs` holds something else than expressions, or `symbols` something else than symbols.
    ValueError
        If `exprs` is not a list.

    Examples
    --------
    >>> r, phi = sympy.symbols("r phi")
    >>> jacobian([r * sympy.cos(phi), r * sympy.sin(phi)], [r, phi])
    Matrix([
    [cos(phi), -r*sin(phi)],
    [sin(phi),  r*cos(phi)]])
    """
    exprs, symbols = vector("jacobian", "exprs", exprs), _symbols("jacobian", symbols)
    return sympy.Matrix([[e.diff(s) for s in symbols] for e in exprs])


def hessian(expr: sympy.Expr, symbols: Sequence) -> sympy.Matrix:
    r"""Return the Hessian of an expression, :math:`H_{ij} = \partial^2 f / \partial x_i \partial x_j`.

    Parameters
    ----------
    expr : sympy.Expr
        The expression :math:`f`.
    symbols : sequence of sympy.Symbol
        The symbols :math:`x_j`; n of them.

    Returns
    -------
    sympy.Matrix, shape (n, n)
        The second derivatives. Each pair of equal ones is derived once.

    Raises
    ------
    TypeError
        If `expr` is no expression, or `symbols` holds something else than symbols.
    ValueError
        If `expr` is an array.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> hessian(x**2 * y, [x, y])
    Matrix([
    [2*y, 2*x],
    [2*x,   0]])
    """
    expr, symbols = scalar("hessian", "expr", expr), _symbols("hessian", symbols)
    first = [expr.diff(s) for s in symbols]
    lower = [[g.diff(s) for s in symbols[: i + 1]] for i, g in enumerate(first)]
    return sympy.Matrix(len(symbols), len(symbols), lambda i, j: lower[max(i, j)][min(i, j)])


def jacobian_wrt_functions(exprs: Any, functions: Sequence) -> sympy.Matrix:
    r"""Return the derivatives of expressions with respect to functions of time and their derivatives.

    Each of :math:`x(t), x'(t), x''(t), \dots` counts as a variable of its own, as in the calculus of variations:
    :math:`\partial x' / \partial x = 0`.

    Parameters
    ----------
    exprs : list of sympy.Expr
        The expressions, m of them; a one-dimensional array or a matrix of one column serves as well.
    functions : sequence of sympy.Function applied to a symbol, or of sympy.Derivative
        Such as ``x(t)`` and ``x(t).diff(t)``; n of them.

    Returns
    -------
    sympy.Matrix, shape (m, n)
        A row for each expression, a column for each function.

    Raises
    ------
    TypeError
        If `exprs` holds something else than expressions, or `functions` something else than functions.
    ValueError
        If `exprs` is not a list.

    Examples
    --------
    >>> t = sympy.Symbol("t")
    >>> x = sympy.Function("x")(t)
    >>> jacobian_wrt_functions([x**2 * x.diff(t)], [x, x.diff(t)])
    Matrix([[2*x(t)*Derivative(x(t), t), x(t)**2]])
    """
    exprs = [e.doit() for e in vector("jacobian_wrt_functions", "exprs", exprs)]
    kinds, plural = (AppliedUndef, sympy.Derivative), "functions such as x(t), and their derivatives"
    functions = variables("jacobian_wrt_functions", "functions", functions, kinds, plural)
    return sympy.Matrix([[e.diff(f) for f in functions] for e in exprs])


def _symbols(call, symbols):
    return variables(call, "symbols", symbols, (sympy.Symbol,), "symbols, not functions or expressions")
