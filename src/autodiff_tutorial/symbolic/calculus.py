"""Derivatives of expressions, and how to get expressions from Python functions."""

import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from autodiff_tutorial.symbolic.expressions import scalar, shortened, variables, vector


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


def trace(f: Callable, *symbols: Any) -> Any:
    """Run a Python function on symbols, and return the expression that it computes.

    Every operation of the run becomes a part of the expression: loops are unrolled, intermediate variables are
    substituted. What depends on the *value* of a symbol cannot be followed: an ``if``, a ``while``, ``min``, a
    function of `math` or NumPy.

    Comparisons by ``<`` and its like raise an error. Others do not reach SymPy as questions: ``x == 2`` asks whether
    the two expressions are the same, which they are not, and ``if x``, ``in`` and conditions joined by ``&`` or ``|``
    count as true or false at once. A branch on these is taken without a word; write it as a `Piecewise`.

    Parameters
    ----------
    f : callable
        Written with operators and SymPy's functions.
    *symbols : sympy.Symbol or sequence of them
        The arguments; a sequence is passed on as a NumPy array of symbols.

    Returns
    -------
    sympy.Expr or sympy.Array
        An array where `f` returns a list, a tuple or an array; a SymPy matrix stays one.

    Raises
    ------
    TypeError
        If `f` takes a branch on an inequality of symbols, or cannot be run on symbols for another reason. The message
        names the line of `f`, and the way out.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> def f(x):
    ...     for _ in range(2):
    ...         x = x * x + 1
    ...     return x
    >>> trace(f, x)
    (x**2 + 1)**2 + 1
    """
    if not callable(f):
        raise TypeError(f"`symbolic.trace(f=...)` should be a function. Got {shortened(f)}.")
    arguments = [np.array(s, dtype=object) if isinstance(s, list | tuple) else s for s in symbols]
    try:
        value = f(*arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise TypeError(_explained(f, error)) from error
    if isinstance(value, list | tuple | np.ndarray) and np.ndim(value):
        value = np.array(value, dtype=object).tolist()
        return sympy.Array(value)
    try:
        return sympy.sympify(value.item() if isinstance(value, np.ndarray) else value, strict=True)
    except sympy.SympifyError:
        raise TypeError(
            f"`symbolic.trace(f=...)` should return an expression, or an array of expressions. Got {shortened(value)}."
        ) from None


def _explained(f, error):
    """Say where the run stopped, why, and how to write it."""
    name, file = getattr(f, "__name__", "f"), getattr(getattr(f, "__code__", None), "co_filename", None)
    line, condition, step = "", None, error.__traceback__
    while step:
        frame = step.tb_frame
        if frame.f_code.co_filename == file:
            source = linecache.getline(file, step.tb_lineno).strip()
            line = f"line {step.tb_lineno - f.__code__.co_firstlineno + 1} of `{name}`" + (
                f", `{source}`," * bool(source)
            )
        if isinstance(frame.f_locals.get("self"), Relational):
            condition = frame.f_locals["self"]
        step = step.tb_next
    line = line or f"`{name}`"
    if condition is not None:
        return (
            f"`symbolic.trace(f=...)` should not branch on a symbol. In {line} Python asks whether {condition}, and a "
            f"symbol has no value. Return both branches: sympy.Piecewise((VALUE_IF_TRUE, {condition}), "
            "(OTHER_VALUE, True))."
        )
    reason = str(error).partition("\n")[0].rstrip(".")
    return (
        f"`symbolic.trace(f=...)` should run on symbols. In {line} it raised {type(error).__name__}: {reason}. "
        "Functions of math, NumPy or JAX need numbers: use those of sympy."
    )
