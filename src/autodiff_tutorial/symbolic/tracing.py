"""From a Python function to the expression that it computes; knows nothing of derivatives."""

import contextlib
import linecache
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from autodiff_tutorial.symbolic.expressions import arranged, shortened

# Modules whose own comparisons of expressions are not branches of the function that is traced.
_LIBRARIES = {"autodiff_tutorial", "jax", "mpmath", "numpy", "sympy"}
_LOCK = threading.RLock()


class _Branch(TypeError):
    """A question was asked of a symbol that only a number could answer."""

    def __init__(self, condition):
        super().__init__(f"cannot determine the truth value of {condition}")
        self.condition = condition


def trace(f: Callable, *symbols: Any) -> Any:
    """Run a Python function on symbols, and return the expression that it computes.

    Every operation of the run becomes a part of the expression: loops are unrolled, intermediate variables are
    substituted. What depends on the *value* of a symbol cannot be followed: an ``if``, a ``while``, ``min``, a
    function of `math` or NumPy.

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
        If `f` takes a branch on a symbol, or cannot be run on symbols for another reason. The message names the
        line of `f`, and the way out.

    Notes
    -----
    While `f` runs, and in its thread only, ``==``, ``!=`` and the truth value of expressions raise an error where
    SymPy would answer whether they are written alike: unless they are, that depends on the values. Not noticed are
    branches on types, look-ups in dictionaries, and comparisons that have a number of SymPy's on their left.

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
        with _watched():
            value = f(*arguments)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise TypeError(_explained(f, error)) from error
    try:
        entries, shape = arranged("trace", "f", value)
    except TypeError:
        raise TypeError(
            f"`symbolic.trace(f=...)` should return an expression, or an array of expressions. Got {shortened(value)}."
        ) from None
    if isinstance(value, sympy.MatrixBase):
        return value
    return sympy.Array(entries, shape) if shape else entries[0]


@contextlib.contextmanager
def _watched():
    """Let questions raise that SymPy would answer by how expressions are written, if this thread asks them."""
    thread, equal, different = threading.get_ident(), sympy.Expr.__eq__, sympy.Expr.__ne__

    def asked(expression, condition):
        module = sys._getframe(2).f_globals.get("__name__", "").partition(".")[0]
        if threading.get_ident() == thread and module not in _LIBRARIES and expression.free_symbols:
            raise _Branch(condition)

    def comparable(other):
        return isinstance(other, sympy.Expr | int | float | complex | np.number)

    def eq(self, other):
        found = equal(self, other)
        if found is not True and comparable(other):
            asked(self, sympy.Eq(self, other, evaluate=False))
        return found

    def ne(self, other):
        found = different(self, other)
        if found is not False and comparable(other):
            asked(self, sympy.Ne(self, other, evaluate=False))
        return found

    def expression_is_true(self):
        asked(self, sympy.Ne(self, 0, evaluate=False))
        return True  # as is everything without a method of its own, which zero and floats have

    def condition_is_true(self):
        asked(self, self)
        return True

    with _LOCK, contextlib.ExitStack() as undo:
        for kind, name, method in (
            (sympy.Expr, "__eq__", eq),
            (sympy.Expr, "__ne__", ne),
            (sympy.Expr, "__bool__", expression_is_true),
            (BooleanFunction, "__bool__", condition_is_true),
        ):
            before = vars(kind).get(name)
            undo.callback(*((setattr, kind, name, before) if before else (delattr, kind, name)))
            setattr(kind, name, method)
        yield


def _explained(f, error):
    """Say where the run stopped, why, and how to write it."""
    condition = getattr(error, "condition", None)
    where, step = f"`{getattr(f, '__name__', 'f')}`", error.__traceback__
    while step:
        frame, number = step.tb_frame, step.tb_lineno
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _LIBRARIES:
            source = linecache.getline(frame.f_code.co_filename, number).strip()
            where = f"line {number - frame.f_code.co_firstlineno + 1} of `{frame.f_code.co_name}`"
            where += f", `{source[:80]}`," if source else ""
        if isinstance(frame.f_locals.get("self"), Relational):
            condition = frame.f_locals["self"]
        step = step.tb_next
    if condition is not None:
        shown = str(condition) if not isinstance(condition, sympy.Eq | sympy.Ne) else f"sympy.{condition}"
        return (
            f"`symbolic.trace(f=...)` should not branch on a symbol. In {where} Python asks whether {condition}, and a "
            f"symbol has no value. Return both branches: sympy.Piecewise((VALUE_IF_TRUE, {shown}), "
            "(OTHER_VALUE, True))."
        )
    reason = str(error).partition("\n")[0].rstrip(".")
    return (
        f"`symbolic.trace(f=...)` should run on symbols. In {where} it raised {type(error).__name__}: {reason}. "
        "Functions of math, NumPy or JAX need numbers: use those of sympy."
    )
